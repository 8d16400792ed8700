#include "devices/sensors/lsm6dso.h"

#include "devices/core/fdt_node.h"

#include <fmt/format.h>

#include <numbers>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/sensors/lsm6dso_registers.inc"
#include "devices/core/register_table.inc"

constexpr u8 kIdentity = 0x6c;
constexpr u8 kResetControl3 = CTRL3_C_IF_INC;
constexpr u8 kResetControl9 = 0xe0;

// DS12140 table 2, sensitivities, by the full scale selected: millionths of m/s2 and of rad/s.
constexpr double kStandardGravity = 9.80665;
constexpr double kRadians = std::numbers::pi / 180;
constexpr i64 acceleration_step(double milli_g) {
    return static_cast<i64>(milli_g * kStandardGravity * 1e6 + 0.5);
}
constexpr i64 rotation_step(double milli_degrees) {
    return static_cast<i64>(milli_degrees * kRadians * 1e6 + 0.5);
}
/// A thousandth of a unit each, to keep the sensitivities' digits.
constexpr i64 kStepScale = 1000;
constexpr std::array kAccelerationSteps{acceleration_step(0.061), acceleration_step(0.488),
                                        acceleration_step(0.122), acceleration_step(0.244)};
constexpr std::array kRotationSteps{rotation_step(8.75), rotation_step(17.5), rotation_step(35),
                                    rotation_step(70)};
constexpr i64 kFinestRotationStep = rotation_step(4.375);
constexpr i64 kZeroTemperature = 25 * kMicro;
constexpr i64 kTemperatureStep = kMicro / 256;

constexpr u8 number_of(Register number) {
    return static_cast<u8>(number);
}

} // namespace

void Lsm6dso::set_reset_values() {
    at(number_of(Register::WHO_AM_I)) = kIdentity;
    at(number_of(Register::CTRL3_C)) = kResetControl3;
    at(number_of(Register::CTRL9_XL)) = kResetControl9;
}

void Lsm6dso::measure() {
    const u32 acceleration = at(number_of(Register::CTRL1_XL));
    const u32 rotation = at(number_of(Register::CTRL2_G));
    u32 fresh = 0;
    // What is off keeps its last result.
    if ((acceleration & CTRL1_XL_ODR_XL) != 0) {
        const i64 step = kAccelerationSteps[bits(acceleration, 3, 2)];
        for (u8 axis = 0; axis < kMaxAxes; ++axis)
            put_little_endian(static_cast<u8>(number_of(Register::OUTX_A) + 2 * axis),
                              to_counts(world()[Quantity::Acceleration][axis] * kStepScale, step));
        fresh |= STATUS_XLDA;
    }
    if ((rotation & CTRL2_G_ODR_G) != 0) {
        const i64 step = (rotation & CTRL2_G_FS_125) != 0 ? kFinestRotationStep
                                                          : kRotationSteps[bits(rotation, 3, 2)];
        for (u8 axis = 0; axis < kMaxAxes; ++axis)
            put_little_endian(static_cast<u8>(number_of(Register::OUTX_G) + 2 * axis),
                              to_counts(world()[Quantity::Rotation][axis] * kStepScale, step));
        fresh |= STATUS_GDA;
    }
    if (fresh != 0) {
        put_little_endian(
            number_of(Register::OUT_TEMP),
            to_counts(world()[Quantity::Temperature][0] - kZeroTemperature, kTemperatureStep));
        fresh |= STATUS_TDA;
    }
    at(number_of(Register::STATUS)) = static_cast<u8>(fresh);
}

void Lsm6dso::write_register(u8 number, u8 value) {
    if (number == number_of(Register::CTRL3_C)) {
        if ((value & CTRL3_C_SW_RESET) != 0) {
            reset();
            return;
        }
        value &= static_cast<u8>(~CTRL3_C_BOOT); // done at once
    } else if (number == number_of(Register::WHO_AM_I) ||
               (number >= number_of(Register::STATUS) &&
                number < number_of(Register::END_OF_OUTPUTS))) {
        return;
    }
    at(number) = value;
}

bool Lsm6dso::advances() const {
    return (at(number_of(Register::CTRL3_C)) & CTRL3_C_IF_INC) != 0;
}

void Lsm6dso::describe(FdtNode &bus, u8 address) const {
    FdtNode &node = bus.child(fmt::format("imu@{:x}", address));
    node.strings("compatible", {"st,lsm6dso"});
    node.cells("reg", {address});
    node.flag("st,disable-sensor-hub");
}

} // namespace tandem::devices
