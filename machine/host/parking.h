#pragma once
/// Where one host thread sleeps until another wakes it or a deadline comes. A wake-up that arrives
/// before the sleep is not lost.
#include "support/bits.h"

#include <atomic>

namespace tandem::machine {

class Parking {
public:
    static constexpr u64 kForever = ~u64{0};

    /// Sleeps until unpark() or the deadline (monotonic_ns()); at once if unpark() was called since
    /// the last park(). May also return for no reason.
    void park(u64 deadline_ns);
    /// Any thread. Cheap when the thread does not sleep.
    void unpark();
    /// An unpark() is waiting to be noticed by park().
    [[nodiscard]] bool is_notified() const {
        return state_.load(std::memory_order_acquire) == kNotified;
    }

private:
    static constexpr u32 kRunning = 0, kParked = 1, kNotified = 2;
    std::atomic<u32> state_ = kRunning;
};

} // namespace tandem::machine
