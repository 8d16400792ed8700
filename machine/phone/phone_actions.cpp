#include "machine/phone/phone_actions.h"

#include "devices/virtio/input/input_kinds.h"
#include "machine/input/character_keys.h"
#include "machine/sensors/sensor_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

namespace tandem::machine {
namespace {

using nlohmann::json;
using Call = PhoneCall;

Result<unsigned> parse_number(std::string_view what, std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        return failure(fmt::format("phone: {} {}: not a number", what, text));
    return number;
}

Result<std::string> set_sensor(QmpClient &machine, const std::string &sensor, json values) {
    TRY(machine.execute("x-set-sensor", {{"sensor", sensor}, {"values", std::move(values)}}));
    return std::string{};
}

// --------------------------------------------------------------------------------------- sensors

Result<std::string> sensor(const Call &call) {
    if (call.arguments.size() == 2) {
        const devices::Quantity quantity = TRY(parse_quantity(call.arguments[0]));
        const devices::QuantityValue value = TRY(parse_value(quantity, call.arguments[1]));
        return set_sensor(call.machine, call.arguments[0], to_numbers(quantity, value));
    }
    std::string list;
    for (const json &each : TRY(call.machine.execute("x-query-sensors"))) {
        const std::string name = each.value("sensor", "");
        if (!call.arguments.empty() && name != call.arguments[0]) continue;
        list += fmt::format("{:<16}{} {}\n", name,
                            fmt::join(each.value("values", std::vector<double>{}), ":"),
                            each.value("unit", ""));
    }
    if (list.empty()) TRY(parse_quantity(call.arguments[0])); // which says that there is none
    return list;
}

struct Orientation {
    std::string_view name;
    double x, y; ///< where gravity's reaction points, in its own strength
};
constexpr Orientation kOrientations[] = {{"portrait", 0, 1},
                                         {"landscape", 1, 0},
                                         {"reverse-portrait", 0, -1},
                                         {"reverse-landscape", -1, 0}};

Result<std::string> rotate(const Call &call) {
    constexpr double kStandardGravity = 9.80665;
    const auto *found = std::ranges::find(kOrientations, call.arguments[0], &Orientation::name);
    if (found == std::end(kOrientations))
        return failure(fmt::format("phone: rotate {}: unknown; use portrait, landscape, "
                                   "reverse-portrait or reverse-landscape",
                                   call.arguments[0]));
    return set_sensor(call.machine, "acceleration",
                      {found->x * kStandardGravity, found->y * kStandardGravity, 0});
}

Result<std::string> battery(const Call &call) {
    const unsigned percent = TRY(parse_number("battery", call.arguments[0]));
    if (call.arguments.size() == 2) {
        const std::string &charger = call.arguments[1];
        if (charger != "charging" && charger != "discharging")
            return failure(
                fmt::format("phone: battery {}: unknown; use charging or discharging", charger));
        TRY(set_sensor(call.machine, "charger", {charger == "charging" ? 1 : 0}));
    }
    return set_sensor(call.machine, "battery", {percent});
}

// ----------------------------------------------------------------------------------------- hands

struct Place {
    unsigned x = 0, y = 0; ///< pixels
};

/// Where a pixel is on the touch screen, as that has it.
struct TouchPlace {
    u64 x = 0, y = 0;
};

Result<Place> parse_place(const std::string &x, const std::string &y) {
    return Place{TRY(parse_number("X", x)), TRY(parse_number("Y", y))};
}

/// The size of the screen in pixels.
Result<Place> screen_size(const Call &call) {
    const json screens = TRY(call.machine.execute("x-query-screens"));
    if (call.output >= screens.size())
        return failure(fmt::format("phone: the machine has no screen {}; start it with --screen",
                                   call.output));
    const json &screen = screens[call.output];
    const Place size{screen.value("width", 0u), screen.value("height", 0u)};
    if (size.x < 2 || size.y < 2)
        return failure(
            fmt::format("phone: the guest shows nothing on screen {} yet; try again when it does",
                        call.output));
    return size;
}

Result<TouchPlace> touch_place(Place place, Place size) {
    if (place.x >= size.x || place.y >= size.y)
        return failure(fmt::format("phone: {} {} is beyond the screen, which has {}x{} pixels",
                                   place.x, place.y, size.x, size.y));
    const auto scaled = [](unsigned pixel, unsigned pixels) {
        return u64{pixel} * devices::kInputAxisMax / (pixels - 1);
    };
    return TouchPlace{scaled(place.x, size.x), scaled(place.y, size.y)};
}

json touch_event(std::string_view kind, std::string_view axis = "x", u64 value = 0) {
    return {{"type", "mtt"},
            {"data",
             {{"type", kind}, {"slot", 0}, {"tracking-id", 0}, {"axis", axis}, {"value", value}}}};
}

Result<std::string> send(QmpClient &machine, json events) {
    TRY(machine.execute("input-send-event", {{"events", std::move(events)}}));
    return std::string{};
}

/// One finger comes down at the first place, moves to the last, and goes up after that time.
Result<std::string> drag(const Call &call, Place from, Place to, u64 milliseconds) {
    constexpr u64 kStep = 16;
    const Place size = TRY(screen_size(call));
    const TouchPlace first = TRY(touch_place(from, size));
    const TouchPlace last = TRY(touch_place(to, size));
    const auto at = [](const TouchPlace &place) {
        return json{touch_event("data", "x", place.x), touch_event("data", "y", place.y)};
    };
    json down = at(first);
    down.insert(down.begin(), touch_event("begin"));
    TRY(send(call.machine, std::move(down)));
    const u64 steps = std::max<u64>(milliseconds / kStep, 1);
    for (u64 step = 1; step <= steps; ++step) {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds / steps));
        const auto between = [&](u64 a, u64 b) {
            const auto way = static_cast<i64>(b) - static_cast<i64>(a);
            return a + static_cast<u64>(way * static_cast<i64>(step) / static_cast<i64>(steps));
        };
        if (const TouchPlace place{between(first.x, last.x), between(first.y, last.y)};
            from.x != to.x || from.y != to.y)
            TRY(send(call.machine, at(place)));
    }
    return send(call.machine, {touch_event("end")});
}

Result<std::string> tap(const Call &call) {
    constexpr u64 kTapMs = 80;
    const Place place = TRY(parse_place(call.arguments[0], call.arguments[1]));
    return drag(call, place, place, kTapMs);
}

Result<std::string> swipe(const Call &call) {
    constexpr unsigned kDefaultMs = 300, kMaxMs = 60'000;
    const Place from = TRY(parse_place(call.arguments[0], call.arguments[1]));
    const Place to = TRY(parse_place(call.arguments[2], call.arguments[3]));
    const unsigned time =
        call.arguments.size() == 5 ? TRY(parse_number("swipe", call.arguments[4])) : kDefaultMs;
    if (time > kMaxMs)
        return failure(
            fmt::format("phone: swipe {}: too slow; use {} milliseconds at most", time, kMaxMs));
    return drag(call, from, to, time);
}

/// Presses them together.
Result<std::string> press(QmpClient &machine, std::span<const std::string_view> names) {
    constexpr u64 kHoldMs = 30;
    json keys = json::array();
    for (const std::string_view name : names) keys.push_back({{"type", "qcode"}, {"data", name}});
    TRY(machine.execute("send-key", {{"keys", keys}, {"hold-time", kHoldMs}}));
    return std::string{};
}

Result<std::string> key(const Call &call) {
    const std::vector<std::string_view> names(call.arguments.begin(), call.arguments.end());
    return press(call.machine, names);
}

Result<std::string> type(const Call &call) {
    for (const char character : call.arguments[0]) {
        const auto found = key_of_character(character);
        if (!found.has_value())
            return failure(fmt::format("phone: type {}: only characters of a US keyboard can be "
                                       "typed",
                                       call.arguments[0]));
    }
    for (const char character : call.arguments[0]) {
        const CharacterKey found = *key_of_character(character);
        const std::string_view names[] = {"shift", found.key};
        TRY(press(call.machine, std::span(names).subspan(found.shift ? 0 : 1)));
    }
    return std::string{};
}

constexpr PhoneAction kActions[] = {
    // clang-format off
    {"battery", "PERCENT [charging|discharging]",                               1, 2, battery},
    {"key",     "NAME...",                                                      1, 8, key},
    {"rotate",  "portrait|landscape|reverse-portrait|reverse-landscape",        1, 1, rotate},
    {"sensor",  "[SENSOR [VALUE[:Y:Z]]]",                                       0, 2, sensor},
    {"swipe",   "X Y TO-X TO-Y [MILLISECONDS]",                                 4, 5, swipe},
    {"tap",     "X Y",                                                          2, 2, tap},
    {"type",    "TEXT",                                                         1, 1, type},
    // clang-format on
};

} // namespace

std::span<const PhoneAction> phone_actions() {
    return kActions;
}

Result<const PhoneAction *> find_phone_action(std::string_view name, std::size_t arguments) {
    const auto *found = std::ranges::find(kActions, name, &PhoneAction::name);
    if (found == std::end(kActions)) {
        std::vector<std::string_view> names;
        for (const PhoneAction &action : kActions) names.push_back(action.name);
        return failure(
            fmt::format("phone: {}: no such action; use {}", name, fmt::join(names, ", ")));
    }
    if (arguments < found->least || arguments > found->most)
        return failure(fmt::format("phone: {}: give it {}", name, found->arguments));
    return found;
}

} // namespace tandem::machine
