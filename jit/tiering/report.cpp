#include "jit/tiering/report.h"

#include <fmt/format.h>
#include <x86intrin.h>

#include <iterator>

namespace tandem::jit {

Clock::Clock() : start_(std::chrono::steady_clock::now()), start_ticks_(__rdtsc()) {}

double Clock::nanoseconds_per_tick() const {
    const std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - start_;
    const u64 ticks = __rdtsc() - start_ticks_;
    return ticks == 0 ? 0 : elapsed.count() / static_cast<double>(ticks);
}

std::string report(const Statistics &statistics, const RegionStatistics &regions,
                   const Clock &clock) {
    std::string text;
    const auto out = std::back_inserter(text);
#define X(name, description) fmt::format_to(out, "{:>16} {}\n", statistics.name, description);
    TANDEM_ENGINE_STATISTICS(X)
#undef X
    const double tick = clock.nanoseconds_per_tick();
    const auto per = [&](u64 ticks, u64 count) {
        return count == 0 ? 0.0 : static_cast<double>(ticks) * tick / static_cast<double>(count);
    };
    fmt::format_to(out, "{:>16.1f} ns per guest instruction run by T0\n",
                   per(statistics.sampled_ticks, statistics.sampled_instructions));
    fmt::format_to(out, "{:>16.1f} ns per guest instruction translated for T0\n",
                   per(statistics.translation_ticks, statistics.translation_timed));
    fmt::format_to(out, "{:>16.1f} ns per guest instruction compiled by T1\n",
                   per(statistics.compilation_ticks, statistics.compilation_timed));
    fmt::format_to(out, "{:>16} regions compiled by T2\n", regions.regions);
    fmt::format_to(out, "{:>16} blocks in them\n", regions.blocks);
    fmt::format_to(out, "{:>16} guest instructions in them\n", regions.guest_instructions);
    fmt::format_to(out, "{:>16} regions dropped before they were used\n", regions.dropped);
    fmt::format_to(out, "{:>16} bytes of T2 code made\n", regions.code_bytes);
    fmt::format_to(out, "{:>16.1f} ms of CPU time spent in T2\n",
                   static_cast<double>(regions.nanoseconds) * 1e-6);
    fmt::format_to(out, "{:>16.1f} us per guest instruction compiled by T2\n",
                   regions.guest_instructions == 0
                       ? 0.0
                       : static_cast<double>(regions.nanoseconds) * 1e-3 /
                             static_cast<double>(regions.guest_instructions));
    fmt::format_to(out, "{:>16.1f} % of the time in translated code spent in T2's (sampled)\n",
                   statistics.slices_sampled == 0
                       ? 0.0
                       : 100.0 * static_cast<double>(statistics.slices_in_regions) /
                             static_cast<double>(statistics.slices_sampled));
    if (!regions.trouble.empty()) fmt::format_to(out, "{:>16} T2: {}\n", "", regions.trouble);
    return text;
}

} // namespace tandem::jit
