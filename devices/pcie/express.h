#pragma once
/// The PCI Express capability of a function (PCI Express 5.0, 7.5.3).
#include "devices/pcie/config_space.h"

namespace tandem::devices::express {

enum class Kind : u8 { IntegratedEndpoint, Endpoint, RootPort };

inline constexpr u32 kSize = 0x3c;

/// Offsets in the capability.
enum Register : u32 {
    kCapabilities = 0x02,
    kDeviceControl = 0x08,
    kLinkCapabilities = 0x0c,
    kLinkControl = 0x10,
    kLinkStatus = 0x12,
    kSlotCapabilities = 0x14,
    kSlotControl = 0x18,
    kSlotStatus = 0x1a,
};

inline constexpr u32 kInitiateReset = 1 << 15; ///< of device control
inline constexpr u32 kLinkDisable = 1 << 4;    ///< of link control
inline constexpr u32 kLinkRunning = 0x104,     ///< of link status: speed and width
    kLinkActive = 1 << 13;
inline constexpr u32 kSlotNumberShift = 19; ///< in slot capabilities
inline constexpr u32 kPortNumberShift = 24; ///< in link capabilities

// Slot status; each event's enable in slot control has the same bit, but for the link's.
inline constexpr u32 kButtonPressed = 1 << 0, kPresenceChanged = 1 << 3, kCommandCompleted = 1 << 4,
                     kPresent = 1 << 6, kLinkChanged = 1 << 8;
// Slot control.
inline constexpr u32 kSimpleEvents = 0x1f, kInterruptEnable = 1 << 5, kLinkChangedEnable = 1 << 12,
                     kPowerIndicator = 3 << 8, kPowerIndicatorOn = 1 << 8,
                     kPowerIndicatorBlinks = 2 << 8, kPowerIndicatorOff = 3 << 8,
                     kPowerOff = 1 << 10;

/// Gives the capability at that offset the registers that this kind of function has.
void define(ConfigSpace &, u32 at, Kind);

} // namespace tandem::devices::express
