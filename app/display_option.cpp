#include "app/display_option.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace tandem::app {

using machine::DisplayConfig;
using machine::SdlConfig;
using machine::VncConfig;

namespace {

constexpr devices::DisplayMode kUsualScreen{.width = 1280, .height = 800};

std::optional<unsigned> number_of(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// "[ADDR:]N", where an address of IPv6 is in brackets.
Result<> parse_place(std::string_view option, std::string_view place, VncConfig &vnc) {
    const std::size_t colon = place.rfind(':');
    std::string_view address = place.substr(0, colon == std::string_view::npos ? 0 : colon);
    const std::string_view number =
        colon == std::string_view::npos ? place : place.substr(colon + 1);
    if (address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
    else if (address.contains(':'))
        return failure(fmt::format("{}: no address; write vnc=[{}]:{}", option, address, number));
    const auto value = number_of(number);
    if (!value.has_value())
        return failure(fmt::format("{}: not a display; write vnc=N or vnc=ADDR:N", option));
    if (*value > VncConfig::kMaxNumber)
        return failure(fmt::format("{}: the port would be {} + {}; use 0 to {}", option,
                                   VncConfig::kFirstPort, number, VncConfig::kMaxNumber));
    vnc.number = *value;
    if (!address.empty()) vnc.address = address;
    return {};
}

Result<VncConfig> parse_vnc(std::string_view option, std::string_view text) {
    VncConfig vnc;
    std::optional<bool> password;
    // From the end: a file's name may hold commas.
    for (std::size_t comma = text.rfind(','); comma != std::string_view::npos;
         comma = text.rfind(',')) {
        static constexpr std::string_view kFile = "password-file=", kHead = "head=";
        std::string_view part = text.substr(comma + 1);
        if (const std::size_t file = text.find(fmt::format(",{}", kFile));
            file != std::string_view::npos && !part.starts_with(kHead) &&
            !part.starts_with("password=")) {
            comma = file;
            part = text.substr(file + 1);
        }
        if (part.starts_with(kFile)) {
            vnc.password_file = part.substr(kFile.size());
            if (vnc.password_file.empty())
                return failure(fmt::format("{}: no file; name one", option));
        } else if (part == "password=on" || part == "password=off") {
            password = part.ends_with("on");
        } else if (part.starts_with(kHead)) {
            const auto head = number_of(part.substr(kHead.size()));
            if (!head.has_value())
                return failure(
                    fmt::format("{}: {} names no screen; use 0 for the first", option, part));
            vnc.head = *head;
        } else {
            return failure(fmt::format(
                "{}: unknown {}; use password-file=FILE, password=on or head=N", option, part));
        }
        text = text.substr(0, comma);
    }
    if (!text.empty()) TRY(parse_place(option, text.substr(1), vnc));
    if (password == false && !vnc.password_file.empty())
        return failure(fmt::format("{}: password=off and a file of one; leave one out", option));
    vnc.has_password = password.value_or(!vnc.password_file.empty());
    return vnc;
}

Result<SdlConfig> parse_sdl(std::string_view option, std::string_view text) {
    static constexpr std::string_view kScale = "scale=";
    SdlConfig sdl;
    while (!text.empty()) {
        const std::string_view part = text.substr(1, text.find(',', 1) - 1);
        text = text.substr(part.size() + 1);
        if (part == "full-screen") {
            sdl.is_full_screen = true;
        } else if (part.starts_with(kScale)) {
            const auto scale = number_of(part.substr(kScale.size()));
            if (!scale.has_value() || *scale == 0 || *scale > SdlConfig::kMaxScale)
                return failure(fmt::format("{}: {}: out of range; use 1 to {}", option, part,
                                           SdlConfig::kMaxScale));
            sdl.scale = *scale;
        } else {
            return failure(fmt::format("{}: unknown {}; use full-screen or scale=N", option, part));
        }
    }
    return sdl;
}

} // namespace

Result<DisplayConfig> parse_displays(const std::vector<std::string> &texts) {
    static constexpr std::string_view kVnc = "vnc";
    DisplayConfig display;
    for (const std::string &text : texts) {
        const std::string option = fmt::format("--display {}", text);
        const std::string_view kind = std::string_view{text}.substr(0, text.find_first_of("=,"));
        const std::string_view rest = std::string_view{text}.substr(kind.size());
        if (kind == kVnc) {
            if (display.vnc.has_value())
                return failure(
                    fmt::format("{}: there is a VNC server already; leave one out", option));
            display.vnc = TRY(parse_vnc(option, rest));
        } else if (kind == "sdl" && !rest.starts_with('=')) {
            if (display.sdl.has_value())
                return failure(fmt::format("{}: there are windows already; leave one out", option));
            display.sdl = TRY(parse_sdl(option, rest));
        } else if (text != "none") {
            return failure(fmt::format("{}: unknown; use none, sdl or vnc[=[ADDR:]N]", option));
        }
    }
    return display;
}

void add_devices_for_display(machine::MachineConfig &config) {
    if (!config.display.any()) return;
    if (config.screens.empty()) config.screens = {kUsualScreen};
    if (config.inputs.empty())
        config.inputs = {devices::InputKind::Keyboard, devices::InputKind::Tablet};
}

} // namespace tandem::app
