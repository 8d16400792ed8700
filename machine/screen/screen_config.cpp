#include "machine/screen/screen_config.h"

#include "devices/virtio/gpu/edid.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace tandem::machine {

namespace {

constexpr u32 kMinDpi = 10, kMaxDpi = 2000;

/// Takes a number and what ends it, if there is something, off the front.
std::optional<u32> take_number(std::string_view &text, char end) {
    u32 number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    if (text.empty()) return number;
    if (!text.starts_with(end) || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
    return number;
}

} // namespace

Result<devices::DisplayMode> parse_screen(std::string_view text) {
    std::string_view rest = text;
    const auto malformed = [] {
        return failure("is no size; write WIDTHxHEIGHT[@DPI], such as 1280x800");
    };
    devices::DisplayMode mode;
    const auto width = take_number(rest, 'x');
    if (!width.has_value() || rest.empty()) return malformed();
    const auto height = take_number(rest, '@');
    if (!height.has_value()) return malformed();
    mode.width = *width;
    mode.height = *height;
    if (!rest.empty()) {
        const auto dpi = take_number(rest, '\0');
        if (!dpi.has_value() || !rest.empty()) return malformed();
        if (*dpi < kMinDpi || *dpi > kMaxDpi)
            return failure(
                fmt::format("{} DPI: out of range; use {} to {}", *dpi, kMinDpi, kMaxDpi));
        mode.dpi = *dpi;
    }
    for (const u32 side : {mode.width, mode.height})
        if (side < devices::kMinScreenSide || side > devices::kMaxScreenSide)
            return failure(fmt::format("{} pixels: out of range; use {} to {}", side,
                                       devices::kMinScreenSide, devices::kMaxScreenSide));
    return mode;
}

std::string to_text(const devices::DisplayMode &mode) {
    return fmt::format("{}x{}@{}", mode.width, mode.height, mode.dpi);
}

} // namespace tandem::machine
