#include "frontend-arm/exceptions/exceptions.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using testing::TestCpu;

constexpr u64 kVbar = 0xffff800000010000;

struct ExceptionsTest : ::testing::Test {
    ExceptionsTest() { cpu.sysreg(reg::VBAR_EL1) = kVbar; }
    void call(decltype(a64::raise_svc) &helper, u64 imm = 0, u64 a = 0) {
        s.pending_exit = ir::PendingExit::None;
        helper(s, a, 0, 0, 0, imm);
    }
    u64 esr() const { return cpu.sysreg(reg::ESR_EL1); }
    u64 elr() const { return cpu.sysreg(reg::ELR_EL1); }
    u64 spsr() const { return cpu.sysreg(reg::SPSR_EL1); }
    TestCpu cpu;
    ArmState &s = *cpu.state;
};

TEST_F(ExceptionsTest, SvcFromEl0) {
    cpu.enter_el0();
    s.gpr[31] = 0x7000;
    s.banked_sp[1] = 0xffff0000;
    s.daif = 0;
    s.flags = ir::kFlagZ | ir::kFlagC;
    s.ssbs = 1;
    update_mode(s);
    call(a64::raise_svc, 42);
    EXPECT_EQ(esr(), 0x15u << 26 | 1u << 25 | 42);
    EXPECT_EQ(elr(), 0x1004u);
    EXPECT_EQ(spsr(), 0x60001000u);
    EXPECT_EQ(s.pc, kVbar + 0x400);
    EXPECT_EQ(s.gpr[31], 0xffff0000u);
    EXPECT_EQ(s.banked_sp[0], 0x7000u);
    EXPECT_EQ(s.el, 1u);
    EXPECT_EQ(s.sp_select, 1u);
    EXPECT_EQ(s.daif, 15u);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Resume);
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kEl1));
    EXPECT_EQ(s.exec_tag & 0xffffffff, s.mode);
}

TEST_F(ExceptionsTest, VectorsByOrigin) {
    call(a64::raise_brk, 1);
    EXPECT_EQ(s.pc, kVbar + 0x200);
    EXPECT_EQ(elr(), 0x1000u);
    EXPECT_EQ(esr(), 0x3cu << 26 | 1u << 25 | 1);
    switch_stack(s, 1, 0);
    call(a64::raise_undefined);
    EXPECT_EQ(s.pc, kVbar);
    EXPECT_EQ(esr(), 1u << 25);
    EXPECT_EQ(spsr() & 15, 4u);
}

TEST_F(ExceptionsTest, PanIsSetUnlessSpan) {
    cpu.enter_el0();
    cpu.sysreg(reg::SCTLR_EL1) &= ~(u64{1} << 23);
    call(a64::raise_svc);
    EXPECT_EQ(s.pan, 1u);
    EXPECT_EQ(spsr() >> 22 & 1, 0u);
    EXPECT_EQ(Mode{s.mode}.regime(), ir::Regime::KernelNoUser);
    s.pan = 0;
    cpu.sysreg(reg::SCTLR_EL1) |= u64{1} << 23;
    cpu.enter_el0();
    call(a64::raise_svc);
    EXPECT_EQ(s.pan, 0u);
}

TEST_F(ExceptionsTest, ReturnRestoresEverything) {
    cpu.sysreg(reg::ELR_EL1) = 0x4000;
    cpu.sysreg(reg::SPSR_EL1) = 0xa1c01000; // NC, DIT, UAO, PAN, SSBS, EL0t
    s.gpr[31] = 0xffff0000;
    s.banked_sp[0] = 0x7000;
    call(a64::return_from_exception);
    EXPECT_EQ(s.pc, 0x4000u);
    EXPECT_EQ(s.el, 0u);
    EXPECT_EQ(s.gpr[31], 0x7000u);
    EXPECT_EQ(s.banked_sp[1], 0xffff0000u);
    EXPECT_EQ(s.flags, ir::kFlagN | ir::kFlagC);
    EXPECT_EQ(s.daif, 0u);
    EXPECT_EQ(s.pan + s.uao + s.dit + s.ssbs, 4u);
    EXPECT_EQ(cpu.memory.clears, 1);
    EXPECT_EQ(s.event_register.load(), 1u);
    // And back: the saved state is the same.
    s.pc -= 4;
    call(a64::raise_svc);
    EXPECT_EQ(spsr(), 0xa1c01000u);
    EXPECT_EQ(elr(), 0x4000u);
}

TEST_F(ExceptionsTest, IllegalReturnSetsIlAndKeepsTheEl) {
    for (const u64 mode : {0b01001u /* EL2 */, 0b00001u, 0b10000u /* AArch32 */, 0b00110u}) {
        s.illegal = 0;
        cpu.sysreg(reg::ELR_EL1) = 0x4000;
        cpu.sysreg(reg::SPSR_EL1) = 0x80000000 | mode;
        call(a64::return_from_exception);
        EXPECT_EQ(s.illegal, 1u) << mode;
        EXPECT_EQ(s.el, 1u);
        EXPECT_EQ(s.sp_select, 1u);
        EXPECT_EQ(s.pc, 0x4000u);
        EXPECT_EQ(s.flags, ir::kFlagN);
        EXPECT_TRUE(Mode{s.mode}.has(Mode::kIllegalState));
    }
    call(a64::raise_illegal_state);
    EXPECT_EQ(esr(), 0x0eu << 26 | 1u << 25);
    EXPECT_EQ(spsr() >> 20 & 1, 1u);
    EXPECT_EQ(s.illegal, 0u);
}

TEST_F(ExceptionsTest, InterruptsHonourTheirMasks) {
    s.pc = 0x2000;
    s.interrupt_lines = kLineIrq;
    EXPECT_FALSE(take_interrupt(s));
    s.daif = kDaifF | kDaifA | kDaifD;
    EXPECT_TRUE(interrupt_deliverable(s));
    EXPECT_TRUE(take_interrupt(s));
    EXPECT_EQ(s.pc, kVbar + 0x280);
    EXPECT_EQ(elr(), 0x2000u);
    EXPECT_EQ(spsr(), 0x345u);
    cpu.enter_el0();
    s.daif = kDaifI;
    s.interrupt_lines = kLineIrq | kLineFiq;
    EXPECT_TRUE(take_interrupt(s));
    EXPECT_EQ(s.pc, kVbar + 0x500);
}

TEST_F(ExceptionsTest, WaitForInterruptSleepsUntilALineRises) {
    call(a64::wait_for_interrupt);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Halt);
    EXPECT_EQ(s.pc, 0x1004u);
    EXPECT_FALSE(should_wake(s));
    s.interrupt_lines = kLineIrq; // masked, but WFI wakes
    EXPECT_TRUE(should_wake(s));
    finish_wait(s);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::None);
    call(a64::wait_for_interrupt);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Resume);
}

TEST_F(ExceptionsTest, WaitForEventConsumesTheEventRegister) {
    call(a64::send_event, 1);
    call(a64::wait_for_event);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Resume);
    call(a64::wait_for_event);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Halt);
    EXPECT_FALSE(should_wake(s));
    s.event_register = 1;
    EXPECT_TRUE(should_wake(s));
    finish_wait(s);
    EXPECT_EQ(s.event_register.load(), 0u);
    call(a64::send_event, 0);
    EXPECT_EQ(cpu.events.events, 1);
}

TEST_F(ExceptionsTest, WaitsTrapFromEl0) {
    cpu.enter_el0();
    call(a64::wait_for_event);
    EXPECT_EQ(esr(), 0x01u << 26 | 1u << 25 | 0x1e00001);
    EXPECT_EQ(elr(), 0x1000u);
}

TEST_F(ExceptionsTest, FirmwareCalls) {
    s.gpr[0] = 0x84000000;
    call(a64::raise_hvc);
    EXPECT_EQ(cpu.firmware.calls.size(), 1u);
    EXPECT_EQ(s.pc, 0x1004u);
    call(a64::raise_smc);
    EXPECT_EQ(elr(), 0x1004u);
    EXPECT_EQ(esr(), 1u << 25);
    cpu.enter_el0();
    call(a64::raise_hvc);
    EXPECT_EQ(cpu.firmware.calls.size(), 2u);
}

TEST_F(ExceptionsTest, SoftwareStep) {
    // MDSCR_EL1.SS, OS lock open; ERET to EL0 with SPSR.SS = 1 starts a step.
    cpu.sysreg(reg::OSLSR_EL1) = 8;
    cpu.sysreg(reg::MDSCR_EL1) = 1;
    update_controls(s);
    EXPECT_FALSE(Mode{s.mode}.has(Mode::kSingleStep));
    cpu.sysreg(reg::ELR_EL1) = 0x4000;
    cpu.sysreg(reg::SPSR_EL1) = kSpsrSs;
    call(a64::return_from_exception);
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kSingleStep));
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kSsBit));
    // A fault of the stepped instruction keeps SS, an SVC uses it up.
    call(a64::raise_undefined);
    EXPECT_EQ(spsr() & kSpsrSs, kSpsrSs);
    call(a64::return_from_exception);
    call(a64::raise_svc);
    EXPECT_EQ(spsr() & kSpsrSs, 0u);
    call(a64::return_from_exception);
    EXPECT_FALSE(Mode{s.mode}.has(Mode::kSsBit));
    call(a64::raise_software_step);
    EXPECT_EQ(esr(), 0x32u << 26 | 1u << 25 | 1u << 24 | 0x22);
    EXPECT_FALSE(Mode{s.mode}.has(Mode::kSingleStep));
}

} // namespace
} // namespace tandem::arm
