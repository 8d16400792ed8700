#include "frontend-arm/debug/register_access.h"

#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem::arm {
namespace {

using testing::TestCpu;

struct RegisterAccessTest : ::testing::Test {
    u64 read(RegisterClass of, unsigned index = 0) {
        return read_register(s, {of, static_cast<u16>(index)}).d[0];
    }
    bool write(RegisterClass of, unsigned index, u64 value) {
        return write_register(s, {of, static_cast<u16>(index)}, {{value, 0}}).has_value();
    }
    TestCpu cpu;
    ArmState &s = *cpu.state;
};

TEST_F(RegisterAccessTest, PstateExchangesStackPointers) {
    s.gpr[31] = 0x1111; // SP_EL1
    EXPECT_TRUE(write(RegisterClass::System, reg::SP_EL0, 0x2222));
    const u64 el1h = read(RegisterClass::Pstate);
    EXPECT_TRUE(write(RegisterClass::Pstate, 0, 6u << 28));
    EXPECT_EQ(s.el, 0u);
    EXPECT_EQ(s.mode & Mode::kEl1, 0u);
    EXPECT_EQ(read(RegisterClass::General, 31), 0x2222u);
    EXPECT_EQ(read(RegisterClass::Pstate) >> 28, 6u);
    EXPECT_TRUE(write(RegisterClass::System, reg::SP_EL0, 0x3333));
    EXPECT_EQ(read(RegisterClass::General, 31), 0x3333u);
    EXPECT_TRUE(write(RegisterClass::Pstate, 0, el1h));
    EXPECT_EQ(read(RegisterClass::General, 31), 0x1111u);
    EXPECT_EQ(read(RegisterClass::System, reg::SP_EL0), 0x3333u);
    for (const u64 wrong : {u64{0x10}, u64{8}, u64{1}})
        EXPECT_FALSE(write(RegisterClass::Pstate, 0, wrong));
    EXPECT_EQ(read(RegisterClass::Pstate), el1h);
}

TEST_F(RegisterAccessTest, SystemRegistersHaveTheirEffects) {
    s.pc = 0x4000'0000;
    const int changes = cpu.tlb.changes;
    EXPECT_TRUE(write(RegisterClass::System, reg::SCTLR_EL1, 1));
    EXPECT_EQ(cpu.tlb.changes, changes + 1);
    EXPECT_EQ(read(RegisterClass::System, reg::SCTLR_EL1) & 1, 1u);
    EXPECT_EQ(s.pc, 0x4000'0000u);
    EXPECT_EQ(s.pending_exit, ir::PendingExit::None);
    EXPECT_FALSE(write(RegisterClass::System, reg::MIDR_EL1, 1));
    EXPECT_FALSE(write(RegisterClass::PacMask, 0, 1));
}

TEST_F(RegisterAccessTest, NothingIsSetOffByReading) {
    const auto ids = debug_system_registers(*s.model);
    EXPECT_GT(ids.size(), 100u);
    for (const SysRegId id : {reg::ICC_IAR1_EL1, reg::RNDR, reg::OSLAR_EL1})
        EXPECT_EQ(std::ranges::find(ids, id), ids.end());
    for (const SysRegId id : {reg::SCTLR_EL1, reg::TTBR1_EL1, reg::CNTVCT_EL0})
        EXPECT_NE(std::ranges::find(ids, id), ids.end());
    EXPECT_EQ(system_register_name(reg::ESR_EL1), "ESR_EL1");
}

} // namespace
} // namespace tandem::arm
