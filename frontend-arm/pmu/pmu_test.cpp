#include "frontend-arm/pmu/pmu.h"

#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using testing::TestCpu;

struct PmuTest : ::testing::Test {
    TestCpu cpu;
    ArmState &s = *cpu.state;
};

TEST_F(PmuTest, CountsCyclesAndInstructions) {
    write_pmu(s, reg::PMEVTYPER0_EL0, 0x08);
    write_pmu(s, reg::PMCNTENSET_EL0, 0x80000001);
    write_pmu(s, reg::PMCR_EL0, 7);
    cpu.pmu.retired += 500;
    cpu.timer.now += 625; // 10 us
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR0_EL0), 500u);
    EXPECT_EQ(read_pmu(s, reg::PMCCNTR_EL0), 10000u);
    write_pmu(s, reg::PMCNTENCLR_EL0, 1);
    cpu.pmu.retired += 500;
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR0_EL0), 500u);
    EXPECT_EQ(read_pmu(s, reg::PMCR_EL0), 0x3041u);
}

TEST_F(PmuTest, OverflowInterrupts) {
    write_pmu(s, reg::PMEVTYPER1_EL0, 0x08);
    write_pmu(s, reg::PMCNTENSET_EL0, 2);
    write_pmu(s, reg::PMINTENSET_EL1, 2);
    write_pmu(s, reg::PMCR_EL0, 1);
    write_pmu(s, reg::PMEVCNTR1_EL0, 0xffffff00);
    EXPECT_EQ(cpu.pmu.deadline_instructions, 256u);
    cpu.pmu.retired += 300;
    pmu_poll(s);
    EXPECT_TRUE(cpu.pmu.line);
    EXPECT_EQ(read_pmu(s, reg::PMOVSSET_EL0), 2u);
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR1_EL0), 44u);
    write_pmu(s, reg::PMOVSCLR_EL0, 2);
    EXPECT_FALSE(cpu.pmu.line);
}

TEST_F(PmuTest, CycleCounterOverflowsAt64Bits) {
    write_pmu(s, reg::PMCNTENSET_EL0, u64{1} << 31);
    write_pmu(s, reg::PMINTENSET_EL1, u64{1} << 31);
    write_pmu(s, reg::PMCR_EL0, 1);
    write_pmu(s, reg::PMCCNTR_EL0, ~u64{0} - 99);
    EXPECT_LT(cpu.pmu.deadline_counter, cpu.timer.now + 10);
    cpu.timer.now += 100;
    pmu_poll(s);
    EXPECT_EQ(read_pmu(s, reg::PMOVSSET_EL0), u64{1} << 31);
    EXPECT_TRUE(cpu.pmu.line);
}

TEST_F(PmuTest, ChainsAndSoftwareIncrements) {
    write_pmu(s, reg::PMEVTYPER0_EL0, 0x00);
    write_pmu(s, reg::PMEVTYPER1_EL0, 0x1e);
    write_pmu(s, reg::PMCNTENSET_EL0, 3);
    write_pmu(s, reg::PMCR_EL0, 1);
    write_pmu(s, reg::PMEVCNTR0_EL0, 0xffffffff);
    write_pmu(s, reg::PMSWINC_EL0, 1);
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR0_EL0), 0u);
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR1_EL0), 1u);
}

TEST_F(PmuTest, FiltersByExceptionLevel) {
    write_pmu(s, reg::PMEVTYPER0_EL0, 0x08 | u64{1} << 31); // not at EL1
    write_pmu(s, reg::PMCNTENSET_EL0, 1);
    write_pmu(s, reg::PMCR_EL0, 1);
    EXPECT_TRUE(s.pmu_filtered);
    write_pmu(s, reg::PMINTENSET_EL1, 1);
    write_pmu(s, reg::PMEVCNTR0_EL0, 0xffff0000);
    EXPECT_EQ(cpu.pmu.deadline_instructions, 0x10000u); // although it stands still at EL1
    write_pmu(s, reg::PMEVCNTR0_EL0, 0);
    cpu.pmu.retired += 100;
    cpu.enter_el0();
    pmu_el_changed(s);
    cpu.pmu.retired += 10;
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR0_EL0), 10u);
}

TEST_F(PmuTest, SelectedCounter) {
    write_pmu(s, reg::PMSELR_EL0, 2);
    write_pmu(s, reg::PMXEVTYPER_EL0, 0x11);
    EXPECT_EQ(read_pmu(s, reg::PMEVTYPER2_EL0), 0x11u);
    write_pmu(s, reg::PMXEVCNTR_EL0, 77);
    EXPECT_EQ(read_pmu(s, reg::PMEVCNTR2_EL0), 77u);
    write_pmu(s, reg::PMSELR_EL0, 31);
    write_pmu(s, reg::PMXEVTYPER_EL0, u64{1} << 30);
    EXPECT_EQ(read_pmu(s, reg::PMCCFILTR_EL0), u64{1} << 30);
}

} // namespace
} // namespace tandem::arm
