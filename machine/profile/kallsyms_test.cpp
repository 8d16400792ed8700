#include "machine/profile/kallsyms.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <random>

namespace tandem::machine::profile {
namespace {

constexpr u64 kBase = 0xffff'8000'0801'0000;
constexpr u32 kSymbols = 700;

/// Lays tables out as scripts/kallsyms.c of different kernels does.
class Image {
public:
    enum class Layout : u8 { Early, EarlyWithOrder, Late };

    explicit Image(Layout layout, u64 base = kBase) {
        bytes_.resize(4096, std::byte{0xcc});
        if (layout != Layout::Late) addresses(base);
        align();
        put(u32{kSymbols});
        align();
        names();
        align();
        for (const u32 marker : markers_) put(marker);
        align();
        if (layout == Layout::EarlyWithOrder) order();
        tokens();
        if (layout == Layout::Late) {
            addresses(base);
            order();
        }
        bytes_.resize(bytes_.size() + 100, std::byte{0xcc});
    }

    [[nodiscard]] std::vector<std::byte> &bytes() { return bytes_; }
    [[nodiscard]] static std::string name(u32 i) {
        if (i == 0) return "_text";
        if (i == kSymbols - 1) return "_end";
        return i == 300 ? std::string("do_").append(200, 'x') : fmt::format("do_{}", i);
    }

private:
    template <typename T>
    void put(T value) {
        const std::size_t at = bytes_.size();
        bytes_.resize(at + sizeof value);
        std::memcpy(&bytes_[at], &value, sizeof value);
    }
    void align() { bytes_.resize(align_up(bytes_.size(), 8)); }
    void addresses(u64 base) {
        align();
        for (u32 i = 0; i < kSymbols; ++i) put(u32{i * 0x100});
        align();
        put(base);
    }
    void names() {
        const std::size_t begin = bytes_.size();
        for (u32 i = 0; i < kSymbols; ++i) {
            if (i % 256 == 0) markers_.push_back(static_cast<u32>(bytes_.size() - begin));
            std::string coded = fmt::format("{}{}", i % 2 != 0 ? 't' : 'T', name(i));
            if (const std::size_t at = coded.find("do_"); at != std::string::npos)
                coded.erase(at, 2).at(at) = '\xf0';
            const auto length = coded.size();
            if (length < 0x80) {
                put(static_cast<u8>(length));
            } else {
                put(static_cast<u8>(length | 0x80));
                put(static_cast<u8>(length >> 7));
            }
            for (const char c : coded) put(c);
        }
    }
    void order() {
        align();
        for (u32 i = 0; i < kSymbols; ++i)
            for (const u32 shift : {16u, 8u, 0u}) put(static_cast<u8>((i * 3 % kSymbols) >> shift));
        align();
    }
    void tokens() {
        align();
        std::vector<u16> index;
        u16 at = 0;
        for (u32 i = 0; i < 256; ++i) {
            const std::string token = i == 0xf0             ? "do_"
                                      : i > ' ' && i < 0x7f ? std::string(1, static_cast<char>(i))
                                                            : "unused";
            index.push_back(at);
            for (const char c : token) put(c);
            put('\0');
            at = static_cast<u16>(at + token.size() + 1);
        }
        align();
        for (const u16 each : index) put(each);
    }

    std::vector<std::byte> bytes_;
    std::vector<u32> markers_;
};

class KallsymsTest : public testing::TestWithParam<Image::Layout> {};

TEST_P(KallsymsTest, FindsEverySymbol) {
    Image image(GetParam());
    const auto symbols = find_kallsyms(image.bytes(), kBase + 0x1000);
    ASSERT_TRUE(symbols.has_value());
    ASSERT_EQ(symbols->size(), kSymbols);
    for (u32 i = 0; i < kSymbols; ++i) {
        EXPECT_EQ((*symbols)[i].name, Image::name(i));
        EXPECT_EQ((*symbols)[i].address, kBase + i * 0x100);
        EXPECT_EQ((*symbols)[i].type, i % 2 != 0 ? 't' : 'T');
    }
}

TEST_P(KallsymsTest, RefusesAKernelThatHasNotRelocatedItself) {
    Image image(GetParam(), 0);
    EXPECT_FALSE(find_kallsyms(image.bytes(), kBase + 0x1000).has_value());
}

TEST_P(KallsymsTest, RefusesWhatIsCutShort) {
    const Image whole(GetParam());
    const std::vector<std::byte> bytes = Image(GetParam()).bytes();
    for (std::size_t size = 0; size < bytes.size() - 2300; size += 97)
        EXPECT_FALSE(find_kallsyms(std::span(bytes).first(size), kBase + 0x1000).has_value());
    EXPECT_FALSE(find_kallsyms(std::span(bytes).subspan(4096 + 4000), kBase + 0x1000).has_value());
}

TEST_P(KallsymsTest, SurvivesAnything) {
    std::mt19937 random(2);
    const std::vector<std::byte> sound = Image(GetParam()).bytes();
    for (int round = 0; round < 300; ++round) {
        std::vector<std::byte> damaged = sound;
        for (int i = 0; i < 1 + round % 20; ++i)
            damaged[random() % damaged.size()] = static_cast<std::byte>(random());
        const auto symbols = find_kallsyms(damaged, kBase + 0x1000);
        if (!symbols.has_value()) continue;
        for (const KernelSymbol &symbol : *symbols) EXPECT_LE(symbol.name.size(), 2048u);
    }
}

INSTANTIATE_TEST_SUITE_P(Layouts, KallsymsTest,
                         testing::Values(Image::Layout::Early, Image::Layout::EarlyWithOrder,
                                         Image::Layout::Late));

} // namespace
} // namespace tandem::machine::profile
