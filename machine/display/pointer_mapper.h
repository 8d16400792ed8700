#pragma once
/// What somebody does with one pointer, as the machine's devices have it: a tablet if there is one,
/// else a mouse, else a touch screen, where the left button is a finger.
#include "devices/virtio/input/input_kinds.h"
#include "machine/input/input_action.h"

#include <span>
#include <vector>

namespace tandem::machine {

class PointerMapper {
public:
    /// A set of InputButton.
    using Buttons = u32;
    [[nodiscard]] static constexpr Buttons bit(InputButton button) {
        return Buttons{1} << static_cast<unsigned>(button);
    }

    explicit PointerMapper(std::span<const devices::InputKind>);

    /// It is there, in a picture of that size, with these buttons held; a wheel's button is a step
    /// when it goes down.
    [[nodiscard]] std::vector<InputAction> place(u32 x, u32 y, u32 width, u32 height, Buttons);
    /// It has moved, and nobody knows where to.
    [[nodiscard]] std::vector<InputAction> move(i32 x, i32 y, Buttons);
    /// Other buttons, where it is; no finger has any.
    [[nodiscard]] std::vector<InputAction> press(Buttons);
    /// Whoever did it is gone.
    [[nodiscard]] std::vector<InputAction> release();

    /// Whether movements are all that the machine hears of.
    [[nodiscard]] bool is_relative() const { return kind_ == Kind::Mouse; }

private:
    enum class Kind : u8 { None, Mouse, Tablet, Touch };

    void add_buttons(Buttons, std::vector<InputAction> &);
    [[nodiscard]] std::vector<InputAction> touch(u32 x, u32 y, bool is_down);

    Kind kind_ = Kind::None;
    Buttons held_ = 0;
    bool has_place_ = false;
    u32 x_ = 0, y_ = 0; ///< the last place
    u32 finger_ = 0;    ///< the last tracking ID
};

} // namespace tandem::machine
