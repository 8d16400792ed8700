#pragma once
/// What the driver and the virtio input device agree on in memory (virtio 1.2 §5.8).
#include "support/bits.h"

#include <array>

namespace tandem::devices::virtio_input {

/// §5.8.4, virtio_input_config_select
enum class Select : u8 {
    Unset = 0x00,
    Name = 0x01,
    Serial = 0x02,
    DeviceIds = 0x03,
    Properties = 0x10,
    EventBits = 0x11, ///< subsel: an EV_* type
    AxisInfo = 0x12,  ///< subsel: an ABS_* axis
};

inline constexpr std::size_t kMaxValue = 128;

/// §5.8.4
struct Config {
    u8 select = 0;
    u8 subselect = 0;
    u8 size = 0;
    std::array<u8, 5> reserved{};
    std::array<u8, kMaxValue> value{};
};
static_assert(sizeof(Config) == 136);

struct AxisInfo {
    u32 minimum = 0;
    u32 maximum = 0;
    u32 fuzz = 0;
    u32 flat = 0;
    u32 resolution = 0; ///< units per millimetre; 0: unknown
};

struct DeviceIds {
    u16 bus = 0;
    u16 vendor = 0;
    u16 product = 0;
    u16 version = 0;
};

/// §5.8.6
struct Event {
    u16 type = 0;
    u16 code = 0;
    u32 value = 0;
};
static_assert(sizeof(Event) == 8);

} // namespace tandem::devices::virtio_input
