#pragma once
/// What a screen shows, copied.
#include "support/bits.h"

#include <algorithm>
#include <vector>

namespace tandem::machine {

struct Picture {
    u32 width = 0, height = 0;
    std::vector<u32>
        pixels; ///< rows from the top, 0xAARRGGBB; alpha means something in cursors only

    [[nodiscard]] bool is_empty() const { return pixels.empty(); }
};

/// A pixel of a cursor, whose colours are multiplied by alpha, with colours as they are.
[[nodiscard]] constexpr u32 plain_colour(u32 pixel) {
    const u32 alpha = pixel >> 24;
    if (alpha == 0) return 0;
    u32 plain = alpha << 24;
    for (const unsigned shift : {0u, 8u, 16u})
        plain |= std::min((pixel >> shift & 0xff) * 0xff / alpha, u32{0xff}) << shift;
    return plain;
}

} // namespace tandem::machine
