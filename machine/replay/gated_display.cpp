#include "machine/replay/gated_display.h"

#include <xxhash.h>

#include <array>

namespace tandem::machine::replay {

using devices::DisplayRectangle;
using devices::PixelRows;

namespace {

enum class What : u64 { Show, Update, SetCursor, MoveCursor };

u64 hash_of(u32 width, u32 height, const PixelRows &rows) {
    u64 hash = 0;
    if (rows.bytes.empty()) return hash;
    for (u32 y = 0; y < height; ++y)
        hash = ::XXH3_64bits_withSeed(rows.bytes.data() + y * rows.stride,
                                      std::size_t{width} * devices::PixelFormat::kBytes, hash);
    return hash;
}

} // namespace

void GatedDisplay::show(u32 output, u32 width, u32 height) {
    const std::array<u64, 4> message{static_cast<u64>(What::Show), output, width, height};
    gate_.sent(port_, std::as_bytes(std::span(message)));
    host_.show(output, width, height);
}

void GatedDisplay::update(u32 output, const DisplayRectangle &part, const PixelRows &rows) {
    const std::array<u64, 7> message{
        static_cast<u64>(What::Update),        output, part.x, part.y, part.width, part.height,
        hash_of(part.width, part.height, rows)};
    gate_.sent(port_, std::as_bytes(std::span(message)));
    host_.update(output, part, rows);
}

void GatedDisplay::set_cursor(u32 output, u32 hot_x, u32 hot_y, const PixelRows &rows) {
    const std::array<u64, 5> message{static_cast<u64>(What::SetCursor), output, hot_x, hot_y,
                                     hash_of(devices::kCursorSide, devices::kCursorSide, rows)};
    gate_.sent(port_, std::as_bytes(std::span(message)));
    host_.set_cursor(output, hot_x, hot_y, rows);
}

void GatedDisplay::move_cursor(u32 output, u32 x, u32 y) {
    const std::array<u64, 4> message{static_cast<u64>(What::MoveCursor), output, x, y};
    gate_.sent(port_, std::as_bytes(std::span(message)));
    host_.move_cursor(output, x, y);
}

} // namespace tandem::machine::replay
