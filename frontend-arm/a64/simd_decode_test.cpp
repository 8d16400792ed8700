// Checks the rows of floating point and Advanced SIMD, with random field values, against capstone:
// what the translator allocates must be the instruction that the row says.
#include "frontend-arm/a64/translate/translator.h"

#include <algorithm>
#include <capstone/capstone.h>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>

namespace tandem::arm::a64 {
namespace {

constexpr Row kFpRows[] = {
#define INST_FP(name, ...) Row::name,
#include "frontend-arm/a64/tables/fp.inc"
#include "frontend-arm/a64/tables/simd.inc"
#undef INST_FP
};

/// Calls rows' bodies without the translator's control flow.
class SimdDecode : public testing::Test {
protected:
    SimdDecode() { CHECK(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &capstone_) == CS_ERR_OK); }
    ~SimdDecode() override { cs_close(&capstone_); }

    /// Is the word an allocated encoding of a CPU with these features, according to our tables?
    bool is_allocated(u32 word, FeatureSet features = FeatureSet::all()) {
        const Decoder decoder(features);
        return is_allocated(decoder, features, word);
    }
    bool is_allocated(const Decoder &decoder, FeatureSet features, u32 word) {
        block_.clear();
        Translator translator(decoder, features, Mode{}, block_);
        switch (decoder.decode(word)) {
#define INST_FP(name, ...)                                                                         \
    case Row::name: return translator.name(Fields<Row::name>(word));
#include "frontend-arm/a64/tables/fp.inc"
#include "frontend-arm/a64/tables/simd.inc"
#undef INST_FP
        default: return false;
        }
    }

    /// Empty if capstone does not know the word.
    std::string mnemonic(u32 word) {
        cs_insn *insn = nullptr;
        const std::size_t count =
            cs_disasm(capstone_, reinterpret_cast<const u8 *>(&word), 4, 0, 1, &insn);
        if (count == 0) return {};
        std::string result = insn->mnemonic;
        cs_free(insn, count);
        return result;
    }

private:
    csh capstone_ = 0;
    ir::Block block_;
};

/// The names before the titles' commas and parentheses, in lower case, and their aliases.
std::set<std::string> names(const RowInfo &row) {
    std::set<std::string> result;
    std::string name;
    bool in_name = true;
    for (const char c : std::string(row.title) + ",") {
        if (c == ',' || c == '(') {
            if (!name.empty()) result.insert(name);
            name.clear();
            in_name = c == ',';
        } else if (in_name && c != ' ') {
            name += static_cast<char>(std::tolower(c));
        }
    }
    static const std::set<std::string> kMoves = {"orr", "dup", "umov", "ins"};
    for (const std::string &move : kMoves)
        if (result.contains(move)) result.insert("mov");
    if (result.contains("not")) result.insert("mvn");
    if (result.contains("sshll")) result.merge(std::set<std::string>{"sxtl", "sxtl2"});
    if (result.contains("ushll")) result.merge(std::set<std::string>{"uxtl", "uxtl2"});
    return result;
}

TEST_F(SimdDecode, AllocatedWordsAreTheInstructionOfTheirRow) {
    const Decoder decoder(FeatureSet::all());
    std::mt19937 random(1);
    unsigned known = 0;
    for (const Row row : kFpRows) {
        const std::set<std::string> expected = names(info(row));
        for (int i = 0; i < 50; ++i) {
            const u32 word = (static_cast<u32>(random()) & ~info(row).mask) | info(row).value;
            if (decoder.decode(word) != row) continue; // a more specific row
            if (!is_allocated(decoder, FeatureSet::all(), word)) continue;
            const std::string actual = mnemonic(word);
            if (actual.empty()) continue; // newer than capstone
            ++known;
            EXPECT_TRUE(expected.contains(actual))
                << info(row).name << " is " << actual << ", word " << std::hex << word;
        }
    }
    EXPECT_GT(known, 10000u);
}

TEST_F(SimdDecode, EveryRowHasAnAllocatedWord) {
    const Decoder decoder(FeatureSet::all());
    std::mt19937 random(2);
    for (const Row row : kFpRows) {
        bool found = false;
        for (int i = 0; i < 2000 && !found; ++i) {
            const u32 word = (static_cast<u32>(random()) & ~info(row).mask) | info(row).value;
            found = decoder.decode(word) == row && is_allocated(decoder, FeatureSet::all(), word);
        }
        EXPECT_TRUE(found) << info(row).name;
    }
}

TEST_F(SimdDecode, ReservedFieldValuesAreUnallocated) {
    for (const u32 word : {
             0x0ee08400u, // ADD V0.1D
             0x5ea08400u, // ADD scalar, not D
             0x4ee09c00u, // MUL V0.2D
             0x0e60d400u, // FADD V0.1D
             0x2e004000u, // EXT V0.8B, #8
             0x4e000400u, // DUP, imm5 = 0
             0x0e080400u, // DUP V0.1D
             0x4e043c00u, // UMOV X0, V0.S[0]
             0x0e083c00u, // UMOV W0, V0.D[0]
             0x0e042c00u, // SMOV W0, V0.S[0]
             0x0f400400u, // SSHR V0.1D
             0x0f408400u, // SHRN from 128-bit lanes
             0x4fc08000u, // MUL by element, D
             0x4fe01000u, // FMLA by element, D, L = 1
             0x2e30c800u, // FMAXNMV V0.2S
             0x1ea02800u, // FADD, ftype 10
             0x1e224000u, // FCVT from single to single
             0x1e020000u, // SCVTF from W0, more than 32 fraction bits
         })
        EXPECT_FALSE(is_allocated(word)) << std::hex << word;
    EXPECT_TRUE(is_allocated(0x2e003800)); // EXT V0.8B, #7
}

TEST_F(SimdDecode, FeaturesGateHalfPrecision) {
    const FeatureSet without = FeatureSet::all().without({Feature::FP16});
    for (const u32 word :
         {0x1ee02800u /* FADD H */, 0x4e401400u /* FADD 8H */, 0x1ee04000u /* FMOV H */,
          0x4f10fc00u /* FCVTZS 8H fixed */, 0x6e40c400u /* FCMLA 8H */}) {
        EXPECT_TRUE(is_allocated(word)) << std::hex << word;
        EXPECT_FALSE(is_allocated(word, without)) << std::hex << word;
    }
    EXPECT_TRUE(is_allocated(0x1ee24000, without)); // FCVT S, H needs no FEAT_FP16
}

} // namespace
} // namespace tandem::arm::a64
