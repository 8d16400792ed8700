#pragma once
/// Times stretches of a thread's work that are too short for a system call: in ticks of the
/// time-stamp counter, without what reading it costs. Long stretches in which the host's scheduler
/// gave the CPU to another thread are recognised: their ticks are not this thread's.
#include "support/bits.h"

#include <x86intrin.h>

#include <optional>

namespace tandem::jit {

/// One for each thread that is timed.
class Stopwatch {
public:
    Stopwatch();

    void start() { start_ = __rdtsc(); }
    /// Ticks since start(); nothing if the thread was interrupted.
    [[nodiscard]] std::optional<u64> stop() {
        const u64 ticks = __rdtsc() - start_;
        if (ticks > kSuspicious && was_interrupted()) [[unlikely]]
            return std::nullopt;
        return ticks > overhead_ ? ticks - overhead_ : 0;
    }

private:
    /// Some 20 us; a time slice given to another thread is longer.
    static constexpr u64 kSuspicious = 50'000;

    /// Since the last call of this.
    [[nodiscard]] bool was_interrupted();

    u64 start_ = 0;
    u64 overhead_ = 0; ///< what start() and stop() measure with nothing in between
    i64 interruptions_ = 0;
};

} // namespace tandem::jit
