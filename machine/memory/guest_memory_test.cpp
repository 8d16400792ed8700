#include "machine/memory/guest_memory.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

constexpr GuestPhysAddr kBase{0x4000'0000};

TEST(GuestMemory, SpansAreBoundsChecked) {
    auto memory = GuestMemory::create(kBase, 1u << 20);
    ASSERT_TRUE(memory.has_value());
    const GuestMemory &ram = **memory;
    EXPECT_EQ(ram.span(kBase, 16).size(), 16u);
    EXPECT_EQ(ram.span(kBase, 1u << 20).size(), 1u << 20);
    EXPECT_TRUE(ram.span(kBase, (1u << 20) + 1).empty());
    EXPECT_TRUE(ram.span(kBase + ((1u << 20) - 4), 8).empty());
    EXPECT_TRUE(ram.span(GuestPhysAddr{0x3fff'ffff}, 1).empty());
    EXPECT_TRUE(ram.span(GuestPhysAddr{~u64{0}}, 2).empty());
    EXPECT_TRUE(ram.span(kBase, ~u64{0}).empty());
}

TEST(GuestMemory, ClearsToZero) {
    auto memory = GuestMemory::create(kBase, 1u << 20);
    ASSERT_TRUE(memory.has_value());
    const auto bytes = (*memory)->span(kBase + 0x1234, 4);
    bytes[0] = std::byte{42};
    (*memory)->clear();
    EXPECT_EQ(bytes[0], std::byte{0});
}

TEST(GuestMemory, RefusesMoreThanTheHostHas) {
    const auto memory = GuestMemory::create(kBase, u64{1} << 50);
    ASSERT_FALSE(memory.has_value());
    EXPECT_NE(memory.error().message.find("smaller --memory"), std::string::npos);
}

TEST(GuestMemory, KnowsWhatIsPopulated) {
    const auto ram = GuestMemory::create(GuestPhysAddr{0x4000'0000}, 64u << 20).value();
    EXPECT_TRUE(ram->populated().empty());
    ram->host()[5u << 20] = std::byte{1};
    ram->host()[(64u << 20) - 1] = std::byte{1};
    const auto ranges = ram->populated();
    ASSERT_GE(ranges.size(), 2u);
    EXPECT_LE(ranges.front().offset, 5u << 20);
    EXPECT_GT(ranges.front().offset + ranges.front().length, 5u << 20);
    EXPECT_EQ(ranges.back().offset + ranges.back().length, 64u << 20);
}

} // namespace
} // namespace tandem::machine
