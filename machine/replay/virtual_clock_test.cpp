#include "machine/replay/virtual_clock.h"

#include <gtest/gtest.h>

namespace tandem::machine::replay {
namespace {

/// Of a CPU that executes nothing: it has been told to leave, or not.
class IdleCpu final : public CountedCpu {
public:
    void start(const CpuStart &) override {}
    void leave() override { has_left = true; }
    void set_interrupt_lines(bool, bool) override {}
    void signal_event() override {}
    void save(devices::StateWriter &) const override {}
    Result<> restore(devices::StateReader &) override { return {}; }
    TurnEnd run_turn(u64) override { return TurnEnd::Used; }
    void save_progress(devices::StateWriter &) const override {}
    Result<> restore_progress(devices::StateReader &) override { return {}; }
    u64 executed() const override { return count; }
    bool can_run() override { return true; }
    bool is_waiting() const override { return false; }
    void rouse() override {}
    u64 nap_end() const override { return kNever; }
    u64 next_deadline() const override { return kNever; }
    u64 instructions_to_deadline() const override { return kNever; }
    void time_passed() override {}

    u64 count = 0;
    bool has_left = false;
};

class Listener final : public devices::TimerListener {
public:
    void timer_expired() override { has_expired = true; }
    bool has_expired = false;
};

TEST(VirtualClockTest, ATimerThatExpiresWithinTheTurnEndsIt) {
    VirtualClock clock(0);
    Listener listener;
    const auto timer = clock.create_timer(listener);
    clock.advance_to(1000);
    IdleCpu cpu;
    clock.begin_turn(cpu, 500);
    cpu.count = 100;
    EXPECT_EQ(clock.now_ns(), 1100u);
    timer->arm(1500);
    EXPECT_FALSE(cpu.has_left) << "the turn ends then anyway";
    timer->arm(1499);
    EXPECT_TRUE(cpu.has_left);
    EXPECT_EQ(clock.end_turn(), 100u);
    cpu.has_left = false;
    timer->arm(1100);
    EXPECT_FALSE(cpu.has_left) << "no turn is under way";
    clock.fire_due();
    EXPECT_TRUE(listener.has_expired);
}

} // namespace
} // namespace tandem::machine::replay
