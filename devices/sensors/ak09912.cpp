#include "devices/sensors/ak09912.h"

#include "devices/core/fdt_node.h"

#include <fmt/format.h>

#include <cstdlib>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/sensors/ak09912_registers.inc"
#include "devices/core/register_table.inc"

constexpr u8 kCompany = 0x48, kDevice = 0x04;
enum Mode : u8 {
    PowerDown = 0,
    Single = 1,
    Continuous1 = 2,
    Continuous2 = 4,
    Continuous3 = 6,
    Continuous4 = 8,
};
constexpr i64 kStep = 150'000; ///< 0.15 uT
/// MS1547 8.3: as large as a result gets.
constexpr i64 kMost = 32752;
/// A sensitivity adjustment of 1.
constexpr u8 kNoAdjustment = 128;

constexpr u8 number_of(Register number) {
    return static_cast<u8>(number);
}

} // namespace

void Ak09912::set_reset_values() {
    at(number_of(Register::WIA1)) = kCompany;
    at(number_of(Register::WIA2)) = kDevice;
    for (u8 axis = 0; axis < kMaxAxes; ++axis)
        at(static_cast<u8>(number_of(Register::ASAX) + axis)) = kNoAdjustment;
}

void Ak09912::take_sample() {
    bool overflows = false;
    for (u8 axis = 0; axis < kMaxAxes; ++axis) {
        const i64 counts = to_counts(world()[Quantity::MagneticField][axis], kStep);
        overflows |= std::abs(counts) > kMost;
        put_little_endian(static_cast<u8>(number_of(Register::HX) + 2 * axis), counts);
    }
    at(number_of(Register::ST1)) |= ST1_DRDY;
    at(number_of(Register::ST2)) = overflows ? ST2_HOFL : 0;
}

void Ak09912::measure() {
    switch (at(number_of(Register::CNTL2)) & CNTL2_MODE) {
    case Continuous1:
    case Continuous2:
    case Continuous3:
    case Continuous4: take_sample(); break;
    default: break;
    }
}

void Ak09912::write_register(u8 number, u8 value) {
    if (number == number_of(Register::CNTL3)) {
        if ((value & CNTL3_SRST) != 0) reset();
        return;
    }
    if (number != number_of(Register::CNTL1) && number != number_of(Register::CNTL2)) return;
    at(number) = value;
    if (number != number_of(Register::CNTL2) || (value & CNTL2_MODE) != Single) return;
    take_sample();
    at(number) = PowerDown; // MS1547 9.4.2: by itself
}

void Ak09912::has_read(u8 number) {
    // MS1547 9.4.4: reading a result, or ST2 behind it, makes it an old one.
    if (number >= number_of(Register::HX) && number <= number_of(Register::ST2))
        at(number_of(Register::ST1)) &= static_cast<u8>(~ST1_DRDY);
}

void Ak09912::describe(FdtNode &bus, u8 address) const {
    FdtNode &node = bus.child(fmt::format("magnetometer@{:x}", address));
    node.strings("compatible", {"asahi-kasei,ak09912"});
    node.cells("reg", {address});
}

} // namespace tandem::devices
