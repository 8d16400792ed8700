#include "devices/sensors/smart_battery.h"

#include "devices/core/fdt_node.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::devices {

namespace {

constexpr i64 kCapacity = 4000; ///< milliampere hours
constexpr i64 kEmptyMillivolts = 3500, kFullMillivolts = 4200, kDesignMillivolts = 3850;
constexpr i64 kChargeCurrent = 1500, kDischargeCurrent = 300; ///< milliamperes
constexpr i64 kForever = 0xffff;                              ///< minutes
constexpr u16 kEnergyMode = 1u << 15;                         ///< BatteryMode.CAPACITY_MODE
// BatteryStatus
constexpr i64 kFullyDischarged = 1 << 4, kFullyCharged = 1 << 5, kDischarging = 1 << 6,
              kInitialised = 1 << 7;

enum class Command : u8 {
#define WORD(name, code, value) name = code,
#define TEXT(name, code, value) name = code,
#include "devices/sensors/smart_battery.inc"
#undef TEXT
#undef WORD
};

} // namespace

bool SmartBattery::start(I2cDirection direction) {
    state_.written = 0;
    if (direction == I2cDirection::Read) prepare_answer();
    return true;
}

bool SmartBattery::write(u8 byte) {
    if (state_.written == 0) state_.command = byte;
    if (state_.written == 1) state_.low_byte = byte;
    if (state_.written == 2 && state_.command == static_cast<u8>(Command::BatteryMode))
        state_.mode = static_cast<u16>((byte << 8 | state_.low_byte) & kEnergyMode);
    state_.written = static_cast<u8>(std::min(state_.written + 1, 3));
    return true;
}

u8 SmartBattery::read() {
    return state_.position < state_.answer.size() ? state_.answer[state_.position++] : 0xff;
}

void SmartBattery::prepare_answer() {
    state_.position = 0;
    state_.answer.fill(0xff);
    const auto word = [this](i64 value) {
        state_.answer[0] = static_cast<u8>(value);
        state_.answer[1] = static_cast<u8>(value >> 8);
    };
    // SMBus 2.0, 5.5.7: a block begins with its length.
    const auto text = [this](std::string_view value) {
        state_.answer[0] = static_cast<u8>(value.size());
        std::ranges::copy(value, state_.answer.begin() + 1);
    };
    switch (static_cast<Command>(state_.command)) {
#define WORD(name, code, value)                                                                    \
    case Command::name: word(value); break;
#define TEXT(name, code, value)                                                                    \
    case Command::name: text(value); break;
#include "devices/sensors/smart_battery.inc"
#undef TEXT
#undef WORD
    }
}

i64 SmartBattery::tenths_of_kelvin() const {
    return (world_[Quantity::Temperature][0] + 273'150'000) / (kMicro / 10);
}

i64 SmartBattery::millivolts() const {
    return kEmptyMillivolts + (kFullMillivolts - kEmptyMillivolts) * percent() / 100;
}

i64 SmartBattery::milliamperes() const {
    if (!has_charger()) return percent() == 0 ? 0 : -kDischargeCurrent;
    return percent() == 100 ? 0 : kChargeCurrent;
}

i64 SmartBattery::remaining() const {
    return kCapacity * percent() / 100;
}

i64 SmartBattery::status() const {
    return kInitialised | (percent() == 0 ? kFullyDischarged : 0) |
           (percent() == 100 ? kFullyCharged : 0) | (milliamperes() < 0 ? kDischarging : 0);
}

i64 SmartBattery::in_capacity_mode(i64 capacity) const {
    // Section 5.1.4: units of 10 mWh.
    return (state_.mode & kEnergyMode) != 0 ? capacity * kDesignMillivolts / 10'000 : capacity;
}

i64 SmartBattery::minutes(i64 capacity, i64 current) {
    return current > 0 ? std::min(capacity * 60 / current, kForever) : kForever;
}

void SmartBattery::describe(FdtNode &bus, u8 address) const {
    FdtNode &node = bus.child(fmt::format("battery@{:x}", address));
    node.strings("compatible", {"sbs,sbs-battery"});
    node.cells("reg", {address});
}

} // namespace tandem::devices
