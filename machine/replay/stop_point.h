#pragma once
/// How far a deterministic machine runs. Plain data.
#include "support/bits.h"

#include <string>

namespace tandem::machine::replay {

/// Whatever comes first.
struct StopPoint {
    static constexpr u64 kNever = ~u64{0};

    u64 moment = kNever;   ///< guest time in nanoseconds
    u64 position = kNever; ///< instructions that all CPUs together have executed
    std::string text; ///< the serial line or the virtio console says it; empty: whatever it says
};

} // namespace tandem::machine::replay
