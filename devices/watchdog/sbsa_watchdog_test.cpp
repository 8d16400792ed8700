#include "devices/watchdog/sbsa_watchdog.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kWrr = 0x0000, kWcs = 0x1000, kWor = 0x1008, kWcv = 0x1010;
constexpr u64 kEnabled = 1, kWs0 = 2, kWs1 = 4;
constexpr u64 kSecond = 1'000'000'000;

class SbsaWatchdogTest : public ::testing::Test {
protected:
    void write(u64 offset, u64 value, unsigned size_log2 = 2) {
        ASSERT_TRUE(watchdog.write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(watchdog.read(offset, size_log2, value));
        return value;
    }
    void start(u64 offset) {
        write(kWor, offset, 3);
        write(kWcs, kEnabled);
    }
    testing::FakeClock clock;
    testing::FakeIrqSink irq;
    int expired = 0;
    SbsaWatchdog watchdog{clock, irq.line(), [this] { ++expired; }};
};

TEST_F(SbsaWatchdogTest, WarnsAndThenExpires) {
    start(10 * kSecond);
    clock.advance(10 * kSecond);
    EXPECT_EQ(read(kWcs), kEnabled) << "the counter has reached the value, and not passed it";
    clock.advance(1);
    EXPECT_EQ(read(kWcs), kEnabled | kWs0);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(expired, 0);
    clock.advance(10 * kSecond + 1);
    EXPECT_EQ(read(kWcs), kEnabled | kWs0 | kWs1);
    EXPECT_EQ(expired, 1);
    clock.advance(100 * kSecond);
    EXPECT_EQ(expired, 1) << "once";
}

TEST_F(SbsaWatchdogTest, IsKeptQuiet) {
    start(10 * kSecond);
    for (int i = 0; i < 5; ++i) {
        clock.advance(9 * kSecond);
        write(kWrr, 0);
        EXPECT_EQ(read(kWcv, 3), clock.now_ns() + 10 * kSecond);
    }
    clock.advance(11 * kSecond);
    EXPECT_TRUE(irq.level());
    write(kWrr, 0);
    EXPECT_FALSE(irq.level()) << "a refresh takes the signals back";
    write(kWcs, 0);
    clock.advance(1000 * kSecond);
    EXPECT_EQ(read(kWcs), 0u);
    EXPECT_EQ(expired, 0);
}

TEST_F(SbsaWatchdogTest, LongOffsetsAndNone) {
    start(u64{0xffff'1234} << 32 | 5); // 48 bits of them
    EXPECT_EQ(read(kWor, 3), u64{0x1234} << 32 | 5);
    clock.advance(u64{0x1234} << 32);
    EXPECT_EQ(read(kWcs), kEnabled);
    start(0);
    clock.advance(2);
    clock.advance(2);
    EXPECT_EQ(expired, 1);
}

TEST_F(SbsaWatchdogTest, TheCompareValueIsNoRefresh) {
    start(kSecond);
    clock.advance(kSecond + 1);
    write(kWcv, clock.now_ns() + 5 * kSecond, 3);
    EXPECT_TRUE(irq.level());
    clock.advance(4 * kSecond);
    EXPECT_EQ(expired, 0);
    clock.advance(2 * kSecond);
    EXPECT_EQ(expired, 1);
}

} // namespace
} // namespace tandem::devices
