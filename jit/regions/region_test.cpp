#include "jit/regions/region.h"

#include "ir/builder.h"

#include <gtest/gtest.h>

#include <map>

namespace tandem::jit {
namespace {

/// A block of one instruction that goes to `next`, or to `other` under a condition.
ir::Block branch(u32 offset, i64 next, i64 other = -1) {
    ir::Block block;
    block.page_offset = offset;
    block.guest_bytes = 4;
    block.guest_instructions = 1;
    ir::Builder b(block);
    b.Insn(ir::insn_imm(offset, 0));
    if (other >= 0) b.ExitIf(b.IsZero64(b.GetState64(0)), static_cast<u64>(other));
    b.Exit(static_cast<u64>(next));
    return block;
}

class RegionTest : public testing::Test {
protected:
    void add(const ir::Block &block) { blocks_[block.page_offset] = block; }
    Region form(u32 entry, bool needs_loop = true, const RegionLimits &limits = {}) {
        const auto source = [&](u32 offset, ir::Block &out) {
            if (!blocks_.contains(offset)) return false;
            out = blocks_[offset];
            return true;
        };
        return form_region(entry, 0, source, needs_loop, limits);
    }
    std::map<u32, ir::Block> blocks_;
};

TEST_F(RegionTest, ALoopIsTakenAndWhatFollowsIsLeft) {
    add(branch(0x100, 0x104));
    add(branch(0x104, 0x108, 0x100));
    add(branch(0x108, 0x200));
    const Region region = form(0x100);
    ASSERT_EQ(region.blocks.size(), 2u);
    EXPECT_EQ(region.find(0x104), 1);
    EXPECT_EQ(region.exit_targets, std::vector<u32>{0x108});
    EXPECT_EQ(region.first_byte, 0x100u);
    EXPECT_EQ(region.end_byte, 0x108u);
    EXPECT_EQ(region.guest_instructions, 2u);
}

TEST_F(RegionTest, WithoutALoopThereIsNoRegion) {
    add(branch(0x100, 0x104));
    add(branch(0x104, 0x2000));
    EXPECT_TRUE(form(0x100).blocks.empty());
    EXPECT_EQ(form(0x100, false).blocks.size(), 2u);
}

TEST_F(RegionTest, ColdBlocksAndOtherPagesAreExits) {
    add(branch(0x100, 0x1000, 0x100));
    add(branch(0x200, 0x300, 0x200)); // 0x300 is not there
    EXPECT_TRUE(form(0x100).exit_targets.empty());
    EXPECT_EQ(form(0x200).exit_targets, std::vector<u32>{0x300});
}

TEST_F(RegionTest, LimitsHold) {
    for (u32 i = 0; i < 20; ++i) add(branch(i * 4, (i + 1) % 20 * 4, 0));
    EXPECT_EQ(form(0, true, {.blocks = 5, .instructions = 100}).blocks.size(), 5u);
    EXPECT_EQ(form(0, true, {.blocks = 100, .instructions = 7}).guest_instructions, 7u);
}

} // namespace
} // namespace tandem::jit
