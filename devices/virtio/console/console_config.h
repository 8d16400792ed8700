#pragma once
/// What the driver and the virtio console agree on in memory (virtio 1.2 §5.3).
#include "support/bits.h"

namespace tandem::devices::virtio_console {

// Feature bits, §5.3.3.
inline constexpr u64 kFeatureMultiport = u64{1} << 1;
inline constexpr u64 kFeatureEmergencyWrite = u64{1} << 2;

/// §5.3.4
struct Config {
    u16 columns = 0;
    u16 rows = 0;
    u32 max_ports = 0;
    u32 emergency_write = 0;
};
static_assert(sizeof(Config) == 12);

/// Messages of the control queues, §5.3.6.2; the name of a port follows its message.
struct Control {
    u32 port = 0;
    u16 event = 0;
    u16 value = 0;
};
static_assert(sizeof(Control) == 8);
inline constexpr u16 kDeviceReady = 0, kPortAdd = 1, kPortReady = 3, kConsolePort = 4,
                     kPortOpen = 6, kPortName = 7;

} // namespace tandem::devices::virtio_console
