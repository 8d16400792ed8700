// The shape of blocks, and that no guest code whatever makes an invalid one.
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/arm_state.h"
#include "ir/text/text.h"
#include "ir/verifier/verifier.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace tandem::arm::a64 {
namespace {

constexpr u32 kNop = 0xd503201f;
constexpr u32 kRet = 0xd65f03c0;

class Page {
public:
    explicit Page(std::initializer_list<u32> words, u32 offset = 0) {
        for (u32 i = 0; i < 1024; ++i) put(i * 4, kRet);
        for (const u32 word : words) {
            put(offset, word);
            offset += 4;
        }
    }
    void put(u32 offset, u32 word) { std::memcpy(&bytes_[offset], &word, sizeof word); }
    [[nodiscard]] std::span<const std::byte, 4096> bytes() const { return bytes_; }

private:
    std::array<std::byte, 4096> bytes_{};
};

class TranslatorTest : public testing::Test {
protected:
    A64Frontend frontend_{FeatureSet::all()};

    ir::Block translate(const Page &page, u32 offset = 0, u32 mode = Mode::kEl1,
                        u32 max_instructions = 64) {
        ir::Block block;
        frontend_.translate(page.bytes(), offset, mode, max_instructions, block);
        const Result<> verified = ir::verify(block, frontend_.helpers());
        EXPECT_TRUE(verified.has_value()) << (verified ? "" : verified.error().message) << '\n'
                                          << ir::print(block, &frontend_);
        return block;
    }
    [[nodiscard]] static unsigned count(const ir::Block &block, ir::Opcode op) {
        unsigned n = 0;
        for (const ir::Inst &inst : block.insts) n += inst.op == op ? 1 : 0;
        return n;
    }
    [[nodiscard]] bool calls(const ir::Block &block, std::string_view helper) const {
        for (const ir::Inst &inst : block.insts)
            if ((ir::info(inst.op).op_class == ir::OpClass::Call ||
                 inst.op == ir::Opcode::RaiseIf) &&
                frontend_.helpers()[inst.imm & 0xffff].name == helper)
                return true;
        return false;
    }
};

TEST_F(TranslatorTest, EndsAtIndirectBranch) {
    const ir::Block block = translate(Page({kNop, kNop, kRet, kNop}));
    EXPECT_EQ(block.guest_instructions, 3u);
    EXPECT_EQ(block.guest_bytes, 12u);
    EXPECT_EQ(block.insts.back().op, ir::Opcode::ExitIndirect);
    EXPECT_EQ(block.insts.back().imm, static_cast<u64>(ir::BranchHint::Return));
}

TEST_F(TranslatorTest, EndsAtPageEnd) {
    const ir::Block block = translate(Page({kNop, kNop}, 4088), 4088);
    EXPECT_EQ(block.guest_instructions, 2u);
    EXPECT_EQ(block.insts.back().op, ir::Opcode::Exit);
    EXPECT_EQ(block.insts.back().imm, 4096u);
}

TEST_F(TranslatorTest, EndsAtMaxInstructions) {
    const ir::Block block = translate(Page({kNop, kNop, kNop}), 0, Mode::kEl1, 2);
    EXPECT_EQ(block.guest_instructions, 2u);
    EXPECT_EQ(block.insts.back().imm, 8u);
}

TEST_F(TranslatorTest, FollowsForwardBranch) {
    const ir::Block block = translate(Page({0x14000002, kRet, kNop, kRet})); // b .+8
    EXPECT_EQ(block.guest_instructions, 3u);
    EXPECT_EQ(block.guest_bytes, 16u);
    EXPECT_EQ(block.insts.back().op, ir::Opcode::ExitIndirect);
}

TEST_F(TranslatorTest, ExitsAtBackwardBranch) {
    const ir::Block block = translate(Page({kNop, 0x17ffffff})); // b .-4
    EXPECT_EQ(block.guest_instructions, 2u);
    EXPECT_EQ(block.insts.back().op, ir::Opcode::Exit);
    EXPECT_EQ(block.insts.back().imm, 0u);
}

TEST_F(TranslatorTest, ExitsToThePageBefore) {
    const ir::Block block = translate(Page({0x17ffffff}));
    EXPECT_EQ(static_cast<i64>(block.insts.back().imm), -4);
}

TEST_F(TranslatorTest, GoesOnAfterForwardConditionalBranches) {
    // cbz x0, .+64 five times: the fourth ends the block.
    constexpr u32 kCbz = 0xb4000200;
    const ir::Block block = translate(Page({kCbz, kCbz, kCbz, kCbz, kCbz}));
    EXPECT_EQ(block.guest_instructions, 4u);
    EXPECT_EQ(count(block, ir::Opcode::ExitIf), 4u);
}

TEST_F(TranslatorTest, EndsAfterBackwardConditionalBranch) {
    const ir::Block block = translate(Page({kNop, 0xb5ffffe0, kNop})); // cbnz x0, .-4
    EXPECT_EQ(block.guest_instructions, 2u);
    EXPECT_EQ(block.insts.back().op, ir::Opcode::Exit);
    EXPECT_EQ(block.insts.back().imm, 8u);
}

TEST_F(TranslatorTest, UnallocatedIsUndefined) {
    const ir::Block block = translate(Page({kNop, 0x0000ffff}));
    EXPECT_EQ(block.guest_instructions, 2u);
    EXPECT_TRUE(calls(block, "raise_undefined"));
    EXPECT_EQ(block.insts.back().op, ir::Opcode::ExitDispatch);
}

TEST_F(TranslatorTest, FpTrapComesAfterUndefined) {
    constexpr u32 kFadd = 0x1e622820;     // fadd d0, d1, d2
    constexpr u32 kReserved = 0x7c800000; // a 128-bit store with size 1
    const ir::Block trapped = translate(Page({kFadd}), 0, Mode::kEl1 | Mode::kFpTrapped);
    EXPECT_TRUE(calls(trapped, "raise_fp_trap"));
    EXPECT_EQ(count(trapped, ir::Opcode::FAdd64), 0u);
    const ir::Block undefined = translate(Page({kReserved}), 0, Mode::kEl1 | Mode::kFpTrapped);
    EXPECT_TRUE(calls(undefined, "raise_undefined"));
}

TEST_F(TranslatorTest, MisalignedPcIsNotFetched) {
    const ir::Block block = translate(Page({kNop}), 4095);
    EXPECT_TRUE(calls(block, "raise_pc_alignment"));
}

TEST_F(TranslatorTest, ChecksStackAlignmentOnce) {
    // stp x29, x30, [sp, #-32]!; ldr x0, [sp]; add sp, sp, #8; ldr x0, [sp]
    const Page page({0xa9be7bfd, 0xf94003e0, 0x910023ff, 0xf94003e0, kRet});
    const ir::Block block = translate(page, 0, Mode::kEl1 | Mode::kSpAlignment);
    EXPECT_EQ(count(block, ir::Opcode::RaiseIf), 2u);
}

TEST_F(TranslatorTest, StepsOneInstruction) {
    const Page page({kNop, kNop});
    const ir::Block step = translate(page, 0, Mode::kSingleStep | Mode::kSsBit);
    EXPECT_EQ(step.guest_instructions, 1u);
    EXPECT_TRUE(calls(step, "advance_step"));
    EXPECT_EQ(step.insts.back().op, ir::Opcode::ExitDispatch);
    EXPECT_TRUE(calls(translate(page, 0, Mode::kSingleStep), "raise_software_step"));
}

TEST_F(TranslatorTest, ChecksBranchTargetsOnGuardedPages) {
    constexpr u32 kBtiC = 0xd503245f;
    constexpr u32 kBtiJc = 0xd50324df;
    const u32 mode = Mode::kBtypeTracked | Mode::kGuardedPage;
    EXPECT_TRUE(calls(translate(Page({kNop}), 0, mode), "branch_target_mismatch"));
    EXPECT_TRUE(calls(translate(Page({kBtiC}), 0, mode), "branch_target_mismatch"));
    EXPECT_FALSE(calls(translate(Page({kBtiJc}), 0, mode), "branch_target_mismatch"));
    EXPECT_FALSE(calls(translate(Page({kNop}), 0, Mode::kBtypeTracked), "branch_target_mismatch"));
}

TEST_F(TranslatorTest, PrivilegedInstructionsAreUndefinedAtEl0) {
    for (const u32 word : {0xd69f03e0u /* eret */, 0xd5181000u /* msr sctlr_el1, x0 */,
                           0xd508871fu /* tlbi vmalle1 */, 0xd4000002u /* hvc */}) {
        EXPECT_TRUE(calls(translate(Page({word}), 0, 0), "raise_undefined")) << std::hex << word;
        EXPECT_FALSE(calls(translate(Page({word})), "raise_undefined")) << std::hex << word;
    }
}

TEST_F(TranslatorTest, NamesState) {
    EXPECT_EQ(frontend_.state_name(0), "x0");
    EXPECT_EQ(frontend_.state_name(31 * 8), "sp");
    EXPECT_EQ(frontend_.state_name(static_cast<i64>(v_offset(31))), "v31");
}

/// Every row, then random words, in random modes: all blocks are valid and within the limits.
TEST_F(TranslatorTest, AnyWordsGiveValidBlocks) {
    std::mt19937 random(1);
    Page page({});
    for (u32 round = 0; round < 2000; ++round) {
        for (u32 offset = 0; offset < 4096; offset += 4) {
            const RowInfo &row = kRows[random() % kRowCount];
            const u32 word = static_cast<u32>(random());
            page.put(offset, round % 4 == 0 ? word : (word & ~row.mask) | row.value);
        }
        // Mostly the ordinary modes; single steps and traps end every block at once.
        const u32 mode = round % 2 == 0 ? random() & (Mode::kEl1 | Mode::kSpAlignment)
                                        : random() & ((1u << 22) - 1);
        for (u32 offset = 0; offset < 4096;) {
            const ir::Block block = translate(page, offset, mode);
            ASSERT_LE(block.guest_instructions, ir::kMaxBlockInstructions);
            ASSERT_EQ(block.page_offset, offset);
            ASSERT_EQ(block.mode, mode);
            ASSERT_LE(offset + block.guest_bytes, 4096u);
            offset += std::max(block.guest_bytes / 4 * 4, 4u);
            if (HasFailure()) return;
        }
    }
}

} // namespace
} // namespace tandem::arm::a64
