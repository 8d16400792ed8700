#pragma once
/// The text of --stats.
#include "jit/runtime/statistics.h"
#include "jit/tiering/region_service.h"

#include <chrono>
#include <string>

namespace tandem::jit {

/// Relates the host's time-stamp counter to time, over its own life.
class Clock {
public:
    Clock();
    [[nodiscard]] double nanoseconds_per_tick() const;

private:
    std::chrono::steady_clock::time_point start_;
    u64 start_ticks_;
};

[[nodiscard]] std::string report(const Statistics &statistics, const RegionStatistics &regions,
                                 const Clock &clock);

} // namespace tandem::jit
