// MRS and MSR through their helpers.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/state/test_cpu.h"
#include "frontend-arm/sysreg/sysreg.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using testing::TestCpu;

struct AccessTest : ::testing::Test {
    u64 read(SysRegId id, unsigned rt = 0) {
        s.pending_exit = ir::PendingExit::None;
        return a64::read_sysreg(s, 0, 0, 0, 0, sysreg_info(id).encoding | u64{rt} << 16);
    }
    void write(SysRegId id, u64 value) {
        s.pending_exit = ir::PendingExit::None;
        a64::write_sysreg(s, value, 0, 0, 0, sysreg_info(id).encoding);
    }
    /// EC of the exception the last access raised; 0x3f if none.
    u64 exception_class() const {
        if (s.pending_exit == ir::PendingExit::None) return 0x3f;
        return cpu.sysreg(reg::ESR_EL1) >> 26;
    }
    TestCpu cpu;
    ArmState &s = *cpu.state;
};

TEST_F(AccessTest, DebugChannelRegistersKeepTheirReservedBitsZero) {
    for (const SysRegId id : {reg::OSDTRRX_EL1, reg::OSDTRTX_EL1, reg::MDCCINT_EL1})
        write(id, ~u64{0});
    EXPECT_EQ(read(reg::OSDTRRX_EL1), 0xffffffffu);
    EXPECT_EQ(read(reg::OSDTRTX_EL1), 0xffffffffu);
    EXPECT_EQ(read(reg::MDCCINT_EL1), 0x60000000u);
}

TEST_F(AccessTest, PstateRegisters) {
    s.flags = ir::kFlagN | ir::kFlagV;
    EXPECT_EQ(read(reg::NZCV), 0x90000000u);
    EXPECT_EQ(read(reg::DAIF), 0x3c0u);
    EXPECT_EQ(read(reg::CurrentEL), 4u);
    write(reg::DAIF, 0x80);
    EXPECT_EQ(s.daif, kDaifI);
    s.gpr[31] = 0x100;
    s.banked_sp[0] = 0x200;
    EXPECT_EQ(read(reg::SP_EL0), 0x200u);
    write(reg::SPSel, 0);
    EXPECT_EQ(s.gpr[31], 0x200u);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Resume);
    EXPECT_EQ(s.pc, 0x1004u);
    (void)read(reg::SP_EL0);
    EXPECT_EQ(exception_class(), 0u);
}

TEST_F(AccessTest, UnmaskingWithAPendingInterruptLeavesTheBlock) {
    s.interrupt_lines = kLineIrq;
    a64::write_pstate(s, 0, 0, 0, 0, 0b011'111 << 8 | 2); // MSR DAIFClr, #2
    EXPECT_EQ(s.daif, 0xdu);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::Resume);
}

TEST_F(AccessTest, EveryEl0ControlIsHonoured) {
    struct Case {
        SysRegId id;
        SysRegId control;
        u64 value; ///< of the control, so that EL0 may read
    };
    const Case cases[] = {
        {reg::CTR_EL0, reg::SCTLR_EL1, 1u << 15},
        {reg::DAIF, reg::SCTLR_EL1, 1u << 9},
        {reg::CNTVCT_EL0, reg::CNTKCTL_EL1, 2},
        {reg::CNTPCT_EL0, reg::CNTKCTL_EL1, 1},
        {reg::CNTFRQ_EL0, reg::CNTKCTL_EL1, 2},
        {reg::CNTV_CTL_EL0, reg::CNTKCTL_EL1, 1u << 8},
        {reg::CNTP_CVAL_EL0, reg::CNTKCTL_EL1, 1u << 9},
        {reg::PMCCNTR_EL0, reg::PMUSERENR_EL0, 4},
        {reg::PMCR_EL0, reg::PMUSERENR_EL0, 1},
        {reg::PMEVCNTR3_EL0, reg::PMUSERENR_EL0, 8},
    };
    for (const Case &c : cases) {
        cpu.sysreg(c.control) = 0;
        cpu.enter_el0();
        (void)read(c.id, 7);
        EXPECT_EQ(exception_class(), 0x18u) << sysreg_info(c.id).name;
        const u64 iss = cpu.sysreg(reg::ESR_EL1) & 0x1ffffff;
        EXPECT_EQ(iss & 1, 1u);
        EXPECT_EQ(bits(iss, 9, 5), 7u);
        cpu.sysreg(c.control) = c.value;
        cpu.enter_el0();
        (void)read(c.id);
        EXPECT_EQ(exception_class(), 0x3fu) << sysreg_info(c.id).name;
        cpu.sysreg(c.control) = 0;
    }
}

TEST_F(AccessTest, TrapSyndromeNamesTheRegister) {
    cpu.enter_el0();
    (void)read(reg::ID_AA64PFR0_EL1, 3);
    // op0 3, op2 0, op1 0, CRn 0, Rt 3, CRm 4, read.
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x18u << 26 | kIl32Bit | 3 << 20 | 3 << 5 | 4 << 1 | 1);
    cpu.enter_el0();
    (void)read(reg::SCTLR_EL1);
    EXPECT_EQ(exception_class(), 0u);
    cpu.enter_el0();
    write(reg::TPIDRRO_EL0, 1);
    EXPECT_EQ(exception_class(), 0u);
}

TEST_F(AccessTest, ModelsWithoutAFeatureLackItsRegisters) {
    TestCpu old("cortex-a53");
    const auto raises = [&](SysRegId id) {
        old.state->pending_exit = ir::PendingExit::None;
        a64::read_sysreg(*old.state, 0, 0, 0, 0, sysreg_info(id).encoding);
        return old.state->pending_exit != ir::PendingExit::None;
    };
    EXPECT_TRUE(raises(reg::PAN));
    EXPECT_TRUE(raises(reg::APIAKeyLo_EL1));
    EXPECT_TRUE(raises(reg::RNDR));
    EXPECT_FALSE(raises(reg::ICC_PMR_EL1));
    EXPECT_FALSE(raises(reg::PMCR_EL0));
}

TEST_F(AccessTest, TranslationControls) {
    write(reg::SCTLR_EL1, ~u64{0});
    EXPECT_EQ(cpu.tlb.changes, 1);
    EXPECT_EQ(cpu.sysreg(reg::SCTLR_EL1) & (3u << 24), 0u); // EE, E0E: little-endian only
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kAlignmentCheck));
    write(reg::SCTLR_EL1, 1);
    EXPECT_EQ(cpu.tlb.changes, 2); // WXN
    EXPECT_EQ(cpu.sysreg(reg::SCTLR_EL1), 0x30400801u | 0);
    write(reg::TCR_EL1, 1u << 22 | u64{1} << 36);
    EXPECT_EQ(cpu.tlb.changes, 3);
    write(reg::TTBR0_EL1, u64{5} << 48);
    EXPECT_EQ(cpu.tlb.asid, 0);
    write(reg::TTBR1_EL1, u64{0x1234} << 48);
    EXPECT_EQ(cpu.tlb.asid, 0x1234);
}

TEST_F(AccessTest, FpAccessIsTrapped) {
    (void)read(reg::FPCR);
    EXPECT_EQ(exception_class(), 0x07u);
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x07u << 26 | kIl32Bit | 0x1e00000);
    write(reg::CPACR_EL1, 3u << 20);
    write(reg::FPCR, ~u64{0});
    EXPECT_EQ(read(reg::FPCR), 0x07c80000u);
    EXPECT_EQ(Mode{s.mode}.fp().value, 0x3f);
}

TEST_F(AccessTest, RandomNumbersSetFlags) {
    s.flags = ir::kFlagN;
    EXPECT_EQ(read(reg::RNDR), 0x1234u);
    EXPECT_EQ(s.flags, 0u);
    cpu.entropy.available = false;
    EXPECT_EQ(read(reg::RNDRRS), 0u);
    EXPECT_EQ(s.flags, ir::kFlagZ);
}

TEST_F(AccessTest, GicRegistersReachTheBoard) {
    write(reg::ICC_PMR_EL1, 0xf0);
    EXPECT_EQ(cpu.gic.values[reg::ICC_PMR_EL1], 0xf0u);
    write(reg::ICC_IAR1_EL1, 0);
    EXPECT_EQ(exception_class(), 0u);
}

TEST_F(AccessTest, CacheOperationsFromEl0) {
    cpu.enter_el0();
    const u64 zva = sysreg_encoding(1, 3, 7, 4, 1);
    a64::system_instruction(s, testing::TestBus::kBase + 0x47, 0, 0, 0, zva);
    EXPECT_EQ(exception_class(), 0x18u);
    cpu.sysreg(reg::SCTLR_EL1) |= 1u << 14;
    cpu.enter_el0();
    s.pending_exit = ir::PendingExit::None;
    cpu.bus.set(testing::TestBus::kBase + 0x40, 1);
    cpu.bus.set(testing::TestBus::kBase + 0x78, 1);
    cpu.bus.set(testing::TestBus::kBase + 0x80, 1);
    a64::system_instruction(s, testing::TestBus::kBase + 0x47, 0, 0, 0, zva);
    EXPECT_EQ(exception_class(), 0x3fu);
    EXPECT_EQ(cpu.bus.get(testing::TestBus::kBase + 0x40), 0u);
    EXPECT_EQ(cpu.bus.get(testing::TestBus::kBase + 0x78), 0u);
    EXPECT_EQ(cpu.bus.get(testing::TestBus::kBase + 0x80), 1u);
}

} // namespace
} // namespace tandem::arm
