#include "devices/power/platform_events.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

struct PlatformEventsTest : ::testing::Test {
    u64 read(u64 offset, unsigned size_log2) {
        u64 value = 0;
        EXPECT_TRUE(events.read(offset, size_log2, value));
        return value;
    }
    testing::FakeIrqSink irq;
    int power_offs = 0, resets = 0;
    PlatformEvents events{irq.line(), {[this] { ++power_offs; }, [this] { ++resets; }}};
};

TEST_F(PlatformEventsTest, TellsOfThePowerKeyOnce) {
    events.press_power_key();
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(PlatformEvents::kEvents, 2), PlatformEvents::kPowerKey);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(PlatformEvents::kEvents, 2), 0u);
}

TEST_F(PlatformEventsTest, SleepsAndResetsAsTheTablesSay) {
    constexpr u64 kEnable = 1 << 5;
    ASSERT_TRUE(events.write(PlatformEvents::kSleepControl, 0, 5 << 2));
    ASSERT_TRUE(events.write(PlatformEvents::kSleepControl, 0, 3 << 2 | kEnable));
    EXPECT_EQ(power_offs, 0);
    ASSERT_TRUE(events.write(PlatformEvents::kSleepControl, 0, 5 << 2 | kEnable));
    EXPECT_EQ(power_offs, 1);
    EXPECT_EQ(read(PlatformEvents::kSleepStatus, 0), 0u);
    ASSERT_TRUE(events.write(PlatformEvents::kReset, 0, 2));
    EXPECT_EQ(resets, 0);
    ASSERT_TRUE(events.write(PlatformEvents::kReset, 0, PlatformEvents::kResetValue));
    EXPECT_EQ(resets, 1);
}

} // namespace
} // namespace tandem::devices
