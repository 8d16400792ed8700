#pragma once
/// The screens that a graphics device draws on. machine/screen implements it, machine/replay wraps
/// it.
#include "support/bits.h"

#include <cstddef>
#include <span>

namespace tandem::devices {

/// What a screen is like.
struct DisplayMode {
    u32 width = 0, height = 0; ///< pixels
    u32 dpi = 96;              ///< pixels for each 25.4 mm

    bool operator==(const DisplayMode &) const = default;
};

struct DisplayRectangle {
    u32 x = 0, y = 0;
    u32 width = 0, height = 0;

    [[nodiscard]] bool is_empty() const { return width == 0 || height == 0; }
    bool operator==(const DisplayRectangle &) const = default;
};

/// Where the colours of a pixel are: numbers of its four bytes.
struct PixelFormat {
    static constexpr u32 kBytes = 4;
    u8 red = 2, green = 1, blue = 0;
    u8 alpha = kBytes; ///< none

    [[nodiscard]] bool has_alpha() const { return alpha < kBytes; }
    bool operator==(const PixelFormat &) const = default;
};

/// Rows of pixels in somebody's memory, from the first pixel on.
struct PixelRows {
    std::span<const std::byte> bytes;
    std::size_t stride = 0; ///< from one row's start to the next
    PixelFormat format = {};
};

inline constexpr u32 kCursorSide = 64;

/// No call blocks: a device may hold its mutex.
class Display {
public:
    virtual ~Display() = default;
    /// A screen has a picture of this size, whose pixels follow; none, if it is empty.
    virtual void show(u32 output, u32 width, u32 height) = 0;
    /// This part of the picture, which is within it, has other pixels.
    virtual void update(u32 output, const DisplayRectangle &, const PixelRows &) = 0;
    /// The pointer's picture is kCursorSide square, with its tip at hot_x, hot_y; colours are
    /// multiplied by alpha. Without rows there is no pointer.
    virtual void set_cursor(u32 output, u32 hot_x, u32 hot_y, const PixelRows &) = 0;
    /// The pointer's tip is there.
    virtual void move_cursor(u32 output, u32 x, u32 y) = 0;
};

} // namespace tandem::devices
