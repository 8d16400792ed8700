#pragma once
/// What `--deterministic` and its companions say. Plain data.
#include "machine/replay/ring_config.h"
#include "machine/replay/schedule_kind.h"
#include "machine/replay/stop_point.h"

#include <optional>
#include <string>

namespace tandem::machine {

struct DeterministicConfig {
    u64 seed = 0;
    replay::ScheduleKind schedule = replay::ScheduleKind::RoundRobin;
    /// Seconds since 1970 when the machine starts: 2025-01-01, unless a recording says otherwise.
    u64 calendar_start = 1'735'689'600;
    replay::StopPoint stop_at;
    /// At the end of the recording, or where it is to stop, a replay goes on with the host.
    bool goes_live = false;
    /// A replay can go backwards; it can in any case where a debugger is served.
    bool keeps_history = false;
    /// What it keeps of its past for that, in bytes.
    u64 checkpoint_memory = u64{512} << 20;
    // Paths; empty: none. Not both.
    std::string record;             ///< a recording to make
    std::optional<RingConfig> ring; ///< of which only the last part is kept
    std::string replay;             ///< one that has all that enters
};

} // namespace tandem::machine
