#include "devices/sensors/bmp280.h"

#include "devices/core/fdt_node.h"

#include <fmt/format.h>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/sensors/bmp280_registers.inc"
#include "devices/core/register_table.inc"

constexpr u8 kIdentity = 0x58;
constexpr u8 kResetWord = 0xb6;
constexpr u32 kNormal = 3; ///< of CTRL_MEAS_MODE

/// DS001 table 17: T1 to T3, P1 to P9 of this chip, those of the manual's example (section 3.12).
constexpr std::array<i32, 12> kCalibration{27504, 26435, -1000, 36477, -10685, 3024,
                                           2855,  140,   -7,    15500, -14600, 6000};
constexpr i64 kT1 = kCalibration[0], kT2 = kCalibration[1], kT3 = kCalibration[2];
constexpr i64 kP1 = kCalibration[3], kP2 = kCalibration[4], kP3 = kCalibration[5],
              kP4 = kCalibration[6], kP5 = kCalibration[7], kP6 = kCalibration[8],
              kP7 = kCalibration[9], kP8 = kCalibration[10], kP9 = kCalibration[11];
constexpr u32 kMaxRaw = 0xf'ffff;
constexpr u32 kSkipped = 0x8'0000; ///< DS001 3.3: what was not measured

/// DS001 3.11.3: the temperature as the pressure's formula wants it, and in hundredths of a degree.
constexpr i64 fine_temperature(i64 raw) {
    const i64 first = ((raw >> 3) - (kT1 << 1)) * kT2 >> 11;
    const i64 second = (((raw >> 4) - kT1) * ((raw >> 4) - kT1) >> 12) * kT3 >> 14;
    return first + second;
}
constexpr i64 hundredths_of(i64 fine) {
    return (fine * 5 + 128) >> 8;
}
/// In 256ths of a pascal.
constexpr i64 pressure_of(i64 raw, i64 fine) {
    i64 first = fine - 128000;
    i64 second = first * first * kP6 + (first * kP5 << 17) + (kP4 << 35);
    first = (first * first * kP3 >> 8) + (first * kP2 << 12);
    first = ((i64{1} << 47) + first) * kP1 >> 33;
    if (first == 0) return 0;
    i64 pressure = 1048576 - raw;
    pressure = ((pressure << 31) - second) * 3125 / first;
    first = kP9 * (pressure >> 13) * (pressure >> 13) >> 25;
    second = kP8 * pressure >> 19;
    return ((pressure + first + second) >> 8) + (kP7 << 4);
}

/// The first raw value of which `is_enough` is true; it is true of all above.
template <typename IsEnough>
u32 find_raw(IsEnough is_enough) {
    u32 low = 0, high = kMaxRaw;
    while (low < high) {
        const u32 middle = (low + high) / 2;
        if (is_enough(middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

constexpr u8 number_of(Register number) {
    return static_cast<u8>(number);
}

} // namespace

void Bmp280::set_reset_values() {
    at(number_of(Register::ID)) = kIdentity;
    for (u8 i = 0; i < kCalibration.size(); ++i)
        put_little_endian(static_cast<u8>(number_of(Register::CALIBRATION) + 2 * i),
                          kCalibration[i]);
    put_result(number_of(Register::PRESS), kSkipped);
    put_result(number_of(Register::TEMP), kSkipped);
}

void Bmp280::put_result(u8 number, u32 raw) {
    put_big_endian(number, raw >> 4);
    at(static_cast<u8>(number + 2)) = static_cast<u8>(raw << 4);
}

void Bmp280::take_sample() {
    const i64 hundredths = world()[Quantity::Temperature][0] / (kMicro / 100);
    const u32 temperature =
        find_raw([&](u32 raw) { return hundredths_of(fine_temperature(raw)) >= hundredths; });
    const i64 fine = fine_temperature(temperature);
    // Hectopascals in millionths to pascals in 256ths.
    const i64 wanted = world()[Quantity::Pressure][0] * 256 / 10'000;
    const u32 pressure = find_raw([&](u32 raw) { return pressure_of(raw, fine) <= wanted; });
    const u32 control = at(number_of(Register::CTRL_MEAS));
    put_result(number_of(Register::TEMP),
               (control & CTRL_MEAS_OSRS_T) != 0 ? temperature : kSkipped);
    put_result(number_of(Register::PRESS), (control & CTRL_MEAS_OSRS_P) != 0 ? pressure : kSkipped);
}

void Bmp280::measure() {
    if ((at(number_of(Register::CTRL_MEAS)) & CTRL_MEAS_MODE) == kNormal) take_sample();
}

void Bmp280::write_register(u8 number, u8 value) {
    switch (static_cast<Register>(number)) {
    case Register::RESET:
        if (value == kResetWord) reset();
        break;
    case Register::CONFIG: at(number) = value; break;
    case Register::CTRL_MEAS:
        at(number) = value;
        if (const u32 mode = value & CTRL_MEAS_MODE; mode != 0 && mode != kNormal) {
            take_sample();
            at(number) &= static_cast<u8>(~CTRL_MEAS_MODE); // DS001 3.6.2: asleep again
        }
        break;
    default: break;
    }
}

void Bmp280::describe(FdtNode &bus, u8 address) const {
    FdtNode &node = bus.child(fmt::format("pressure@{:x}", address));
    node.strings("compatible", {"bosch,bmp280"});
    node.cells("reg", {address});
}

} // namespace tandem::devices
