#include "machine/sensors/sensor_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace tandem::machine {
namespace {

using devices::Quantity;
using devices::QuantityValue;

TEST(SensorText, ComesBackExactly) {
    for (std::size_t i = 0; i < std::size(devices::kQuantities); ++i) {
        const auto quantity = static_cast<Quantity>(i);
        EXPECT_EQ(parse_quantity(info_of(quantity).name).value(), quantity);
        for (const i64 micro : {info_of(quantity).least, info_of(quantity).most, i64{123'457},
                                info_of(quantity).at_first[0]}) {
            QuantityValue value{};
            for (std::size_t axis = 0; axis < info_of(quantity).axes; ++axis)
                value[axis] = std::clamp(micro, info_of(quantity).least, info_of(quantity).most);
            EXPECT_EQ(parse_value(quantity, to_text(quantity, value)).value(), value)
                << to_text(quantity, value);
        }
    }
    EXPECT_EQ(to_text(Quantity::Acceleration, {0, -9'810'000, 1}), "0:-9.81:1e-06");
}

TEST(SensorText, RefusesTheRest) {
    EXPECT_NE(parse_quantity("speed").error().message.find("acceleration"), std::string::npos);
    for (const auto *bad : {"", "1", "1:2", "1:2:3:4", "1:2:", "1:2:x", "1:2:3 ", "nan:0:0",
                            "inf:0:0", "161:0:0", "0:-161:0", "1e400:0:0"})
        EXPECT_FALSE(parse_value(Quantity::Acceleration, bad).has_value()) << bad;
    const double numbers[] = {std::numeric_limits<double>::quiet_NaN()};
    EXPECT_FALSE(to_value(Quantity::Light, numbers).has_value());
    EXPECT_EQ(parse_value(Quantity::BatteryLevel, "101").error().message,
              "battery: 101 is beyond its range; use 0 to 100 %");
}

} // namespace
} // namespace tandem::machine
