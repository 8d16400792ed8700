#include "jit/regions/code_arena.h"

#include <gtest/gtest.h>

#include <array>

namespace tandem::jit {
namespace {

class CodeArenaTest : public testing::Test {
protected:
    static constexpr std::size_t kSize = 1024;
    alignas(64) std::array<std::byte, kSize> memory_{};
    CodeArena arena_{{memory_.data(), memory_.data(), kSize}};
};

TEST_F(CodeArenaTest, PiecesAreAlignedAndApart) {
    const CodeWindow a = arena_.allocate(10), b = arena_.allocate(65);
    EXPECT_EQ(reinterpret_cast<u64>(a.writable) % 64, 0u);
    EXPECT_EQ(b.writable, a.writable + 64);
    EXPECT_EQ(b.size, 128u);
    EXPECT_EQ(arena_.used(), 192u);
}

TEST_F(CodeArenaTest, FreedNeighboursBecomeOnePieceAgain) {
    const CodeWindow a = arena_.allocate(256), b = arena_.allocate(512), c = arena_.allocate(256);
    EXPECT_EQ(arena_.allocate(1).size, 0u);
    arena_.free(a);
    arena_.free(c);
    EXPECT_EQ(arena_.allocate(512).size, 0u);
    arena_.free(b);
    EXPECT_EQ(arena_.allocate(kSize).size, kSize);
}

TEST_F(CodeArenaTest, APieceFreesItself) {
    {
        ArenaPiece piece(arena_, 100);
        ArenaPiece other = std::move(piece);
        EXPECT_EQ(arena_.used(), 128u);
    }
    EXPECT_EQ(arena_.used(), 0u);
}

} // namespace
} // namespace tandem::jit
