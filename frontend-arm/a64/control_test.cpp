// Translated code and its helpers together: software step, branch targets, traps, memory copies.
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/test_cpu.h"
#include "ir/interpreter/interpreter.h"

#include <gtest/gtest.h>

namespace tandem::arm::a64 {
namespace {

constexpr u64 kCode = 0x7000;
constexpr u64 kVbar = 0xffff800000010000;
constexpr u32 kNop = 0xd503201f;

struct ControlTest : ::testing::Test {
    ControlTest() {
        cpu.sysreg(reg::VBAR_EL1) = kVbar;
        cpu.sysreg(reg::CPACR_EL1) = 3 << 20;
        update_controls(s);
        cpu.enter_el0();
        s.pc = kCode;
        s.daif = 0;
    }

    /// Puts words at kCode.
    void code(std::initializer_list<u32> words) {
        std::size_t offset = 0;
        for (const u32 word : words) {
            std::memcpy(&page[offset], &word, sizeof word);
            offset += sizeof word;
        }
    }
    /// Runs one block at pc, on a page whose mapping adds these mode bits.
    void step(u32 page_bits = 0) {
        s.pending_exit = ir::PendingExit::None;
        s.pc_page = s.pc & ~u64{0xfff};
        ir::Block block;
        frontend.translate(page, static_cast<u32>(s.pc & 0xfff), s.mode | page_bits, 64, block);
        ir::Predecoded(block, frontend.helpers()).run(s);
    }
    [[nodiscard]] u64 exception_class() const { return cpu.sysreg(reg::ESR_EL1) >> 26; }
    [[nodiscard]] u64 elr() const { return cpu.sysreg(reg::ELR_EL1); }
    [[nodiscard]] u64 spsr() const { return cpu.sysreg(reg::SPSR_EL1); }

    void start_stepping() {
        cpu.sysreg(reg::OSLSR_EL1) = 8;
        cpu.sysreg(reg::MDSCR_EL1) = 1;
        s.software_step = 1;
        update_controls(s);
        ASSERT_TRUE(Mode{s.mode}.has(Mode::kSsBit));
    }

    testing::TestCpu cpu;
    ArmState &s = *cpu.state;
    std::array<std::byte, 4096> page{};
    A64Frontend frontend{cpu.model.features()};
};

TEST_F(ControlTest, StepsOneInstructionThenTraps) {
    code({kNop, kNop});
    start_stepping();
    step();
    EXPECT_EQ(s.pc, kCode + 4);
    EXPECT_EQ(s.el, 0u);
    step();
    EXPECT_EQ(exception_class(), 0x32u);
    EXPECT_EQ(elr(), kCode + 4);
    EXPECT_FALSE(bit(spsr(), 21));
}

TEST_F(ControlTest, StepsBranches) {
    code({0xb4000080, kNop, 0xd65f03c0}); // cbz x0, .+16; nop; ret
    start_stepping();
    step();
    EXPECT_EQ(s.pc, kCode + 16);
    s.pc = kCode + 8;
    s.gpr[30] = 0x9000;
    s.software_step = 1;
    update_mode(s);
    step();
    EXPECT_EQ(s.pc, 0x9000u);
    step();
    EXPECT_EQ(exception_class(), 0x32u);
    EXPECT_EQ(elr(), 0x9000u);
}

TEST_F(ControlTest, StepsSystemCalls) {
    code({0xd4000001});
    start_stepping();
    step();
    EXPECT_EQ(exception_class(), 0x15u);
    EXPECT_EQ(elr(), kCode + 4);
    EXPECT_FALSE(bit(spsr(), 21)); // the step exception comes right after the return
}

TEST_F(ControlTest, StepKeepsPstateWhenTheInstructionFaults) {
    code({0x00000000});
    start_stepping();
    step();
    EXPECT_EQ(exception_class(), 0u);
    EXPECT_TRUE(bit(spsr(), 21)); // the instruction is stepped when it runs again
}

TEST_F(ControlTest, RefusesBranchesToOtherThanLandingPads) {
    code({kNop});
    s.guarded_page_seen = true;
    update_controls(s);
    s.btype = 2;
    step(Mode::kGuardedPage);
    EXPECT_EQ(exception_class(), 0x0du);
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1) & 3, 2u);
    EXPECT_EQ(bits(spsr(), 11, 10), 2u);
}

TEST_F(ControlTest, LandingPadsTakeBranches) {
    code({0xd503245f, 0xd65f03c0}); // bti c; ret
    s.guarded_page_seen = true;
    update_controls(s);
    for (const u32 btype : {0u, 1u, 2u}) {
        s.pc = kCode;
        s.btype = btype;
        step(Mode::kGuardedPage);
        EXPECT_EQ(s.el, 0u);
        EXPECT_EQ(s.btype, 0u);
    }
    s.pc = kCode;
    s.btype = 3;
    step(Mode::kGuardedPage);
    EXPECT_EQ(exception_class(), 0x0du);
}

TEST_F(ControlTest, PaciaspTakesJumpsUnlessSctlrRefuses) {
    code({0xd503233f, 0xd65f03c0}); // paciasp; ret
    s.guarded_page_seen = true;
    update_controls(s);
    s.btype = 3;
    step(Mode::kGuardedPage);
    EXPECT_EQ(s.el, 0u);
    EXPECT_EQ(s.pc, kCode); // to run again, as if reached directly
    EXPECT_EQ(s.btype, 0u);
    cpu.sysreg(reg::SCTLR_EL1) |= u64{1} << 35;
    s.btype = 3;
    step(Mode::kGuardedPage);
    EXPECT_EQ(exception_class(), 0x0du);
}

TEST_F(ControlTest, IndirectBranchesSetBtype) {
    s.guarded_page_seen = true;
    update_controls(s);
    const auto btype_after = [&](u32 word, u32 page_bits) {
        code({word});
        s.pc = kCode;
        s.btype = 0;
        step(page_bits);
        return s.btype;
    };
    EXPECT_EQ(btype_after(0xd61f0020, 0), 1u); // br x1
    EXPECT_EQ(btype_after(0xd61f0020, Mode::kGuardedPage), 3u);
    EXPECT_EQ(btype_after(0xd61f0200, Mode::kGuardedPage), 1u); // br x16
    EXPECT_EQ(btype_after(0xd63f0020, Mode::kGuardedPage), 2u); // blr x1
    EXPECT_EQ(btype_after(0xd65f03c0, Mode::kGuardedPage), 0u); // ret
}

TEST_F(ControlTest, MisalignedStackPointerTraps) {
    code({0xf94003e0}); // ldr x0, [sp]
    cpu.sysreg(reg::SCTLR_EL1) |= 1 << 4;
    update_controls(s);
    s.gpr[31] = testing::TestBus::kBase + 8;
    step();
    EXPECT_EQ(exception_class(), 0x26u);
    EXPECT_EQ(elr(), kCode);
}

TEST_F(ControlTest, MisalignedPcTraps) {
    s.pc = kCode + 2;
    step();
    EXPECT_EQ(exception_class(), 0x22u);
    EXPECT_EQ(cpu.sysreg(reg::FAR_EL1), kCode + 2);
}

TEST_F(ControlTest, FpTrap) {
    code({0x1e622820}); // fadd d0, d1, d2
    cpu.sysreg(reg::CPACR_EL1) = 0;
    update_controls(s);
    step();
    EXPECT_EQ(exception_class(), 0x07u);
}

TEST_F(ControlTest, UnmaskingLetsInterruptsIn) {
    code({0xd50342ff, kNop, 0xd65f03c0}); // msr daifclr, #2; nop; ret
    switch_stack(s, 1, 1);
    update_mode(s);
    s.daif = 0xf;
    s.gpr[30] = 0x9000;
    step();
    EXPECT_EQ(s.daif, 0xdu);
    EXPECT_EQ(s.pc, 0x9000u);
    s.pc = kCode;
    s.interrupt_lines = 1;
    step();
    EXPECT_EQ(s.pc, kCode + 4);
}

struct MopsTest : ControlTest {
    static constexpr u64 kFrom = testing::TestBus::kBase + 0x3ff0;
    static constexpr u64 kSize = 100'000; // more than one call moves

    MopsTest() {
        cpu.sysreg(reg::SCTLR_EL1) |= u64{1} << 33;
        for (u64 i = 0; i < 2 * kSize; i += 8) cpu.bus.set(kFrom + i, i * 0x0101010101010101);
    }
    /// Runs the three instructions at kCode to their end.
    void run_all() {
        for (int blocks = 0; s.pc < kCode + 12 && s.el == 0 && blocks < 1000; ++blocks) step();
    }
    std::vector<u8> snapshot(u64 address) {
        std::vector<u8> bytes(kSize);
        for (u64 i = 0; i < kSize; ++i) bytes[i] = static_cast<u8>(read(address + i));
        return bytes;
    }
    u64 read(u64 address) { return cpu.bus.get(address); }
};

TEST_F(MopsTest, CopiesOverlappingBlocksBothWays) {
    for (const i64 distance : {-40, 40}) {
        const u64 to = kFrom + 4096 + static_cast<u64>(distance);
        const u64 from = kFrom + 4096;
        const std::vector<u8> expected = snapshot(from);
        code({0x1d010440, 0x1d410440, 0x1d810440, 0xd4000001}); // cpyp/m/e [x0]!, [x1]!, x2!
        s.pc = kCode;
        s.gpr[0] = to;
        s.gpr[1] = from;
        s.gpr[2] = kSize;
        run_all();
        EXPECT_EQ(s.gpr[2], 0u);
        EXPECT_EQ(snapshot(to), expected) << distance;
        s.el = 0;
        update_mode(s);
    }
}

// The byte's sign bit set: the vector of copies that is stored at once has no sign to overflow.
TEST_F(MopsTest, FillsWithAnyByte) {
    code({0x19c20420, 0x19c24420, 0x19c28420, 0xd4000001}); // setp/m/e [x0]!, x1!, x2
    s.gpr[0] = kFrom;
    s.gpr[1] = 40;
    s.gpr[2] = 0xc5;
    run_all();
    EXPECT_EQ(s.gpr[1], 0u);
    for (u64 i = 0; i < 40; i += 8) EXPECT_EQ(read(kFrom + i), 0xc5c5c5c5c5c5c5c5);
    EXPECT_EQ(read(kFrom + 40), 40 * u64{0x0101010101010101});
}

TEST_F(MopsTest, WrongOptionTraps) {
    code({0x1d410440});
    s.flags = ir::kFlagC;
    step();
    EXPECT_EQ(exception_class(), 0x27u);
}

TEST_F(MopsTest, UndefinedWithoutMscen) {
    code({0x1d010440});
    cpu.sysreg(reg::SCTLR_EL1) &= ~(u64{1} << 33);
    step();
    EXPECT_EQ(exception_class(), 0u);
    EXPECT_EQ(elr(), kCode);
}

} // namespace
} // namespace tandem::arm::a64
