#pragma once
/// The schedules that `--schedule` names.
#include "support/bits.h"

#include <array>
#include <string_view>
#include <utility>

namespace tandem::machine::replay {

enum class ScheduleKind : u8 {
    RoundRobin, ///< turns of one length, one CPU after the other
    Random,     ///< any CPU, turns of random length
    Priority,   ///< the CPU of highest priority; at random moments it becomes the lowest (PCT)
    Chaos,      ///< very short and very long turns; now and then a CPU gets none for a while
};

inline constexpr std::array<std::pair<ScheduleKind, std::string_view>, 4> kScheduleNames{{
    {ScheduleKind::RoundRobin, "round-robin"},
    {ScheduleKind::Random, "random"},
    {ScheduleKind::Priority, "pct"},
    {ScheduleKind::Chaos, "chaos"},
}};

} // namespace tandem::machine::replay
