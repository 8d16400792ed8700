#pragma once
/// The kinds of input devices there are: what each tells the driver of itself.
#include "devices/virtio/input/input_config.h"
#include "support/names.h"

#include <bitset>
#include <linux/input-event-codes.h>
#include <span>
#include <string_view>
#include <utility>

namespace tandem::devices {

enum class InputKind : u8 { Keyboard, Mouse, Tablet, Touch };
inline constexpr std::pair<std::string_view, InputKind> kInputKinds[] = {
    {"keyboard", InputKind::Keyboard},
    {"mouse", InputKind::Mouse},
    {"tablet", InputKind::Tablet},
    {"touch", InputKind::Touch}};

[[nodiscard]] constexpr std::string_view name_of(InputKind kind) {
    return name_in(kInputKinds, kind);
}

/// Positions on tablets and touch screens are 0 to this, whatever the screen's size.
inline constexpr u32 kInputAxisMax = 0x7fff;
/// Fingers that a touch screen tells apart.
inline constexpr u32 kTouchSlots = 10;
inline constexpr u32 kMaxTrackingId = 0xffff;

/// Types of events are below EV_CNT, codes below KEY_CNT.
using InputCodes = std::bitset<KEY_CNT>;

/// An axis of absolute positions.
struct InputAxis {
    u16 code = 0;
    u32 maximum = 0; ///< its minimum is 0
};

struct InputProfile {
    std::string_view name;
    u16 product = 0;
    std::span<const std::pair<u16, u16>> keys; ///< ranges of EV_KEY codes, first and last
    std::span<const u16> relative, lights, properties;
    std::span<const InputAxis> axes;
    bool repeats = false; ///< the driver repeats keys that are held
};

[[nodiscard]] const InputProfile &profile_of(InputKind);

/// The codes of one type of events that a device can tell, or be told; none if it has no such.
[[nodiscard]] InputCodes codes_of(const InputProfile &, u8 type);

} // namespace tandem::devices
