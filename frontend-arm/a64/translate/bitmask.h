#pragma once
/// Immediates of the logical instructions.
#include "support/bits.h"

#include <optional>

namespace tandem::arm::a64 {

/// Arm ARM, DecodeBitMasks() for immediates: a run of imms + 1 ones in an element, rotated right by
/// immr and replicated to `width` (32 or 64). Nothing for reserved values.
[[nodiscard]] constexpr std::optional<u64> decode_bit_mask(bool n, u32 imms, u32 immr,
                                                           unsigned width) {
    const u32 length_bits = (n ? 64u : 0) | (~imms & 63);
    if (length_bits < 2) return std::nullopt;
    const unsigned element = 1u << (std::bit_width(length_bits) - 1);
    if (element > width) return std::nullopt;
    const u32 levels = element - 1;
    if ((imms & levels) == levels) return std::nullopt;
    u64 mask = rotate_right(ones((imms & levels) + 1), immr & levels, element);
    for (unsigned size = element; size < 64; size *= 2) mask |= mask << size;
    return mask & ones(width);
}

} // namespace tandem::arm::a64
