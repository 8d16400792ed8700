#include "devices/gic/gicv3.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

#include <thread>

namespace tandem::devices {
namespace {

using testing::FakeCpuSink;

constexpr u32 encoding(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2) {
    return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
}
constexpr u32 kPmr = encoding(3, 0, 4, 6, 0), kBpr0 = encoding(3, 0, 12, 8, 3),
              kBpr1 = encoding(3, 0, 12, 12, 3), kCtlr = encoding(3, 0, 12, 12, 4),
              kSre = encoding(3, 0, 12, 12, 5), kIgrpen0 = encoding(3, 0, 12, 12, 6),
              kIgrpen1 = encoding(3, 0, 12, 12, 7), kIar1 = encoding(3, 0, 12, 12, 0),
              kEoir1 = encoding(3, 0, 12, 12, 1), kRpr = encoding(3, 0, 12, 11, 3),
              kDir = encoding(3, 0, 12, 11, 1), kAp1r0 = encoding(3, 0, 12, 9, 0),
              kSgi1r = encoding(3, 0, 12, 11, 5), kAp0r1 = encoding(3, 0, 12, 8, 5);

class GicV3Test : public ::testing::Test {
protected:
    GicV3Test() { bring_up(); }

    /// As Linux does: everything Group 1, priority 0xa0, interfaces open.
    void bring_up() {
        write(0x0000, 0x12 | 1); // CTLR: both groups
        for (u32 bank = 1; bank <= 2; ++bank) write(0x080 + bank * 4, ~u32{0});
        for (u32 intid = 32; intid < 96; ++intid) write(0x400 + intid, 0xa0, 0);
        for (u32 cpu = 0; cpu < 3; ++cpu) {
            write_r(cpu, 0x0014, 0);
            write_r(cpu, 0x10080, ~u32{0});
            for (u32 intid = 0; intid < 32; ++intid) write_r(cpu, 0x10400 + intid, 0xa0, 0);
            write_r(cpu, 0x10100, ~u32{0}); // ISENABLER0
            set(cpu, kPmr, 0xf0);
            set(cpu, kIgrpen1, 1);
        }
    }

    void write(u64 offset, u64 value, unsigned size_log2 = 2) {
        ASSERT_TRUE(gic.distributor().write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(gic.distributor().read(offset, size_log2, value));
        return value;
    }
    void write_r(u32 cpu, u64 offset, u64 value, unsigned size_log2 = 2) {
        ASSERT_TRUE(gic.redistributors().write(cpu * 0x20000 + offset, size_log2, value));
    }
    u64 read_r(u32 cpu, u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(gic.redistributors().read(cpu * 0x20000 + offset, size_log2, value));
        return value;
    }
    void set(u32 cpu, u32 reg, u64 value) {
        ASSERT_TRUE(gic.write_system_register(cpu, reg, value));
    }
    u64 get(u32 cpu, u32 reg) {
        u64 value = 0;
        EXPECT_TRUE(gic.read_system_register(cpu, reg, value));
        return value;
    }
    /// Enables an SPI and routes it.
    void enable_spi(u32 intid, u64 route = 0) {
        write(0x100 + intid / 32 * 4, u32{1} << (intid % 32));
        write(0x6000 + intid * 8, route, 3);
    }

    FakeCpuSink cpus;
    GicV3 gic{GicV3Config{.spi_count = 64, .affinities = {0, 1, 0x100}}, cpus};
};

TEST_F(GicV3Test, IdentifiesItselfTruthfully) {
    EXPECT_EQ(read(0x0004), 2u | 1u << 16 | 9u << 19 | 1u << 24);
    EXPECT_EQ(read(0xffe8), 0x3bu);
    EXPECT_EQ(read(0x0000), 0x53u);
    EXPECT_EQ(read_r(0, 0x0008, 3), 0u);
    EXPECT_EQ(read_r(1, 0x0008, 3), u64{1} << 32 | 1 << 8);
    EXPECT_EQ(read_r(2, 0x0008, 3), u64{0x100} << 32 | 2 << 8 | 1 << 4);
    EXPECT_EQ(read_r(2, 0xffe8), 0x3bu);
    EXPECT_EQ(get(0, kSre), 7u);
    EXPECT_EQ(get(0, kCtlr), 4u << 8 | 1u << 15);
}

TEST_F(GicV3Test, WakerHandshakes) {
    write_r(0, 0x14, 2);
    EXPECT_EQ(read_r(0, 0x14), 6u);
    write_r(0, 0x14, 0);
    EXPECT_EQ(read_r(0, 0x14), 0u);
}

TEST_F(GicV3Test, RegistersThatAreNotThereAreUndefined) {
    u64 value = 0;
    EXPECT_FALSE(gic.read_system_register(0, kAp0r1, value));
    EXPECT_FALSE(gic.write_system_register(0, kIar1, 0));
    EXPECT_FALSE(gic.read_system_register(0, kEoir1, value));
}

TEST_F(GicV3Test, DeliversALevelSpi) {
    enable_spi(33);
    gic.set_level(1, true);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_FALSE(cpus.irq(1));
    EXPECT_EQ(get(0, kIar1), 33u);
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(get(0, kRpr), 0xa0u);
    EXPECT_EQ(read(0x304), 2u);
    set(0, kEoir1, 33);
    EXPECT_TRUE(cpus.irq(0)) << "the level is still high";
    EXPECT_EQ(get(0, kIar1), 33u);
    gic.set_level(1, false);
    set(0, kEoir1, 33);
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(get(0, kIar1), 1023u);
    EXPECT_EQ(get(0, kRpr), 0xffu);
}

TEST_F(GicV3Test, LatchesAnEdgeWhileActive) {
    enable_spi(34);
    write(0xc08, 2u << 4); // INTID 34: edge
    gic.set_level(2, true);
    gic.set_level(2, false);
    EXPECT_EQ(get(0, kIar1), 34u);
    gic.set_level(2, true);
    EXPECT_FALSE(cpus.irq(0)) << "active and pending waits";
    set(0, kEoir1, 34);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_EQ(get(0, kIar1), 34u);
    set(0, kEoir1, 34);
    EXPECT_FALSE(cpus.irq(0)) << "a high level is no edge";
}

TEST_F(GicV3Test, RoutesByAffinityAndFollowsARouteChange) {
    enable_spi(40, 0x100);
    gic.set_level(8, true);
    EXPECT_TRUE(cpus.irq(2));
    write(0x6000 + 40 * 8, 1, 3);
    EXPECT_FALSE(cpus.irq(2));
    EXPECT_TRUE(cpus.irq(1));
    EXPECT_EQ(read(0x6000 + 40 * 8, 3), 1u);
    write(0x6000 + 40 * 8, 0x7700, 3); // nobody
    EXPECT_FALSE(cpus.irq(1));
    write(0x6000 + 40 * 8, u64{1} << 31, 2); // any
    EXPECT_TRUE(cpus.irq(0));
    set(0, kIgrpen1, 0);
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_TRUE(cpus.irq(1)) << "1-of-N moves on when the group is disabled";
    EXPECT_EQ(get(1, kIar1), 40u);
    EXPECT_FALSE(cpus.irq(2));
}

TEST_F(GicV3Test, HigherPriorityGoesFirstAndPreempts) {
    enable_spi(33);
    enable_spi(34);
    write(0x400 + 34, 0x40, 0);
    gic.set_level(1, true);
    gic.set_level(2, true);
    EXPECT_EQ(get(0, kIar1), 34u);
    EXPECT_FALSE(cpus.irq(0)) << "33 does not preempt 34";
    set(0, kEoir1, 34);
    EXPECT_EQ(get(0, kIar1), 34u) << "its level is still high";
    gic.set_level(2, false);
    set(0, kEoir1, 34);
    EXPECT_EQ(get(0, kIar1), 33u);
}

TEST_F(GicV3Test, PreemptionNeedsAHigherGroupPriority) {
    enable_spi(33);
    enable_spi(34);
    write(0x400 + 34, 0x98, 0);
    // Binary point 7 leaves Group 1 one bit of group priority: 0x98 and 0xa0 are the same.
    set(0, kBpr1, 7);
    gic.set_level(1, true);
    EXPECT_EQ(get(0, kIar1), 33u);
    EXPECT_EQ(get(0, kRpr), 0x80u);
    gic.set_level(2, true);
    EXPECT_FALSE(cpus.irq(0));
    set(0, kEoir1, 33);
    EXPECT_EQ(get(0, kIar1), 34u);
    gic.set_level(2, false);
    set(0, kEoir1, 34);

    set(0, kBpr1, 0);
    EXPECT_EQ(get(0, kBpr1), 3u) << "the minimum";
    EXPECT_EQ(get(0, kIar1), 33u);
    gic.set_level(2, true);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_EQ(get(0, kIar1), 34u);
    EXPECT_EQ(get(0, kAp1r0), 1u << (0xa0 >> 3) | 1u << (0x98 >> 3));
    EXPECT_EQ(get(0, kRpr), 0x98u);
    set(0, kEoir1, 34);
    EXPECT_EQ(get(0, kRpr), 0xa0u);
}

TEST_F(GicV3Test, PriorityMaskHoldsBack) {
    enable_spi(33);
    set(0, kPmr, 0xa0);
    gic.set_level(1, true);
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(get(0, kIar1), 1023u);
    set(0, kPmr, 0xff);
    EXPECT_EQ(get(0, kPmr), 0xf8u);
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(GicV3Test, SplitEoiDeactivatesByDir) {
    enable_spi(33);
    set(0, kCtlr, 2);
    gic.set_level(1, true);
    EXPECT_EQ(get(0, kIar1), 33u);
    set(0, kEoir1, 33);
    EXPECT_EQ(get(0, kRpr), 0xffu);
    EXPECT_FALSE(cpus.irq(0)) << "still active";
    set(0, kDir, 33);
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(GicV3Test, GroupZeroIsFiq) {
    write(0x084, 0);
    enable_spi(33);
    set(0, kIgrpen0, 1);
    set(0, kBpr0, 0);
    EXPECT_EQ(get(0, kBpr0), 2u);
    gic.set_level(1, true);
    EXPECT_TRUE(cpus.fiq(0));
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(get(0, kIar1), 1023u);
    EXPECT_EQ(gic.acknowledge(0, 0), 33u);
    gic.end_of_interrupt(0, 1, 33); // the wrong group's register does nothing
    EXPECT_EQ(get(0, kRpr), 0xa0u);
    gic.set_level(1, false);
    gic.end_of_interrupt(0, 0, 33);
    EXPECT_EQ(get(0, kRpr), 0xffu);
}

TEST_F(GicV3Test, SgisReachTheirTargets) {
    set(0, kSgi1r, u64{5} << 24 | 0b11);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_TRUE(cpus.irq(1));
    EXPECT_FALSE(cpus.irq(2));
    set(0, kSgi1r, u64{6} << 24 | u64{1} << 16 | 1); // cluster 1, CPU 0
    EXPECT_EQ(get(2, kIar1), 6u);
    EXPECT_EQ(get(1, kIar1), 5u);
    set(1, kEoir1, 5);
    set(1, kSgi1r, u64{1} << 40 | u64{7} << 24); // all but self
    EXPECT_FALSE(cpus.irq(1));
    EXPECT_EQ(get(0, kIar1), 5u);
    set(0, kEoir1, 5);
    EXPECT_EQ(get(0, kIar1), 7u);
}

TEST_F(GicV3Test, PpisArePrivate) {
    gic.set_ppi(1, 27, true);
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_TRUE(cpus.irq(1));
    EXPECT_EQ(read_r(1, 0x10200), 1u << 27);
    EXPECT_EQ(get(1, kIar1), 27u);
    gic.set_ppi(1, 27, false);
    set(1, kEoir1, 27);
    EXPECT_FALSE(cpus.irq(1));
}

TEST_F(GicV3Test, PendingBitsAreWritable) {
    enable_spi(50);
    write(0x204, u32{1} << 18); // ISPENDR1
    EXPECT_TRUE(cpus.irq(0));
    write(0x284, u32{1} << 18); // ICPENDR1
    EXPECT_FALSE(cpus.irq(0));
    write(0x040, 50); // SETSPI_NSR
    EXPECT_TRUE(cpus.irq(0));
    write(0x180 + 4, u32{1} << 18); // ICENABLER1
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(read(0x104), 0u);
}

TEST_F(GicV3Test, DistributorSwitchMasksAll) {
    gic.set_ppi(0, 27, true);
    EXPECT_TRUE(cpus.irq(0));
    write(0x0000, 0);
    EXPECT_FALSE(cpus.irq(0));
    write(0x0000, 2);
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(GicV3Test, ResetDropsTheLinesAndKeepsTheWires) {
    gic.set_ppi(0, 27, true);
    gic.reset();
    EXPECT_FALSE(cpus.irq(0));
    bring_up();
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(GicV3Test, ThreadsDoNotLoseInterrupts) {
    // Every CPU serves what comes to it; SGIs fly between all, and one SPI is raised again and
    // again.
    enable_spi(33, 0x100);
    write(0xc08, 2u << 2); // edge
    constexpr int kRounds = 20000;
    std::array<std::atomic<int>, 3> sgis{};
    std::atomic<int> spis{0};
    const auto serve = [&](u32 cpu) {
        for (;;) {
            const u64 intid = get(cpu, kIar1);
            if (intid == 1023) return;
            if (intid == 33)
                ++spis;
            else
                ++sgis[cpu];
            set(cpu, kEoir1, intid);
        }
    };
    std::vector<std::thread> threads;
    for (u32 cpu = 0; cpu < 3; ++cpu) {
        threads.emplace_back([&, cpu] {
            for (int round = 0; round < kRounds; ++round) {
                set(cpu, kSgi1r, u64{1} << 40 | u64{cpu + 1} << 24);
                if (cpu == 0) {
                    gic.set_level(1, true);
                    gic.set_level(1, false);
                }
                serve(cpu);
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    for (u32 cpu = 0; cpu < 3; ++cpu) {
        serve(cpu);
        EXPECT_GT(sgis[cpu], 0);
        EXPECT_EQ(get(cpu, kRpr), 0xffu);
        EXPECT_FALSE(cpus.irq(cpu));
    }
    EXPECT_GT(spis, 0);
}

TEST_F(GicV3Test, DescribesItself) {
    testing::FakeFdtNode root;
    EXPECT_EQ(gic.describe(root, GuestPhysAddr(0x8000000), GuestPhysAddr(0x80a0000)).phandle(), 1u);
    EXPECT_NE(root.text().find("intc@8000000"), std::string::npos);
    EXPECT_NE(root.text().find("0x80a0000 0x0 0x60000"), std::string::npos) << root.text();
}

} // namespace
} // namespace tandem::devices
