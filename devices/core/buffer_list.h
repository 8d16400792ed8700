#pragma once
/// A buffer that lies in several pieces, as a scatter-gather list has it.
#include "support/bits.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace tandem::devices {

/// Appends bytes [offset, offset + length) of the pieces to `out`, as far as there are such.
inline void slice_buffers(std::span<const std::span<std::byte>> pieces, u64 offset, u64 length,
                          std::vector<std::span<std::byte>> &out) {
    for (const std::span<std::byte> piece : pieces) {
        if (length == 0) return;
        if (offset >= piece.size()) {
            offset -= piece.size();
            continue;
        }
        const u64 count = std::min<u64>(length, piece.size() - offset);
        out.push_back(piece.subspan(offset, count));
        length -= count;
        offset = 0;
    }
}

} // namespace tandem::devices
