#include "machine/host/parking.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace tandem::machine {

void Parking::park(u64 deadline_ns) {
    u32 expected = kRunning;
    if (state_.compare_exchange_strong(expected, kParked)) {
        timespec deadline{};
        deadline.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000);
        deadline.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000);
        // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, FUTEX_WAIT a relative one.
        ::syscall(SYS_futex, &state_, FUTEX_WAIT_BITSET_PRIVATE, kParked,
                  deadline_ns == kForever ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
    }
    state_.store(kRunning);
}

void Parking::unpark() {
    if (state_.load(std::memory_order_relaxed) == kNotified) return;
    if (state_.exchange(kNotified) == kParked)
        ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

} // namespace tandem::machine
