#pragma once
/// Where the chunks of a recording go, one after the other.
#include "support/bits.h"
#include "support/result.h"

#include <cstddef>
#include <span>

namespace tandem::machine::replay {

class ChunkSink {
public:
    virtual ~ChunkSink() = default;
    /// A whole chunk, or what precedes the first.
    [[nodiscard]] virtual Result<> append(std::span<const std::byte> bytes) = 0;
};

} // namespace tandem::machine::replay
