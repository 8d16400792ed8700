#pragma once
/// The host's monotonic clock.
#include "support/bits.h"

#include <ctime>

namespace tandem::machine {

/// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] inline u64 monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

} // namespace tandem::machine
