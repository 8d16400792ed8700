#include "devices/sensors/stk3310.h"

#include "devices/core/fdt_node.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/sensors/stk3310_registers.inc"
#include "devices/core/register_table.inc"

constexpr u8 kIdentity = 0x13;
constexpr i64 kMaxCount = 0xffff;
/// Light for each count, by gain: millionths of a lux.
constexpr std::array<i64, 4> kLightSteps{6'400'000, 1'600'000, 400'000, 100'000};

/// The light of its own lamp that comes back falls with the square of the way.
constexpr i64 reflected_count(i64 distance) {
    constexpr i64 kHousing = kMicro / 2; ///< the sensor lies 5 mm below the glass
    constexpr i64 kAtOneCm = 16'000;
    const i64 way = distance + kHousing;
    return std::min(kMaxCount, kAtOneCm * kMicro / way * kMicro / way);
}
static_assert(reflected_count(5 * kMicro) == Stk3310::kNearCount);

constexpr u8 number_of(Register number) {
    return static_cast<u8>(number);
}

} // namespace

void Stk3310::set_reset_values() {
    at(number_of(Register::PDT_ID)) = kIdentity;
    put_big_endian(number_of(Register::THDH_PS), kMaxCount);
}

void Stk3310::measure() {
    const u32 state = at(number_of(Register::STATE));
    if ((state & STATE_EN_PS) != 0)
        put_big_endian(number_of(Register::DATA_PS),
                       reflected_count(world()[Quantity::Proximity][0]));
    if ((state & STATE_EN_ALS) != 0) {
        const i64 step = kLightSteps[bits(u32{at(number_of(Register::ALSCTRL))}, 5, 4)];
        put_big_endian(number_of(Register::DATA_ALS),
                       std::min(kMaxCount, world()[Quantity::Light][0] / step));
    }
}

void Stk3310::write_register(u8 number, u8 value) {
    if (number == number_of(Register::SOFT_RESET)) {
        reset();
        return;
    }
    const bool is_result =
        number >= number_of(Register::DATA_PS) && number < number_of(Register::DATA_ALS) + 2;
    if (!is_result && number != number_of(Register::PDT_ID)) at(number) = value;
}

void Stk3310::describe(FdtNode &bus, u8 address) const {
    FdtNode &node = bus.child(fmt::format("light-sensor@{:x}", address));
    node.strings("compatible", {"sensortek,stk3310"});
    node.cells("reg", {address});
    node.cells("proximity-near-level", {kNearCount});
}

} // namespace tandem::devices
