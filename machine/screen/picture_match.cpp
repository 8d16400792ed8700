#include "machine/screen/picture_match.h"

#include <cstdlib>

namespace tandem::machine {

namespace {

bool is_near(u32 one, u32 other, u32 tolerance) {
    for (const unsigned shift : {0u, 8u, 16u}) {
        const int difference =
            static_cast<int>(one >> shift & 0xff) - static_cast<int>(other >> shift & 0xff);
        if (static_cast<u32>(std::abs(difference)) > tolerance) return false;
    }
    return true;
}

} // namespace

double differing_share(const Picture &screen, const Picture &wanted, u32 x, u32 y, u32 tolerance) {
    std::size_t differing = 0;
    for (u32 row = 0; row < wanted.height; ++row) {
        for (u32 column = 0; column < wanted.width; ++column) {
            const u32 pixel = wanted.pixels[std::size_t{row} * wanted.width + column];
            if (pixel >> 24 == 0) continue;
            const u64 at_x = u64{x} + column, at_y = u64{y} + row;
            if (at_x >= screen.width || at_y >= screen.height ||
                !is_near(pixel, screen.pixels[at_y * screen.width + at_x], tolerance))
                ++differing;
        }
    }
    return wanted.is_empty()
               ? 0
               : static_cast<double>(differing) / static_cast<double>(wanted.pixels.size());
}

} // namespace tandem::machine
