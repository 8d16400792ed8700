#pragma once
/// What `--record-ring` and `--record-when` say. Plain data.
#include "support/bits.h"

#include <string>

namespace tandem::machine {

struct RingConfig {
    // One of them; 0: it does not say.
    u64 time_ns = 0;                 ///< of guest time that is kept at least
    u64 bytes = 0;                   ///< that the past may take
    u64 interval_ns = 5'000'000'000; ///< of guest time between two states, where `bytes` counts
    std::string text =
        {}; ///< the last part is written when the guest says this, too; empty: nothing
};

} // namespace tandem::machine
