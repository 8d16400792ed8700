#pragma once
/// What somebody does with the machine's input devices (QEMU, qapi/ui.json: InputEvent).
#include "support/bits.h"
#include "support/names.h"

#include <string_view>
#include <utility>
#include <variant>

namespace tandem::machine {

enum class InputAxisName : u8 { X, Y };
inline constexpr std::pair<std::string_view, InputAxisName> kInputAxes[] = {
    {"x", InputAxisName::X}, {"y", InputAxisName::Y}};

enum class InputButton : u8 {
    Left,
    Middle,
    Right,
    WheelUp,
    WheelDown,
    Side,
    Extra,
    WheelLeft,
    WheelRight,
    Touch,
};
inline constexpr std::pair<std::string_view, InputButton> kInputButtons[] = {
    {"left", InputButton::Left},
    {"middle", InputButton::Middle},
    {"right", InputButton::Right},
    {"wheel-up", InputButton::WheelUp},
    {"wheel-down", InputButton::WheelDown},
    {"side", InputButton::Side},
    {"extra", InputButton::Extra},
    {"wheel-left", InputButton::WheelLeft},
    {"wheel-right", InputButton::WheelRight},
    {"touch", InputButton::Touch}};

enum class TouchKind : u8 { Begin, Update, End, Cancel, Data };
inline constexpr std::pair<std::string_view, TouchKind> kTouchKinds[] = {
    {"begin", TouchKind::Begin},
    {"update", TouchKind::Update},
    {"end", TouchKind::End},
    {"cancel", TouchKind::Cancel},
    {"data", TouchKind::Data}};

struct KeyAction {
    u16 code = 0; ///< Linux's
    bool down = false;
};
struct ButtonAction {
    InputButton button{};
    bool down = false;
};
struct MoveAction {
    InputAxisName axis{};
    i32 by = 0;
};
struct PositionAction {
    InputAxisName axis{};
    u32 position = 0; ///< 0 to devices::kInputAxisMax: from one edge of the screen to the other
};
struct TouchAction {
    TouchKind kind{};
    u32 slot = 0; ///< which finger, below devices::kTouchSlots
    u32 tracking_id = 0;
    InputAxisName axis{}; ///< of Data
    u32 position = 0;     ///< likewise
};

using InputAction = std::variant<KeyAction, ButtonAction, MoveAction, PositionAction, TouchAction>;

} // namespace tandem::machine
