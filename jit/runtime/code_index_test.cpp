#include "jit/runtime/code_index.h"

#include <gtest/gtest.h>

#include <vector>

namespace tandem::jit {
namespace {

TEST(CodeIndex, FindsThePieceAroundAnAddress) {
    alignas(16) static std::array<std::byte, 4096> memory;
    const std::span<const std::byte> all(memory);
    const auto index = CodeIndex::create(all).value();
    EXPECT_FALSE(index->find(&memory[100]).has_value());
    index->add(CodeKind::Baseline, 0xffc, all.subspan(64, 100));
    index->add(CodeKind::Optimised, 0, all.subspan(176, 16));
    EXPECT_FALSE(index->find(&memory[63]).has_value());
    for (const std::size_t at : {64u, 70u, 163u}) {
        const auto found = index->find(&memory[at]);
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->kind, CodeKind::Baseline);
        EXPECT_EQ(found->page_offset, 0xffcu);
    }
    EXPECT_EQ(index->find(&memory[180])->kind, CodeKind::Optimised);
    EXPECT_FALSE(index->find(memory.data() + memory.size()).has_value());
    // Memory that is used again: what began within the new piece is gone.
    index->add(CodeKind::Baseline, 8, all.subspan(0, 512));
    EXPECT_EQ(index->find(&memory[70])->page_offset, 8u);
    EXPECT_EQ(index->find(&memory[180])->page_offset, 8u);
}

} // namespace
} // namespace tandem::jit
