#include "devices/virtio/input/input_kinds.h"

#include <array>

namespace tandem::devices {

namespace {

using Range = std::pair<u16, u16>;

// clang-format off
// Every key that a PC's keyboard may have; none that user space would take for another device's, such as BTN_*.
constexpr Range kKeyboardKeys[] = {{KEY_ESC, KEY_MICMUTE}};
constexpr Range kPointerButtons[] = {{BTN_LEFT, BTN_TASK}};
constexpr Range kTabletButtons[] = {{BTN_LEFT, BTN_TASK}};
constexpr Range kTouchKeys[] = {{BTN_TOUCH, BTN_TOUCH}};
constexpr u16 kLights[] = {LED_NUML, LED_CAPSL, LED_SCROLLL};
constexpr u16 kMouseMovements[] = {REL_X, REL_Y, REL_HWHEEL, REL_WHEEL};
constexpr u16 kTabletMovements[] = {REL_HWHEEL, REL_WHEEL};
constexpr u16 kMouseProperties[] = {INPUT_PROP_POINTER};
constexpr u16 kTouchProperties[] = {INPUT_PROP_DIRECT};
constexpr InputAxis kTabletAxes[] = {{ABS_X, kInputAxisMax}, {ABS_Y, kInputAxisMax}};
constexpr InputAxis kTouchAxes[] = {
    {ABS_X, kInputAxisMax}, {ABS_Y, kInputAxisMax}, {ABS_MT_SLOT, kTouchSlots - 1},
    {ABS_MT_POSITION_X, kInputAxisMax}, {ABS_MT_POSITION_Y, kInputAxisMax}, {ABS_MT_TRACKING_ID, kMaxTrackingId}};

// In the order of InputKind. Products are numbered as QEMU's, which hwdb rules know.
constexpr std::array<InputProfile, 4> kProfiles{{
    {"Tandem Virtio Keyboard",   1, kKeyboardKeys,   {},               kLights, {},               {},          true},
    {"Tandem Virtio Mouse",      2, kPointerButtons, kMouseMovements,  {},      kMouseProperties, {},          false},
    {"Tandem Virtio Tablet",     3, kTabletButtons,  kTabletMovements, {},      {},               kTabletAxes, false},
    {"Tandem Virtio MultiTouch", 4, kTouchKeys,      {},               {},      kTouchProperties, kTouchAxes,  false},
}};
// clang-format on

} // namespace

const InputProfile &profile_of(InputKind kind) {
    return kProfiles[static_cast<std::size_t>(kind)];
}

InputCodes codes_of(const InputProfile &profile, u8 type) {
    InputCodes codes;
    switch (type) {
    case EV_KEY:
        for (const auto &[first, last] : profile.keys)
            for (u32 code = first; code <= last; ++code) codes.set(code);
        break;
    case EV_REL:
        for (const u16 code : profile.relative) codes.set(code);
        break;
    case EV_ABS:
        for (const InputAxis &axis : profile.axes) codes.set(axis.code);
        break;
    case EV_LED:
        for (const u16 code : profile.lights) codes.set(code);
        break;
    case EV_REP:
        if (profile.repeats) codes.set(REP_DELAY).set(REP_PERIOD);
        break;
    default: break;
    }
    return codes;
}

} // namespace tandem::devices
