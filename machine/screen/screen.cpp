#include "machine/screen/screen.h"

#include "machine/screen/screen_watch.h"

#include <xxhash.h>

#include <cstring>

namespace tandem::machine {

using devices::DisplayRectangle;
using devices::PixelFormat;
using devices::PixelRows;

namespace {

constexpr u32 kOpaque = 0xff00'0000;

/// Fewer than `count` pixels in the source are no pixels.
void convert(const std::byte *from, const PixelFormat &format, u32 *to, u32 count) {
    static constexpr PixelFormat kOwn{};
    if (format.red == kOwn.red && format.green == kOwn.green && format.blue == kOwn.blue) {
        std::memcpy(to, from, std::size_t{count} * sizeof(u32));
        if (!format.has_alpha())
            for (u32 i = 0; i < count; ++i) to[i] |= kOpaque;
        return;
    }
    const auto byte = [](const std::byte *pixel, u8 which) {
        return std::to_integer<u32>(pixel[which]);
    };
    for (u32 i = 0; i < count; ++i, from += PixelFormat::kBytes)
        to[i] = byte(from, format.red) << 16 | byte(from, format.green) << 8 |
                byte(from, format.blue) |
                (format.has_alpha() ? byte(from, format.alpha) << 24 : kOpaque);
}

void draw(Picture &picture, const DisplayRectangle &part, const PixelRows &rows) {
    for (u32 y = 0; y < part.height; ++y)
        convert(rows.bytes.data() + y * rows.stride, rows.format,
                &picture.pixels[std::size_t{part.y + y} * picture.width + part.x], part.width);
}

} // namespace

template <typename Make>
void Screen::change(u32 output, const Make &make) {
    const std::lock_guard watches_lock(watches_mutex_);
    std::vector<ScreenWatch *> told;
    {
        const std::lock_guard lock(mutex_);
        const ScreenChanges changes = make(outputs_[output]);
        if (!changes.any()) return;
        for (ScreenWatch *watch : watches_)
            if (watch->add(output, changes)) told.push_back(watch);
    }
    for (const ScreenWatch *watch : told) watch->changed_();
}

void Screen::show(u32 output, u32 width, u32 height) {
    change(output, [&](Output &shown) -> ScreenChanges {
        Picture &picture = shown.picture;
        if (width == picture.width && height == picture.height) return {};
        picture.width = width;
        picture.height = height;
        picture.pixels.assign(std::size_t{width} * height, kOpaque);
        return {.size = true};
    });
}

void Screen::update(u32 output, const DisplayRectangle &part, const PixelRows &rows) {
    change(output, [&](Output &shown) -> ScreenChanges {
        draw(shown.picture, part, rows);
        ++shown.updates;
        return {.parts = {part}};
    });
}

void Screen::set_cursor(u32 output, u32 hot_x, u32 hot_y, const PixelRows &rows) {
    change(output, [&](Output &shown) -> ScreenChanges {
        Cursor &cursor = shown.cursor;
        cursor.hot_x = hot_x;
        cursor.hot_y = hot_y;
        cursor.picture = {};
        if (!rows.bytes.empty()) {
            static constexpr u32 kSide = devices::kCursorSide;
            cursor.picture = {kSide, kSide, std::vector<u32>(std::size_t{kSide} * kSide)};
            draw(cursor.picture, {0, 0, kSide, kSide}, rows);
        }
        return {.cursor = true};
    });
}

void Screen::move_cursor(u32 output, u32 x, u32 y) {
    change(output, [&](Output &shown) -> ScreenChanges {
        shown.cursor.x = x;
        shown.cursor.y = y;
        return {.cursor_place = true};
    });
}

Picture Screen::picture(std::size_t output) const {
    const std::lock_guard lock(mutex_);
    return outputs_[output].picture;
}

Cursor Screen::cursor(std::size_t output) const {
    const std::lock_guard lock(mutex_);
    return outputs_[output].cursor;
}

std::vector<ScreenInfo> Screen::info() const {
    const std::lock_guard lock(mutex_);
    std::vector<ScreenInfo> list;
    for (const Output &output : outputs_) {
        const Picture &picture = output.picture;
        const u64 size = u64{picture.width} << 32 | picture.height;
        list.push_back({.width = picture.width,
                        .height = picture.height,
                        .updates = output.updates,
                        .hash = ::XXH3_64bits_withSeed(picture.pixels.data(),
                                                       picture.pixels.size() * sizeof(u32), size)});
    }
    return list;
}

} // namespace tandem::machine
