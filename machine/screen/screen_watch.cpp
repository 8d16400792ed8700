#include "machine/screen/screen_watch.h"

#include <algorithm>
#include <utility>

namespace tandem::machine {

using devices::DisplayRectangle;

namespace {

/// More parts become one that has them all.
constexpr std::size_t kMaxParts = 16;
/// What is copied at once, while the device waits: some 50 us.
constexpr std::size_t kBandPixels = std::size_t{1} << 17;

bool contains(const DisplayRectangle &all, const DisplayRectangle &part) {
    return part.x >= all.x && part.y >= all.y && part.x + part.width <= all.x + all.width &&
           part.y + part.height <= all.y + all.height;
}

DisplayRectangle around(const DisplayRectangle &a, const DisplayRectangle &b) {
    const u32 x = std::min(a.x, b.x), y = std::min(a.y, b.y);
    return {x, y, std::max(a.x + a.width, b.x + b.width) - x,
            std::max(a.y + a.height, b.y + b.height) - y};
}

void add_part(std::vector<DisplayRectangle> &parts, DisplayRectangle part) {
    if (part.is_empty()) return;
    if (std::ranges::any_of(parts, [&](const auto &each) { return contains(each, part); })) return;
    std::erase_if(parts, [&](const auto &each) { return contains(part, each); });
    if (parts.size() == kMaxParts) {
        for (const DisplayRectangle &each : parts) part = around(part, each);
        parts.clear();
    }
    parts.push_back(part);
}

} // namespace

ScreenWatch::ScreenWatch(const Screen &screen, std::function<void()> changed)
    : screen_(screen), changed_(std::move(changed)), pending_(screen.outputs()) {
    for (Pending &pending : pending_)
        pending.changes = {.size = true, .cursor = true, .cursor_place = true};
    const std::lock_guard lock(screen_.watches_mutex_);
    screen_.watches_.push_back(this);
}

ScreenWatch::~ScreenWatch() {
    const std::lock_guard lock(screen_.watches_mutex_);
    std::erase(screen_.watches_, this);
}

bool ScreenWatch::add(std::size_t output, const ScreenChanges &changes) {
    Pending &pending = pending_[output];
    ScreenChanges &all = pending.changes;
    all.size = all.size || changes.size;
    all.cursor = all.cursor || changes.cursor;
    all.cursor_place = all.cursor_place || changes.cursor_place;
    // With another size comes all of it.
    if (all.size)
        all.parts.clear();
    else
        for (const DisplayRectangle &part : changes.parts) add_part(all.parts, part);
    return !std::exchange(pending.is_told, true);
}

ScreenChanges ScreenWatch::look(std::size_t output, Picture &copy) {
    ScreenChanges changes;
    u32 width = 0, height = 0;
    {
        const std::lock_guard lock(screen_.mutex_);
        changes = std::exchange(pending_[output], {.changes = {}, .is_told = false}).changes;
        width = screen_.outputs_[output].picture.width;
        height = screen_.outputs_[output].picture.height;
    }
    if (changes.size) {
        copy = {width, height, std::vector<u32>(std::size_t{width} * height)};
        add_part(changes.parts, {0, 0, width, height});
    }
    for (const DisplayRectangle &part : changes.parts) {
        const u32 band = static_cast<u32>(std::max<std::size_t>(kBandPixels / part.width, 1));
        for (u32 done = 0; done < part.height; done += band) {
            const std::lock_guard lock(screen_.mutex_);
            // Another size by now: the next look starts again.
            const Picture &shown = screen_.outputs_[output].picture;
            if (shown.width != width || shown.height != height) return changes;
            for (u32 y = done; y < std::min(part.height, done + band); ++y) {
                const std::size_t at = std::size_t{part.y + y} * width + part.x;
                std::copy_n(&shown.pixels[at], part.width, &copy.pixels[at]);
            }
        }
    }
    return changes;
}

} // namespace tandem::machine
