#pragma once
#include "ir/types.h"

#include <cstddef>

namespace tandem::jit {

/// The monitor of a CPU's exclusive accesses: what was loaded, and from where. It holds while
/// memory has that value.
struct ExclusiveMonitor {
    const std::byte *host = nullptr;
    u32 size = 0; ///< bytes; 0: not marked
    ir::Vec value;
};

} // namespace tandem::jit
