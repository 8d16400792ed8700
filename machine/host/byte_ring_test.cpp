#include "machine/host/byte_ring.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::machine {
namespace {

TEST(ByteRing, WrapsAround) {
    ByteRing ring(8);
    const auto push = [&](std::string_view text) {
        return ring.push(std::as_bytes(std::span(text)));
    };
    const auto pop = [&](std::size_t count) {
        std::string text(count, '\0');
        text.resize(ring.pop(std::as_writable_bytes(std::span(text))));
        return text;
    };
    EXPECT_EQ(push("abcdef"), 6u);
    EXPECT_EQ(pop(4), "abcd");
    EXPECT_EQ(push("ghijklmn"), 6u) << "only what fits";
    EXPECT_EQ(ring.room(), 0u);
    EXPECT_EQ(pop(100), "efghijkl");
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(pop(1), "");
}

TEST(ByteRing, DropsTheOldest) {
    ByteRing ring(4);
    const std::array in{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    ring.push(in);
    ring.drop(3);
    EXPECT_EQ(ring.room(), 3u);
    std::array<std::byte, 4> out{};
    EXPECT_EQ(ring.pop(out), 1u);
    EXPECT_EQ(out[0], std::byte{4});
    ring.drop(1);
    EXPECT_TRUE(ring.empty());
}

} // namespace
} // namespace tandem::machine
