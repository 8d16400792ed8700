#pragma once
/// The schedules that `--schedule` names.
#include "support/bits.h"

#include <algorithm>
#include <array>
#include <optional>
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

[[nodiscard]] constexpr std::string_view name_of(ScheduleKind kind) {
    return std::ranges::find(kScheduleNames, kind, [](const auto &each) { return each.first; })
        ->second;
}
[[nodiscard]] constexpr std::optional<ScheduleKind> schedule_named(std::string_view name) {
    const auto found =
        std::ranges::find(kScheduleNames, name, [](const auto &each) { return each.second; });
    return found == kScheduleNames.end() ? std::nullopt : std::optional(found->first);
}

} // namespace tandem::machine::replay
