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
    fmt::format_to(out, "{:>16} regions compiled by T2\n", regions.regions - regions.recalled);
    fmt::format_to(out, "{:>16} regions taken from the translation cache\n", regions.recalled);
    fmt::format_to(out, "{:>16} regions dropped before they were used\n", regions.dropped);
    fmt::format_to(out,
                   "{:>16.1f} ms of CPU time spent compiling in T2, {:.1f} ms taking from the "
                   "cache\n",
                   static_cast<double>(regions.nanoseconds) * 1e-6,
                   static_cast<double>(regions.recalling_nanoseconds) * 1e-6);

    const auto share = [](u64 part, u64 whole) {
        return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    const double interpreted =
        share(statistics.instructions_interpreted, statistics.instructions_retired);
    const double in_regions = share(statistics.slices_in_regions, statistics.slices_sampled);
    fmt::format_to(out, "\n{:>4} {:>10} {:>13} {:>15} {:>12} {:>10}\n", "tier", "blocks",
                   "instructions", "us/instruction", "code bytes", "% of run");
    const auto row = [&](const char *tier, u64 blocks, u64 instructions, double nanoseconds,
                         u64 bytes, double of_run) {
        fmt::format_to(out, "{:>4} {:>10} {:>13} {:>15.3f} {:>12} {:>10.2f}\n", tier, blocks,
                       instructions, nanoseconds * 1e-3, bytes, 100 * of_run);
    };
    row("T0", statistics.blocks_translated, statistics.guest_translated,
        per(statistics.translation_ticks, statistics.translation_timed), 0, interpreted);
    row("T1", statistics.blocks_compiled, statistics.guest_compiled,
        per(statistics.compilation_ticks, statistics.compilation_timed), statistics.code_bytes,
        (1 - interpreted) * (1 - in_regions));
    row("T2", regions.blocks, regions.guest_instructions,
        share(regions.nanoseconds, regions.compiled_instructions), regions.code_bytes,
        (1 - interpreted) * in_regions);
    text += "  us/instruction: to translate one of the guest; % of run: of guest instructions run, "
            "T1 and T2 by samples\n";
    if (!regions.trouble.empty()) fmt::format_to(out, "{:>16} T2: {}\n", "", regions.trouble);
    return text;
}

} // namespace tandem::jit
