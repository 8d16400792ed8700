#include "frontend-arm/a64/decoder.h"

#include <gtest/gtest.h>
#include <random>

namespace tandem::arm::a64 {
namespace {

int fixed_bits(Row row) {
    return std::popcount(info(row).mask);
}

/// The definition of decoding, without any index.
Row search(u32 word, FeatureSet features) {
    Row best = Row::kUndefined;
    for (unsigned i = 0; i < kRowCount; ++i) {
        const Row row = static_cast<Row>(i);
        if (!features.has(info(row).feature) || (word & info(row).mask) != info(row).value)
            continue;
        if (best == Row::kUndefined || fixed_bits(row) > fixed_bits(best)) best = row;
    }
    return best;
}

TEST(InstructionTable, PatternsAreWellFormed) {
    for (const RowInfo &row : kRows) {
        EXPECT_EQ(row.pattern.size(), 32u) << row.name;
        for (const char c : row.pattern)
            EXPECT_TRUE(c == '0' || c == '1' || c == '-' || std::isalpha(c)) << row.name;
    }
}

TEST(InstructionTable, OverlapsAreDecided) {
    for (unsigned i = 0; i < kRowCount; ++i) {
        for (unsigned j = 0; j < i; ++j) {
            const Row a = static_cast<Row>(i);
            const Row b = static_cast<Row>(j);
            const u32 common = info(a).mask & info(b).mask;
            if (((info(a).value ^ info(b).value) & common) != 0) continue;
            EXPECT_NE(fixed_bits(a), fixed_bits(b)) << info(a).name << ' ' << info(b).name;
        }
    }
}

TEST(Decoder, FindsEveryRow) {
    const Decoder decoder(FeatureSet::all());
    std::mt19937 random(1);
    for (unsigned i = 0; i < kRowCount; ++i) {
        const Row row = static_cast<Row>(i);
        unsigned own = 0;
        for (int sample = 0; sample < 200; ++sample) {
            const u32 word = (static_cast<u32>(random()) & ~info(row).mask) | info(row).value;
            const Row found = decoder.decode(word);
            ASSERT_EQ(found, search(word, FeatureSet::all())) << std::hex << word;
            if (found == row)
                ++own;
            else
                EXPECT_GT(fixed_bits(found), fixed_bits(row)) << info(row).name;
        }
        EXPECT_GT(own, 0u) << info(row).name;
    }
}

TEST(Decoder, AgreesWithSearchOnRandomWords) {
    const FeatureSet features =
        FeatureSet::all().without({Feature::LSE, Feature::PAuth, Feature::FP16, Feature::SHA3});
    const Decoder decoder(features);
    std::mt19937 random(2);
    for (int i = 0; i < 20000; ++i) {
        const u32 word = static_cast<u32>(random());
        ASSERT_EQ(decoder.decode(word), search(word, features)) << std::hex << word;
    }
}

TEST(Decoder, RespectsFeatures) {
    constexpr u32 kLdadd = 0xb8200020;   // ldadd w0, w0, [x1]
    constexpr u32 kPaciasp = 0xd503233f; // a NOP without FEAT_PAuth
    const Decoder all(FeatureSet::all());
    const Decoder base(FeatureSet{});
    EXPECT_EQ(all.decode(kLdadd), Row::LDADD);
    EXPECT_EQ(base.decode(kLdadd), Row::kUndefined);
    EXPECT_EQ(all.decode(kPaciasp), Row::PACIASP);
    EXPECT_EQ(base.decode(kPaciasp), Row::HINT);
}

} // namespace
} // namespace tandem::arm::a64
