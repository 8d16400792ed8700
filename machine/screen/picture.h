#pragma once
/// What a screen shows, copied.
#include "support/bits.h"

#include <vector>

namespace tandem::machine {

struct Picture {
    u32 width = 0, height = 0;
    std::vector<u32>
        pixels; ///< rows from the top, 0xAARRGGBB; alpha means something in cursors only

    [[nodiscard]] bool is_empty() const { return pixels.empty(); }
};

} // namespace tandem::machine
