#include "machine/display/pointer_mapper.h"

#include <algorithm>
#include <utility>

namespace tandem::machine {

using devices::InputKind;

namespace {

/// From one edge of the screen to the other.
u32 scaled(u32 at, u32 size) {
    if (size < 2) return 0;
    return static_cast<u32>(u64{std::min(at, size - 1)} * devices::kInputAxisMax / (size - 1));
}

i32 difference(u32 to, u32 from) {
    return static_cast<i32>(to) - static_cast<i32>(from);
}

} // namespace

PointerMapper::PointerMapper(std::span<const InputKind> inputs) {
    static constexpr std::pair<InputKind, Kind> kInOrder[] = {{InputKind::Tablet, Kind::Tablet},
                                                              {InputKind::Mouse, Kind::Mouse},
                                                              {InputKind::Touch, Kind::Touch}};
    for (const auto &[input, kind] : kInOrder)
        if (kind_ == Kind::None && std::ranges::find(inputs, input) != inputs.end()) kind_ = kind;
}

void PointerMapper::add_buttons(Buttons buttons, std::vector<InputAction> &actions) {
    const Buttons changed = buttons ^ std::exchange(held_, buttons);
    for (const auto &[name, button] : kInputButtons)
        if ((changed & bit(button)) != 0)
            actions.emplace_back(ButtonAction{button, (buttons & bit(button)) != 0});
}

std::vector<InputAction> PointerMapper::touch(u32 x, u32 y, bool is_down) {
    const bool was_down = held_ != 0;
    held_ = is_down ? bit(InputButton::Left) : 0;
    if (!is_down && !was_down) return {};
    if (!is_down) return {TouchAction{TouchKind::End, 0, finger_, {}, 0}};
    if (!was_down) finger_ = (finger_ + 1) % (devices::kMaxTrackingId + 1);
    return {TouchAction{was_down ? TouchKind::Update : TouchKind::Begin, 0, finger_, {}, 0},
            TouchAction{TouchKind::Data, 0, finger_, InputAxisName::X, x},
            TouchAction{TouchKind::Data, 0, finger_, InputAxisName::Y, y}};
}

std::vector<InputAction> PointerMapper::place(u32 x, u32 y, u32 width, u32 height,
                                              Buttons buttons) {
    std::vector<InputAction> actions;
    const i32 by_x = difference(x, x_), by_y = difference(y, y_);
    const bool is_first = !std::exchange(has_place_, true);
    x_ = x;
    y_ = y;
    switch (kind_) {
    case Kind::None: break;
    case Kind::Mouse: return move(is_first ? 0 : by_x, is_first ? 0 : by_y, buttons);
    case Kind::Tablet:
        actions = {PositionAction{InputAxisName::X, scaled(x, width)},
                   PositionAction{InputAxisName::Y, scaled(y, height)}};
        add_buttons(buttons, actions);
        break;
    case Kind::Touch:
        return touch(scaled(x, width), scaled(y, height), (buttons & bit(InputButton::Left)) != 0);
    }
    return actions;
}

std::vector<InputAction> PointerMapper::move(i32 x, i32 y, Buttons buttons) {
    std::vector<InputAction> actions;
    if (kind_ != Kind::Mouse) return actions;
    if (x != 0) actions.emplace_back(MoveAction{InputAxisName::X, x});
    if (y != 0) actions.emplace_back(MoveAction{InputAxisName::Y, y});
    add_buttons(buttons, actions);
    return actions;
}

std::vector<InputAction> PointerMapper::press(Buttons buttons) {
    std::vector<InputAction> actions;
    if (kind_ == Kind::Mouse || kind_ == Kind::Tablet) add_buttons(buttons, actions);
    return actions;
}

std::vector<InputAction> PointerMapper::release() {
    std::vector<InputAction> actions;
    if (kind_ == Kind::Touch) return touch(0, 0, false);
    add_buttons(0, actions);
    return actions;
}

} // namespace tandem::machine
