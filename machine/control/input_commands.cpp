#include "machine/control/input_commands.h"

#include "machine/control/json_member.h"
#include "machine/control/qmp_answers.h"
#include "machine/input/key_codes.h"

#include <fmt/format.h>

#include <limits>

namespace tandem::machine {

namespace {

using nlohmann::json;
using Action = std::expected<InputAction, QmpError>;

/// More at once is nobody's hands.
constexpr std::size_t kMaxActions = 256;

std::unexpected<QmpError> expects(std::string_view name, std::string_view what) {
    return refused(fmt::format("Parameter '{}' expects {}", name, what));
}

/// A member of this name and sort; else an empty value.
const json &member(const json &object, const char *name) {
    static const json kNone;
    if (!object.is_object()) return kNone;
    const auto found = object.find(name);
    return found != object.end() ? *found : kNone;
}

template <typename T>
std::optional<T> number_member(const json &object, const char *name) {
    const json &value = member(object, name);
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() &&
        value.get<u64>() > static_cast<u64>(std::numeric_limits<i64>::max()))
        return std::nullopt;
    const auto number = value.get<i64>();
    if (!std::in_range<T>(number)) return std::nullopt;
    return static_cast<T>(number);
}

template <typename Value, std::size_t N>
std::optional<Value> named_member(const std::pair<std::string_view, Value> (&names)[N],
                                  const json &object, const char *name) {
    return value_in(names, text_member(object, name));
}

/// A KeyValue.
std::expected<u16, QmpError> key_of(const json &value) {
    const std::string type = text_member(value, "type");
    std::optional<u16> code;
    if (type == "qcode")
        code = key_named(text_member(value, "data"));
    else if (type == "number")
        code = key_numbered(number_member<i64>(value, "data").value_or(0));
    if (code.has_value()) return *code;
    const json &data = member(value, "data");
    return refused(fmt::format("Parameter 'key' does not accept value '{}'",
                               data.is_string()
                                   ? data.get<std::string>()
                                   : data.dump(-1, ' ', true, json::error_handler_t::replace)));
}

Action key_action(const json &data) {
    const auto code = key_of(member(data, "key"));
    if (!code.has_value()) return std::unexpected(code.error());
    const json &down = member(data, "down");
    if (!down.is_boolean()) return expects("down", "true or false");
    return KeyAction{*code, down.get<bool>()};
}

Action button_action(const json &data) {
    const auto button = named_member(kInputButtons, data, "button");
    if (!button.has_value()) return expects("button", "the name of a button");
    const json &down = member(data, "down");
    if (!down.is_boolean()) return expects("down", "true or false");
    return ButtonAction{*button, down.get<bool>()};
}

Action move_action(const json &data) {
    const auto axis = named_member(kInputAxes, data, "axis");
    if (!axis.has_value()) return expects("axis", "x or y");
    const auto by = number_member<i32>(data, "value");
    if (!by.has_value()) return expects("value", "a 32-bit integer");
    return MoveAction{*axis, *by};
}

Action position_action(const json &data) {
    const auto axis = named_member(kInputAxes, data, "axis");
    if (!axis.has_value()) return expects("axis", "x or y");
    const auto position = number_member<u32>(data, "value");
    if (!position.has_value())
        return expects("value", fmt::format("a value of 0 to {}", devices::kInputAxisMax));
    return PositionAction{*axis, *position};
}

Action touch_action(const json &data) {
    TouchAction finger;
    const auto kind = named_member(kTouchKinds, data, "type");
    if (!kind.has_value()) return expects("type", "begin, update, end, cancel or data");
    finger.kind = *kind;
    const auto slot = number_member<u32>(data, "slot");
    if (!slot.has_value())
        return expects("slot", fmt::format("a value of 0 to {}", devices::kTouchSlots - 1));
    finger.slot = *slot;
    if (finger.kind == TouchKind::Begin || finger.kind == TouchKind::Update) {
        const auto id = number_member<u32>(data, "tracking-id");
        if (!id.has_value())
            return expects("tracking-id",
                           fmt::format("a value of 0 to {}", devices::kMaxTrackingId));
        finger.tracking_id = *id;
    }
    if (finger.kind != TouchKind::Data) return finger;
    const Action place = position_action(data);
    if (!place.has_value()) return place;
    finger.axis = std::get<PositionAction>(*place).axis;
    finger.position = std::get<PositionAction>(*place).position;
    return finger;
}

struct ActionRow {
    std::string_view type;
    Action (*parse)(const json &data);
};
constexpr ActionRow kActions[] = {{"key", key_action},
                                  {"btn", button_action},
                                  {"rel", move_action},
                                  {"abs", position_action},
                                  {"mtt", touch_action}};

} // namespace

QmpResult input_send_event(MachineControl &machine, const json &arguments) {
    if (arguments.contains("device"))
        return std::unexpected(
            QmpError{"DeviceNotFound",
                     fmt::format("Device '{}' not found", arguments["device"].get<std::string>())});
    std::vector<InputAction> actions;
    if (arguments["events"].size() > kMaxActions)
        return expects("events", fmt::format("at most {} events", kMaxActions));
    for (const json &event : arguments["events"]) {
        const auto *row = std::ranges::find(kActions, text_member(event, "type"), &ActionRow::type);
        if (row == std::end(kActions)) return expects("type", "key, btn, rel, abs or mtt");
        const Action action = row->parse(member(event, "data"));
        if (!action.has_value()) return std::unexpected(action.error());
        actions.push_back(*action);
    }
    return done(machine.send_input(actions));
}

QmpResult send_key(MachineControl &machine, const json &arguments) {
    static constexpr i64 kMillisecond = 1'000'000, kMostMs = InputHub::kMaxHoldNs / kMillisecond;
    static constexpr std::size_t kMostKeys = 16; // of QEMU's monitor
    u64 hold_ns = InputHub::kDefaultHoldNs;
    if (arguments.contains("hold-time")) {
        const auto ms = number_member<i64>(arguments, "hold-time");
        if (!ms.has_value() || *ms < 0 || *ms > kMostMs)
            return expects("hold-time", fmt::format("a value of 0 to {}", kMostMs));
        hold_ns = static_cast<u64>(*ms * kMillisecond);
    }
    std::vector<u16> codes;
    if (arguments["keys"].size() > kMostKeys)
        return expects("keys", fmt::format("at most {} keys", kMostKeys));
    for (const json &key : arguments["keys"]) {
        const auto code = key_of(key);
        if (!code.has_value()) return std::unexpected(code.error());
        codes.push_back(*code);
    }
    return done(machine.press_keys(std::move(codes), hold_ns));
}

QmpResult query_mice(MachineControl &machine, const json & /*arguments*/) {
    json list = json::array();
    for (const PointerInfo &pointer : machine.pointers())
        list.push_back({{"name", pointer.name},
                        {"index", pointer.index},
                        {"current", pointer.is_current},
                        {"absolute", pointer.is_absolute}});
    return list;
}

} // namespace tandem::machine
