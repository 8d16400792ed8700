#pragma once
/// Whether a part of a screen looks like a picture.
#include "machine/screen/picture.h"

namespace tandem::machine {

/// The share of the wanted picture's pixels, 0 to 1, of which a colour differs by more than
/// `tolerance` from the screen's, the wanted one lying at x, y there. Pixels that are transparent
/// in the wanted picture count as equal, those beyond the screen as different.
[[nodiscard]] double differing_share(const Picture &screen, const Picture &wanted, u32 x, u32 y,
                                     u32 tolerance);

} // namespace tandem::machine
