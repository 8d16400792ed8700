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

} // namespace
} // namespace tandem::machine
