#include "frontend-arm/timer/generic_timer.h"

#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using testing::TestCpu;

struct GenericTimerTest : ::testing::Test {
    u64 rises_at(TimerChannel c) const { return cpu.timer.rises_at[static_cast<unsigned>(c)]; }
    TestCpu cpu;
    ArmState &s = *cpu.state;
};

TEST_F(GenericTimerTest, OutputFollowsControlAndCompare) {
    write_timer(s, reg::CNTV_CVAL_EL0, 5000);
    EXPECT_EQ(rises_at(TimerChannel::Virtual), TimerPort::kNever);
    write_timer(s, reg::CNTV_CTL_EL0, 1);
    EXPECT_EQ(rises_at(TimerChannel::Virtual), 5000u);
    EXPECT_EQ(rises_at(TimerChannel::Physical), TimerPort::kNever);
    EXPECT_EQ(read_timer(s, reg::CNTV_CTL_EL0), 1u);
    cpu.timer.now = 5000;
    EXPECT_EQ(read_timer(s, reg::CNTV_CTL_EL0), 5u);
    write_timer(s, reg::CNTV_CTL_EL0, 3);
    EXPECT_EQ(rises_at(TimerChannel::Virtual), TimerPort::kNever);
    EXPECT_EQ(read_timer(s, reg::CNTV_CTL_EL0), 7u);
    write_timer(s, reg::CNTV_CTL_EL0, 0);
    EXPECT_EQ(read_timer(s, reg::CNTV_CTL_EL0), 0u);
}

TEST_F(GenericTimerTest, TvalIsSigned) {
    write_timer(s, reg::CNTP_TVAL_EL0, 100);
    EXPECT_EQ(s.sysreg[reg::CNTP_CVAL_EL0], 1100u);
    EXPECT_EQ(read_timer(s, reg::CNTP_TVAL_EL0), 100u);
    write_timer(s, reg::CNTP_TVAL_EL0, 0xfffffff6);
    EXPECT_EQ(s.sysreg[reg::CNTP_CVAL_EL0], 990u);
    EXPECT_EQ(read_timer(s, reg::CNTP_TVAL_EL0), 0xfffffff6u);
}

TEST_F(GenericTimerTest, EventStream) {
    EXPECT_EQ(next_event_stream_tick(s, 0), TimerPort::kNever);
    write_timer(s, reg::CNTKCTL_EL1, 1u << 2 | 4 << 4); // bit 4, rising
    EXPECT_EQ(next_event_stream_tick(s, 0), 16u);
    EXPECT_EQ(next_event_stream_tick(s, 16), 48u);
    EXPECT_EQ(next_event_stream_tick(s, 47), 48u);
    write_timer(s, reg::CNTKCTL_EL1, 1u << 2 | 1u << 3 | 4 << 4); // falling
    EXPECT_EQ(next_event_stream_tick(s, 0), 32u);
    EXPECT_EQ(next_event_stream_tick(s, 33), 64u);
}

} // namespace
} // namespace tandem::arm
