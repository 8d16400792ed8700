#include "jit/regions/region.h"

#include "ir/builder.h"

#include <gtest/gtest.h>

#include <map>

namespace tandem::jit {
namespace {

/// A block of one instruction, which ends as `end` says.
template <typename End>
ir::Block block_at(u32 offset, End end) {
    ir::Block block;
    block.page_offset = offset;
    block.guest_bytes = 4;
    block.guest_instructions = 1;
    ir::Builder b(block);
    b.Insn(ir::insn_imm(offset, 0));
    end(b);
    return block;
}
/// One that goes to `next`, or to `other` under a condition.
ir::Block branch(u32 offset, i64 next, i64 other = -1) {
    return block_at(offset, [&](ir::Builder &b) {
        if (other >= 0) b.ExitIf(b.IsZero64(b.GetState64(0)), static_cast<u64>(other));
        b.Exit(static_cast<u64>(next));
    });
}
ir::Block call(u32 offset, i64 function) {
    return block_at(offset, [&](ir::Builder &b) {
        b.PushReturn(offset + 4);
        b.Exit(static_cast<u64>(function));
    });
}
ir::Block indirect(u32 offset, ir::BranchHint hint) {
    return block_at(offset, [&](ir::Builder &b) {
        if (hint == ir::BranchHint::Call) b.PushReturn(offset + 4);
        b.ExitIndirect(b.GetState64(30 * 8), static_cast<u64>(hint));
    });
}
ir::Block return_from(u32 offset) {
    return indirect(offset, ir::BranchHint::Return);
}

class RegionTest : public testing::Test {
protected:
    void add(const ir::Block &block, i64 page = 0) { blocks_[page + block.page_offset] = block; }
    CodeSource source() {
        return {.block =
                    [&](i64 place, ir::Block &out) {
                        if (!blocks_.contains(place)) return false;
                        out = blocks_[place];
                        return true;
                    },
                .warm = [&] { return warm_; },
                .is_within_reach = [&](i64 page) { return page >= 0 && page < reach_; }};
    }
    Region loop(u32 offset, const RegionLimits &limits = {}) {
        return form_loop(offset, 0, source(), limits);
    }
    static std::vector<u32> entries(const Region &region) {
        std::vector<u32> offsets;
        for (const u32 index : region.entries) offsets.push_back(region.blocks[index].page_offset);
        return offsets;
    }
    std::map<i64, ir::Block> blocks_;
    i64 reach_ = 0x1000; ///< what maps page 0 maps the pages below
    std::vector<u32> warm_;
};

TEST_F(RegionTest, ALoopIsTakenAndWhatFollowsIsLeft) {
    add(branch(0x100, 0x104));
    add(branch(0x104, 0x108, 0x100));
    add(branch(0x108, 0x200));
    const Region region = loop(0x100);
    ASSERT_EQ(region.blocks.size(), 2u);
    EXPECT_EQ(region.find(0x104), 1);
    EXPECT_EQ(region.exit_targets, std::vector<u32>{0x108});
    EXPECT_EQ(region.ranges,
              (std::vector<CodeRange>{{.page = 0, .first_byte = 0x100, .end_byte = 0x108}}));
    EXPECT_EQ(region.guest_instructions, 2u);
}

TEST_F(RegionTest, WithoutALoopThereIsNoRegion) {
    add(branch(0x100, 0x104));
    add(branch(0x104, 0x2000));
    EXPECT_TRUE(loop(0x100).blocks.empty());
    EXPECT_EQ(form_trace(0x100, 0, source()).blocks.size(), 2u);
}

TEST_F(RegionTest, ALoopThatIsOnlyReachedIsLeft) {
    add(branch(0x100, 0x104));
    add(branch(0x104, 0x108, 0x104));
    EXPECT_TRUE(loop(0x100).blocks.empty());
}

TEST_F(RegionTest, WhereverItIsSampledALoopIsEnteredAtItsHeaders) {
    add(branch(0x100, 0x104));        // the outer header
    add(branch(0x104, 0x108));        // the inner one
    add(branch(0x108, 0x10c, 0x104)); // back to it
    add(branch(0x10c, 0x110, 0x100));
    for (const u32 offset : {0x100u, 0x104u, 0x108u, 0x10cu}) {
        const Region region = loop(offset);
        EXPECT_EQ(region.blocks.size(), 4u);
        EXPECT_EQ(entries(region), (std::vector<u32>{0x100, 0x104}));
    }
}

TEST_F(RegionTest, FunctionsThatALoopCallsAreInIt) {
    add(call(0x100, 0x200));
    add(branch(0x104, 0x108, 0x100));
    add(return_from(0x200));
    const Region region = loop(0x100);
    EXPECT_EQ(region.blocks.size(), 3u);
    EXPECT_EQ(region.return_targets, std::vector<i64>{0x104});
    EXPECT_EQ(entries(region), std::vector<u32>{0x100});
}

TEST_F(RegionTest, RecursionIsALoopWithItsReturns) {
    add(branch(0x100, 0x104, 0x10c));
    add(call(0x104, 0x100));
    add(branch(0x108, 0x10c, 0x104));
    add(return_from(0x10c));
    EXPECT_EQ(loop(0x10c).blocks.size(), 0u); // it is found from where it calls
    const Region region = loop(0x100);
    EXPECT_EQ(region.blocks.size(), 4u);
    EXPECT_EQ(region.return_targets, std::vector<i64>{0x108});
}

TEST_F(RegionTest, FunctionsOnOtherPagesAreInIt) {
    add(call(0x100, 0x1200));
    add(branch(0x104, 0x108, 0x100));
    add(call(0x200, -0x1000 + 0x300), 0x1000); // from page 1 to page 0, where 0x300 is
    add(branch(0x300, 0x304));
    add(return_from(0x304));
    add(return_from(0x204), 0x1000);
    const Region region = loop(0x100);
    EXPECT_EQ(region.blocks.size(), 6u);
    EXPECT_GT(region.find(0x1204), 0);
    EXPECT_EQ(region.return_targets, (std::vector<i64>{0x104, 0x1204}));
    EXPECT_EQ(region.ranges,
              (std::vector<CodeRange>{{.page = 0, .first_byte = 0x100, .end_byte = 0x308},
                                      {.page = 0x1000, .first_byte = 0x200, .end_byte = 0x208}}));
    EXPECT_EQ(entries(region), std::vector<u32>{0x100});
    EXPECT_EQ(region.crossings.size(), 2u);
    EXPECT_EQ(region.find_crossing(0x1200), 0);
    EXPECT_GE(region.find_crossing(0x1204), 0);
    EXPECT_LT(region.find_crossing(0x300), 0); // its own page is known
    EXPECT_TRUE(loop(0x100, {.pages = 1}).blocks.empty());
    reach_ = 0x2000;
    EXPECT_TRUE(loop(0x100).crossings.empty());
}

TEST_F(RegionTest, ALoopAcrossTheEndOfAPage) {
    add(branch(0xffc, 0x1000, 0x2000));
    add(branch(0x000, 0x004, -0x1000 + 0xffc), 0x1000);
    add(branch(0x004, 0x008, 0x000), 0x1000); // an inner loop, entered on its own page only
    add(branch(0x008, -0x1000 + 0xffc), 0x1000);
    const Region region = loop(0xffc);
    EXPECT_EQ(region.blocks.size(), 4u);
    EXPECT_EQ(entries(region), std::vector<u32>{0xffc});
    EXPECT_EQ(region.crossings, std::vector<i64>{0x1000});
    EXPECT_TRUE(region.exit_targets.empty());
}

TEST_F(RegionTest, ALoopThatCallsOutIsNone) {
    add(call(0x100, 0x1200));
    add(branch(0x104, 0x108, 0x100));
    EXPECT_TRUE(loop(0x100).blocks.empty());
}

TEST_F(RegionTest, AJumpToAnAddressInARegisterMayLeadToWhatIsWarm) {
    add(indirect(0x100, ir::BranchHint::None)); // the operations of an interpreter
    add(indirect(0x104, ir::BranchHint::None));
    add(indirect(0x108, ir::BranchHint::None));
    EXPECT_TRUE(loop(0x100).blocks.empty());
    warm_ = {0x108, 0x100, 0x200};
    const Region region = loop(0x100);
    EXPECT_EQ(region.blocks.size(), 2u);
    EXPECT_EQ(region.jump_targets, (std::vector<i64>{0x108, 0x100}));
    EXPECT_EQ(region.edges(region.blocks[0]).size(), 2u);
    EXPECT_TRUE(loop(0x100, {.indirect_targets = 0}).blocks.empty());
}

TEST_F(RegionTest, ACallToAnAddressInARegisterEndsIt) {
    add(indirect(0x100, ir::BranchHint::Call));
    add(branch(0x104, 0x108, 0x100));
    add(return_from(0x200));
    warm_ = {0x100, 0x104, 0x200};
    EXPECT_TRUE(loop(0x100).blocks.empty());
}

TEST_F(RegionTest, AnInnerLoopIsTakenIfTheOuterOneIsTooLarge) {
    add(branch(0x100, 0x104));
    for (u32 i = 1; i < 20; ++i) add(branch(0x100 + 4 * i, 0x104 + 4 * i));
    add(branch(0x150, 0x154, 0x14c)); // back by one
    add(branch(0x154, 0x158, 0x100));
    EXPECT_EQ(entries(loop(0x14c)), (std::vector<u32>{0x100, 0x14c}));
    EXPECT_EQ(entries(loop(0x14c, {.blocks = 5})), std::vector<u32>{0x14c});
    EXPECT_EQ(loop(0x14c, {.blocks = 5}).blocks.size(), 2u);
}

TEST_F(RegionTest, ColdBlocksAndOtherPagesAreExits) {
    add(branch(0x100, 0x1000, 0x100));
    add(branch(0x200, 0x300, 0x200)); // 0x300 is not there
    EXPECT_TRUE(loop(0x100).exit_targets.empty());
    EXPECT_EQ(loop(0x200).exit_targets, std::vector<u32>{0x300});
}

TEST_F(RegionTest, LimitsHold) {
    for (u32 i = 0; i < 20; ++i) add(branch(i * 4, (i + 1) % 20 * 4, 0));
    EXPECT_EQ(loop(0, {.blocks = 5, .instructions = 100}).blocks.size(), 5u);
    EXPECT_EQ(loop(0, {.blocks = 100, .instructions = 7}).guest_instructions, 7u);
}

} // namespace
} // namespace tandem::jit
