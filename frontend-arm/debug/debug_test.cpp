#include "frontend-arm/debug/debug.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using testing::TestCpu;

struct DebugTest : ::testing::Test {
    DebugTest() {
        cpu.sysreg(reg::OSLSR_EL1) = 8;
        cpu.sysreg(reg::MDSCR_EL1) = 1u << 15; // MDE
    }
    void apply() { update_controls(s); }
    TestCpu cpu;
    ArmState &s = *cpu.state;
    u64 hit = 0;
};

TEST_F(DebugTest, BreakpointsMatchAddressAndPrivilege) {
    cpu.sysreg(reg::DBGBVR2_EL1) = 0x4000;
    cpu.sysreg(reg::DBGBCR2_EL1) = 0x1e0 | 2 << 1 | 1; // EL0
    apply();
    EXPECT_FALSE(breakpoint_matches(s, 0x4000)); // at EL1, KDE = 0
    cpu.enter_el0();
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kBreakpoints));
    EXPECT_TRUE(breakpoint_matches(s, 0x4000));
    EXPECT_FALSE(breakpoint_matches(s, 0x4004));
    s.pc = 0x4000;
    a64::check_breakpoints(s, 0, 0, 0, 0, 0);
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x30u << 26 | kIl32Bit | 0x22);
    EXPECT_EQ(cpu.sysreg(reg::ELR_EL1), 0x4000u);
}

TEST_F(DebugTest, KernelBreakpointsNeedKdeAndAnOpenMask) {
    cpu.sysreg(reg::DBGBVR0_EL1) = 0xffffff8000080000;
    cpu.sysreg(reg::DBGBCR0_EL1) = 0x1e0 | 1 << 1 | 1;
    cpu.sysreg(reg::MDSCR_EL1) |= 1u << 13;
    apply();
    EXPECT_FALSE(breakpoint_matches(s, 0xffffff8000080000));
    s.daif = 0;
    apply();
    EXPECT_TRUE(breakpoint_matches(s, 0xffffff8000080000));
    cpu.sysreg(reg::OSLSR_EL1) = 0xa;
    apply();
    EXPECT_FALSE(breakpoint_matches(s, 0xffffff8000080000));
}

TEST_F(DebugTest, LinkedContext) {
    cpu.sysreg(reg::DBGBVR0_EL1) = 0x4000;
    cpu.sysreg(reg::DBGBCR0_EL1) = 1 << 20 | 5 << 16 | 0x1e0 | 2 << 1 | 1;
    cpu.sysreg(reg::DBGBVR5_EL1) = 77;
    cpu.sysreg(reg::DBGBCR5_EL1) = 3 << 20 | 0x1e0 | 1;
    apply();
    cpu.enter_el0();
    EXPECT_FALSE(breakpoint_matches(s, 0x4000));
    cpu.sysreg(reg::CONTEXTIDR_EL1) = 77;
    EXPECT_TRUE(breakpoint_matches(s, 0x4000));
}

TEST_F(DebugTest, WatchpointsSelectBytes) {
    cpu.sysreg(reg::DBGWVR1_EL1) = 0x5000;
    cpu.sysreg(reg::DBGWCR1_EL1) = 0x0c << 5 | 2 << 3 | 2 << 1 | 1; // bytes 2, 3; stores; EL0
    apply();
    cpu.enter_el0();
    EXPECT_TRUE(page_is_watched(s, 0x5000));
    EXPECT_FALSE(page_is_watched(s, 0x6000));
    EXPECT_TRUE(watchpoint_matches(s, 0x5000, 8, ir::Regime::User, true, hit));
    EXPECT_EQ(hit, 0x5002u);
    EXPECT_FALSE(watchpoint_matches(s, 0x5000, 8, ir::Regime::User, false, hit));
    EXPECT_FALSE(watchpoint_matches(s, 0x5000, 2, ir::Regime::User, true, hit));
    EXPECT_FALSE(watchpoint_matches(s, 0x5004, 4, ir::Regime::User, true, hit));
    EXPECT_TRUE(watchpoint_matches(s, 0x4ffc, 8, ir::Regime::User, true, hit));
}

TEST_F(DebugTest, WatchpointRangesAndTheirException) {
    cpu.sysreg(reg::DBGWVR0_EL1) = 0x10000;
    cpu.sysreg(reg::DBGWCR0_EL1) = 16u << 24 | 0xff << 5 | 3 << 3 | 3 << 1 | 1;
    apply();
    cpu.enter_el0();
    EXPECT_TRUE(page_is_watched(s, 0x1f000));
    EXPECT_FALSE(page_is_watched(s, 0x20000));
    EXPECT_FALSE(cpu.mmu.check_watchpoint(s, 0x1fffc, 8, ir::Regime::User, true));
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x34u << 26 | kIl32Bit | 1u << 6 | 0x22);
    EXPECT_EQ(cpu.sysreg(reg::FAR_EL1), 0x1fffcu);
}

} // namespace
} // namespace tandem::arm
