#include "devices/sensors/register_chip.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tandem::devices {

bool RegisterChip::start(I2cDirection direction) {
    state_.is_selecting = direction == I2cDirection::Write;
    if (direction == I2cDirection::Read) measure();
    return true;
}

bool RegisterChip::write(u8 byte) {
    if (std::exchange(state_.is_selecting, false))
        state_.selected = byte;
    else
        write_register(take_selected(), byte);
    return true;
}

u8 RegisterChip::take_selected() {
    const u8 number = state_.selected;
    if (advances()) ++state_.selected;
    return number;
}

u8 RegisterChip::read() {
    const u8 number = take_selected();
    const u8 value = state_.registers[number];
    has_read(number);
    return value;
}

void RegisterChip::reset() {
    state_.registers.fill(0);
    set_reset_values();
}

void RegisterChip::put_little_endian(u8 number, i64 value) {
    at(number) = static_cast<u8>(value);
    at(static_cast<u8>(number + 1)) = static_cast<u8>(value >> 8);
}

void RegisterChip::put_big_endian(u8 number, i64 value) {
    at(number) = static_cast<u8>(value >> 8);
    at(static_cast<u8>(number + 1)) = static_cast<u8>(value);
}

i64 to_counts(i64 value, i64 step) {
    const i64 half = value < 0 ? -step / 2 : step / 2;
    return std::clamp<i64>((value + half) / step, std::numeric_limits<i16>::min(),
                           std::numeric_limits<i16>::max());
}

} // namespace tandem::devices
