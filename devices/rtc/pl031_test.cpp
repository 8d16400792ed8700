#include "devices/rtc/pl031.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kDr = 0x00, kMr = 0x04, kLr = 0x08, kImsc = 0x10, kRis = 0x14, kMis = 0x18,
              kIcr = 0x1c;
constexpr u64 kSecond = 1'000'000'000;

class Pl031Test : public ::testing::Test {
protected:
    void write(u64 offset, u64 value) { ASSERT_TRUE(rtc.write(offset, 2, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(rtc.read(offset, 2, value));
        return value;
    }
    testing::FakeClock clock;
    testing::FakeIrqSink irq;
    Pl031 rtc{clock, irq.line()};
};

TEST_F(Pl031Test, TellsAndSetsTheTime) {
    EXPECT_EQ(read(kDr), testing::FakeClock::kEpoch);
    clock.advance(3 * kSecond);
    EXPECT_EQ(read(kDr), testing::FakeClock::kEpoch + 3);
    write(kLr, 100);
    EXPECT_EQ(read(kLr), 100u);
    clock.advance(2 * kSecond);
    EXPECT_EQ(read(kDr), 102u);
    rtc.reset();
    EXPECT_EQ(read(kDr), 102u) << "a reset of the machine does not stop the clock";
}

TEST_F(Pl031Test, AlarmRings) {
    write(kImsc, 1);
    write(kMr, read(kDr) + 5);
    clock.advance(4 * kSecond);
    EXPECT_FALSE(irq.level());
    clock.advance(1 * kSecond);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(kMis), 1u);
    write(kImsc, 0);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(kRis), 1u);
    write(kIcr, 1);
    EXPECT_EQ(read(kRis), 0u);
}

} // namespace
} // namespace tandem::devices
