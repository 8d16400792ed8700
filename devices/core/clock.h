#pragma once
/// Time as devices know it: the guest's. Real time, or a function of retired instructions; a device
/// cannot tell. machine implements it. Any thread.
#include "support/bits.h"

#include <memory>

namespace tandem::devices {

class TimerListener {
public:
    virtual ~TimerListener() = default;
    /// The deadline has come. Called with no lock of the clock held, so it may race with arm() and
    /// cancel(): the listener takes its mutex and looks at its own state again.
    virtual void timer_expired() = 0;
};

/// One deadline. Destroying it waits for a running callback, so destroy it with no lock held.
class Timer {
public:
    virtual ~Timer() = default;
    /// Fires once, at or soon after deadline_ns of Clock::now_ns(); replaces an earlier deadline.
    virtual void arm(u64 deadline_ns) = 0;
    virtual void cancel() = 0;
};

class Clock {
public:
    virtual ~Clock() = default;
    /// Guest time since power-on; never goes back.
    [[nodiscard]] virtual u64 now_ns() const = 0;
    /// Calendar time in the guest's world: seconds since 1970-01-01 UTC.
    [[nodiscard]] virtual u64 calendar_seconds() const = 0;
    /// The listener outlives the timer.
    [[nodiscard]] virtual std::unique_ptr<Timer> create_timer(TimerListener &) = 0;
};

} // namespace tandem::devices
