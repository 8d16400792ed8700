#include "support/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace tandem {
namespace {

TEST(Arena, GivesAlignedMemoryThatDoesNotOverlap) {
    Arena arena;
    std::vector<ArenaArray<u8>> arrays;
    for (std::size_t i = 0; i < 3000; ++i) {
        arrays.push_back(make_arena_array<u8>(arena, 1 + i));
        EXPECT_EQ(reinterpret_cast<u64>(arrays[i].get()) % 16, 0u);
        std::memset(arrays[i].get(), static_cast<int>(i & 0xff), 1 + i);
    }
    for (std::size_t i = 0; i < arrays.size(); ++i)
        for (std::size_t k = 0; k <= i; ++k) ASSERT_EQ(arrays[i][k], static_cast<u8>(i));
}

TEST(Arena, GivesChunksBackWhenNothingInThemIsUsed) {
    std::atomic<std::size_t> held = 0;
    ArenaArray<u8> survivor;
    {
        Arena arena(&held);
        for (unsigned i = 0; i < 100; ++i) {
            const auto large = make_arena_array<u8>(arena, Arena::kMaxSize);
            EXPECT_LE(held, 2 * Arena::kChunkSize);
        }
        survivor = make_arena_array<u8>(arena, 1);
        std::vector<ArenaArray<u8>> several;
        for (unsigned i = 0; i < 5; ++i)
            several.push_back(make_arena_array<u8>(arena, Arena::kMaxSize));
        EXPECT_GE(held, 4 * Arena::kChunkSize);
    }
    EXPECT_EQ(held, Arena::kChunkSize);
    survivor[0] = 1;
    survivor.reset();
    EXPECT_EQ(held, 0u);
}

} // namespace
} // namespace tandem
