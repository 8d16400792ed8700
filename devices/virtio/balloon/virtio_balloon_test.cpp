#include "devices/virtio/balloon/virtio_balloon.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using namespace testing;
using namespace virtio_balloon;

class VirtioBalloonTest : public ::testing::Test {
protected:
    static constexpr u64 kSecond = 1'000'000'000;
    static constexpr u64 kList = 0x8000; ///< a buffer of the driver

    void fill() {
        for (std::byte &byte : memory.bytes().subspan(0x9000)) byte = std::byte{0xee};
    }
    bool is_zero(u64 page) {
        const auto bytes = memory.bytes().subspan(page * kPageSize, kPageSize);
        return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
    }
    void give(std::initializer_list<u32> pages) {
        u64 at = kList;
        for (const u32 page : pages) {
            memory.put(at, page);
            at += sizeof page;
        }
        driver.send(VirtioBalloon::kInflateQueue, 0, {{kList, static_cast<u32>(at - kList)}});
    }

    FakeMemory memory{1 << 17};
    FakeClock clock;
    FakeIrqSink irq;
    std::vector<u64> changes;
    VirtioBalloon *balloon =
        new VirtioBalloon(clock, {.statistics_ns = kSecond,
                                  .on_change = [this](u64 pages) { changes.push_back(pages); }});
    VirtioMmio slot{"virtio0", std::unique_ptr<VirtioDevice>(balloon), memory, irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(VirtioBalloonTest, AsksForPagesAndGivesThemToTheHost) {
    driver.start(4);
    fill();
    balloon->set_target(3);
    EXPECT_TRUE(irq.level()) << "the driver hears of it";
    EXPECT_EQ(driver.read(0x100), 3u);
    give({16, 17, 20, 19});
    for (const u64 page : std::initializer_list<u64>{16, 17, 19, 20})
        EXPECT_TRUE(is_zero(page)) << page;
    EXPECT_FALSE(is_zero(18));
    EXPECT_EQ(memory.discards(), 2u) << "neighbours together";
    driver.write(0x104, 4);
    driver.write(0x104, 4);
    EXPECT_EQ(changes, std::vector<u64>{4});
    EXPECT_EQ(balloon->actual(), 4u);
    driver.send(VirtioBalloon::kDeflateQueue, 0, {{kList, 8}});
    EXPECT_EQ(driver.used_index(VirtioBalloon::kDeflateQueue), 1u);
    driver.write(0x070, 0);
    EXPECT_EQ(changes.back(), 0u) << "a driver that goes has taken them back";
    EXPECT_EQ(driver.read(0x100), 3u) << "what is asked for stays";
}

TEST_F(VirtioBalloonTest, TakesReportsUnlessFreePagesHaveContent) {
    driver.start(4);
    fill();
    driver.send(3, 0, {{0x10000, 0x3000, true}, {0x15000, 0x1000, true}});
    EXPECT_TRUE(is_zero(0x10) && is_zero(0x12) && is_zero(0x15));
    EXPECT_FALSE(is_zero(0x13));
    fill();
    driver.write(0x10c, 0xaa);
    driver.send(3, 0, {{0x10000, 0x3000, true}});
    EXPECT_FALSE(is_zero(0x10));
    EXPECT_EQ(driver.used_index(3), 2u);
}

TEST_F(VirtioBalloonTest, ReportsMoveUpWithoutStatistics) {
    driver.start(3, driver.offered_features() & ~kFeatureStatistics);
    fill();
    driver.send(2, 0, {{0x10000, 0x1000, true}});
    EXPECT_TRUE(is_zero(0x10));
}

TEST_F(VirtioBalloonTest, AsksForStatisticsNowAndThen) {
    driver.start(4);
    memory.put(kList, Statistic{.tag = 4, .value = 1000});
    memory.put(kList + sizeof(Statistic), Statistic{.tag = 99, .value = 1});
    driver.send(2, 0, {{kList, 2 * sizeof(Statistic)}});
    EXPECT_EQ(balloon->statistics()[4], 1000u);
    EXPECT_FALSE(balloon->statistics()[5].has_value());
    clock.advance(kSecond / 2);
    EXPECT_EQ(driver.used_index(2), 0u);
    clock.advance(kSecond / 2);
    EXPECT_EQ(driver.used_index(2), 1u) << "an answer is wanted";
    memory.put(kList, Statistic{.tag = 4, .value = 2000});
    driver.send(2, 0, {{kList, sizeof(Statistic)}});
    EXPECT_EQ(balloon->statistics()[4], 2000u);
    EXPECT_EQ(kBalloonStatisticNames[4], "stat-free-memory");
}

TEST_F(VirtioBalloonTest, SurvivesPagesThatAreNone) {
    driver.start(4);
    give({~0u, 0x7fff'ffff, 31, 32});
    driver.send(VirtioBalloon::kInflateQueue, 0, {{kList, 3}});
    EXPECT_EQ(driver.used_index(VirtioBalloon::kInflateQueue), 2u);
    EXPECT_FALSE(driver.needs_reset());
}

} // namespace
} // namespace tandem::devices
