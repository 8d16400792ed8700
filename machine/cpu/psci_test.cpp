#include "machine/cpu/psci.h"

#include "frontend-arm/state/arm_state.h"

#include <gtest/gtest.h>

#include <memory>

namespace tandem::machine {
namespace {

class FakePower final : public PowerControl {
public:
    std::optional<u32> find_cpu(u64 mpidr) const override {
        if (mpidr == 0) return 0;
        if (mpidr == 1) return 1;
        return std::nullopt;
    }
    CpuPower power_of(u32 cpu) const override { return power[cpu]; }
    bool power_on(u32 cpu, u64 entry, u64 context) override {
        if (power[cpu] != CpuPower::Off) return false;
        power[cpu] = CpuPower::OnPending;
        started_at = entry;
        started_with = context;
        return true;
    }
    void power_off(u32 cpu) override { power[cpu] = CpuPower::Off; }
    void system_off() override { ++offs; }
    void system_reset() override { ++resets; }

    CpuPower power[2] = {CpuPower::On, CpuPower::Off};
    u64 started_at = 0, started_with = 0;
    int offs = 0, resets = 0;
};

class PsciTest : public testing::Test {
protected:
    i64 call(u64 function, u64 a = 0, u64 b = 0, u64 c = 0) {
        cpu->gpr[0] = function;
        cpu->gpr[1] = a;
        cpu->gpr[2] = b;
        cpu->gpr[3] = c;
        EXPECT_TRUE(psci.call(*cpu, arm::Conduit::Hvc));
        return static_cast<i64>(cpu->gpr[0]);
    }
    ir::PendingExit take_exit() { return std::exchange(cpu->pending_exit, ir::PendingExit::None); }

    FakePower power;
    Psci psci{power, 0x8000'0000};
    std::unique_ptr<arm::ArmState> cpu = std::make_unique<arm::ArmState>();
};

TEST_F(PsciTest, TellsItsVersionAndFeatures) {
    EXPECT_EQ(call(0x8400'0000), 0x1'0001);
    EXPECT_EQ(call(0x8000'0000), 0x1'0001);
    EXPECT_EQ(call(0x8400'000a, 0xc400'0003), 0);
    EXPECT_EQ(call(0x8400'000a, 0x8000'0000), 0);
    EXPECT_EQ(call(0x8400'000a, 0xc400'0005), -1) << "MIGRATE";
    EXPECT_EQ(call(0x8400'0006), 2);
    EXPECT_EQ(call(0x1234'5678), -1);
    EXPECT_EQ(take_exit(), ir::PendingExit::None);
}

TEST_F(PsciTest, SmcIsNotTheConduit) {
    EXPECT_FALSE(psci.call(*cpu, arm::Conduit::Smc));
}

TEST_F(PsciTest, StartsCpus) {
    EXPECT_EQ(call(0xc400'0004, 1, 0), 1) << "off";
    EXPECT_EQ(call(0xc400'0003, 2, 0x4000'0000, 0), -2) << "no such CPU";
    EXPECT_EQ(call(0xc400'0003, 1, 0x1'0000'0000, 0), -9) << "not memory";
    EXPECT_EQ(call(0xc400'0003, 1, 0x4000'1000, 77), 0);
    EXPECT_EQ(power.started_at, 0x4000'1000u);
    EXPECT_EQ(power.started_with, 77u);
    EXPECT_EQ(call(0xc400'0004, 1, 0), 2) << "on pending";
    EXPECT_EQ(call(0xc400'0003, 1, 0x4000'1000, 77), -5);
    EXPECT_EQ(call(0xc400'0003, 0, 0x4000'1000, 77), -4);
    EXPECT_EQ(call(0xc400'0004, 0, 0), 0) << "on";
    EXPECT_EQ(call(0xc400'0004, 9, 0), -2);
}

TEST_F(PsciTest, PowerCallsLeaveTheCpu) {
    call(0x8400'0002);
    EXPECT_EQ(take_exit(), ir::PendingExit::Stop);
    EXPECT_EQ(power.power[0], PowerControl::CpuPower::Off);
    call(0x8400'0008);
    EXPECT_EQ(take_exit(), ir::PendingExit::Stop);
    EXPECT_EQ(power.offs, 1);
    call(0x8400'0009);
    EXPECT_EQ(take_exit(), ir::PendingExit::Stop);
    call(0xc400'0012, 0);
    EXPECT_EQ(take_exit(), ir::PendingExit::Stop);
    EXPECT_EQ(power.resets, 2);
    EXPECT_EQ(call(0xc400'0012, 1), -2);
    EXPECT_EQ(call(0xc400'0001, 0), 0) << "CPU_SUSPEND";
    EXPECT_EQ(take_exit(), ir::PendingExit::Halt);
}

} // namespace
} // namespace tandem::machine
