#pragma once
/// What a screen says of itself: VESA E-EDID, release A revision 2 (structure 1.4).
#include "devices/backend/display.h"

#include <array>

namespace tandem::devices {

inline constexpr std::size_t kEdidBytes = 128;
/// Sides that its timings can tell; drivers take smaller ones for errors.
inline constexpr u32 kMinScreenSide = 64, kMaxScreenSide = 4095;

/// Of a mode whose sides are within the bounds, at 60 Hz or as much as its timings can tell.
/// `serial` tells one screen from another.
[[nodiscard]] std::array<u8, kEdidBytes> make_edid(const DisplayMode &, u32 serial);

} // namespace tandem::devices
