#pragma once
/// General registers that a region uses to copy memory and for nothing else: LDP loads two of them,
/// STP stores the two. They are one value of 16 bytes, which nobody needs to take apart.
#include "jit/regions/region.h"

#include <set>

namespace tandem::jit {

/// The state offset of the first register of each such pair; the second one is next to it.
[[nodiscard]] std::set<u64> find_register_pairs(const Region &region);

} // namespace tandem::jit
