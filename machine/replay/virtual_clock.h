#pragma once
/// Guest time as a function of what was executed: each instruction of any CPU takes a nanosecond,
/// and when none has anything to execute the sequencer moves time on. One thread.
#include "devices/core/clock.h"
#include "devices/core/state.h"
#include "machine/accel/accelerator.h"

#include <map>
#include <vector>

namespace tandem::machine::replay {

class VirtualClock final : public devices::Clock {
public:
    static constexpr u64 kNever = ~u64{0};

    /// `calendar_start`: seconds since 1970 at time 0.
    explicit VirtualClock(u64 calendar_start) : calendar_start_(calendar_start) {}

    u64 now_ns() const override {
        return running_ == nullptr ? now_ : now_ + (running_->executed() - executed_before_);
    }
    u64 calendar_seconds() const override { return calendar_start_ + now_ns() / 1'000'000'000; }
    std::unique_ptr<devices::Timer> create_timer(devices::TimerListener &) override;

    /// Between the two, time is the CPU's. It is told to leave when a timer is armed that expires
    /// within the turn.
    void begin_turn(CountedCpu &cpu, u64 instructions) {
        running_ = &cpu;
        executed_before_ = cpu.executed();
        turn_end_ = now_ + instructions;
    }
    /// Returns how many instructions the turn had.
    u64 end_turn() {
        const u64 executed = running_->executed() - executed_before_;
        now_ += executed;
        running_ = nullptr;
        return executed;
    }
    /// Of the running turn; outside of turns, now.
    [[nodiscard]] u64 turn_began_ns() const { return now_; }
    /// Outside of turns; never back.
    void advance_to(u64 ns) { now_ = ns; }

    /// When the next timer of a device expires.
    [[nodiscard]] u64 next_deadline() const {
        return queue_.empty() ? kNever : queue_.begin()->first.first;
    }
    /// Outside of turns: the time, and which timers are armed. Timers go by the order in which they
    /// were made, of those there are.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);
    /// Outside of turns: lets all expire that are due, in the order of their deadlines.
    void fire_due();

private:
    class DeadlineTimer;
    /// Timers of one deadline expire in the order in which they were armed.
    using Key = std::pair<u64, u64>;

    const u64 calendar_start_;
    u64 now_ = 0;
    CountedCpu *running_ = nullptr;
    u64 executed_before_ = 0;
    u64 turn_end_ = 0; ///< of the running one
    u64 times_armed_ = 0;
    std::map<Key, DeadlineTimer *> queue_;
    std::vector<DeadlineTimer *> timers_; ///< null: it is gone
};

} // namespace tandem::machine::replay
