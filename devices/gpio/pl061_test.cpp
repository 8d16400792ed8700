#include "devices/gpio/pl061.h"

#include "devices/gpio/power_key.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

class Pl061Test : public ::testing::Test {
protected:
    void write(u64 offset, u64 value) { ASSERT_TRUE(gpio.write(offset, 2, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(gpio.read(offset, 2, value));
        return value;
    }
    testing::FakeIrqSink irq;
    Pl061 gpio{irq.line()};
};

TEST_F(Pl061Test, AddressSelectsPins) {
    write(0x400, 0xff); // GPIODIR
    write(0x3fc, 0xa5);
    EXPECT_EQ(read(0x3fc), 0xa5u);
    write(0x0f << 2, 0xff); // only the low four
    EXPECT_EQ(read(0x3fc), 0xafu);
    EXPECT_EQ(read(0xf0 << 2), 0xa0u);
}

TEST_F(Pl061Test, PowerKeyInterruptsOnBothEdges) {
    write(0x408, 8); // GPIOIBE
    write(0x410, 8); // GPIOIE
    gpio.set_input(Pl061::kPowerKeyPin, true);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(8 << 2), 8u);
    EXPECT_EQ(read(0x418), 8u);
    write(0x41c, 8); // GPIOIC
    EXPECT_FALSE(irq.level());
    gpio.set_input(Pl061::kPowerKeyPin, false);
    EXPECT_TRUE(irq.level());
}

TEST_F(Pl061Test, PowerKeyComesUpAgain) {
    testing::FakeClock clock;
    PowerKey key(gpio, clock);
    key.press();
    EXPECT_EQ(read(8 << 2), 8u);
    clock.advance(99'000'000);
    EXPECT_EQ(read(8 << 2), 8u);
    clock.advance(1'000'000);
    EXPECT_EQ(read(8 << 2), 0u);
}

TEST_F(Pl061Test, SingleEdgesAndLevels) {
    write(0x40c, 1); // GPIOIEV: rising
    write(0x410, 3);
    gpio.set_input(0, true);
    EXPECT_EQ(read(0x414), 1u);
    write(0x41c, 1);
    gpio.set_input(0, false);
    EXPECT_EQ(read(0x414), 0u);
    write(0x404, 2); // pin 1: low level
    EXPECT_TRUE(irq.level());
    gpio.set_input(1, true);
    EXPECT_FALSE(irq.level());
}

} // namespace
} // namespace tandem::devices
