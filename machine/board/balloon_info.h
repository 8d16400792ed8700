#pragma once
#include "support/bits.h"

#include <string_view>
#include <utility>
#include <vector>

namespace tandem::machine {

/// A guest's memory, as its balloon sees it.
struct BalloonInfo {
    u64 actual = 0;                                           ///< bytes that the guest has kept
    std::vector<std::pair<std::string_view, u64>> statistics; ///< what it said of them
};

} // namespace tandem::machine
