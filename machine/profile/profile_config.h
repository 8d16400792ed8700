#pragma once
/// What the user asks of the profiler. Plain data.
#include <string>

namespace tandem::machine {

struct ProfileConfig {
    static constexpr unsigned kDefaultRate = 100, kMaxRate = 10'000;

    std::string path;                ///< its extension says which format
    unsigned rate_hz = kDefaultRate; ///< samples in a second
    bool by_guest_time = false;      ///< of a deterministic machine: else by the host's CPU time
};

} // namespace tandem::machine
