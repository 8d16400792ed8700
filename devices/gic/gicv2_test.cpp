#include "devices/gic/gicv2.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

class GicV2Test : public ::testing::Test {
protected:
    GicV2Test() {
        write(0x000, 3);
        for (u32 intid = 0; intid < 96; ++intid) write(0x400 + intid, 0xa0, 0);
        for (u32 cpu = 0; cpu < 2; ++cpu) {
            as(cpu);
            write(0x100, 0xffff0000); // ISENABLER0, banked
            for (u32 intid = 0; intid < 32; ++intid) write(0x400 + intid, 0xa0, 0);
            write_c(0x0004, 0xf0); // PMR
            write_c(0x0000, 1);    // CTLR
        }
        as(0);
    }
    void as(u32 cpu) { identity.cpu = cpu; }
    void write(u64 offset, u64 value, unsigned size_log2 = 2) {
        ASSERT_TRUE(gic.distributor().write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(gic.distributor().read(offset, size_log2, value));
        return value;
    }
    void write_c(u64 offset, u64 value) {
        ASSERT_TRUE(gic.cpu_interface().write(offset, 2, value));
    }
    u64 read_c(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(gic.cpu_interface().read(offset, 2, value));
        return value;
    }
    static constexpr u64 kIar = 0xc, kEoir = 0x10, kRpr = 0x14, kHppir = 0x18, kAiar = 0x20,
                         kAeoir = 0x24, kDir = 0x1000;

    testing::FakeIdentity identity;
    testing::FakeCpuSink cpus;
    GicV2 gic{2, 64, identity, cpus};
};

TEST_F(GicV2Test, IdentifiesItself) {
    EXPECT_EQ(read(0x004), 2u | 1u << 5);
    EXPECT_EQ(read(0xfe8), 0x2bu);
    EXPECT_EQ(read_c(0xfc), 0x2043bu);
}

TEST_F(GicV2Test, TargetsOfPrivateInterruptsShowTheReader) {
    EXPECT_EQ(read(0x800), 0x01010101u);
    as(1);
    EXPECT_EQ(read(0x800), 0x02020202u);
}

TEST_F(GicV2Test, AnSpiForBothIsTakenByOne) {
    write(0x820, 3, 0);
    write(0x104, 1);
    gic.set_level(0, true);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_TRUE(cpus.irq(1));
    EXPECT_EQ(read_c(kIar), 32u);
    EXPECT_FALSE(cpus.irq(1));
    as(1);
    EXPECT_EQ(read_c(kIar), 1023u);
    gic.set_level(0, false);
    as(0);
    write_c(kEoir, 32);
    EXPECT_EQ(read_c(kRpr), 0xffu);
}

TEST_F(GicV2Test, SgisCarryTheirSender) {
    write(0xf00, 1u << 16 | 3); // CPU 0 to itself
    as(1);
    write(0xf00, 1u << 24 | 3); // CPU 1 to the others
    as(0);
    EXPECT_EQ(read(0xf20, 0), 0u);
    EXPECT_EQ(read(0xf23, 0), 3u);
    EXPECT_EQ(read_c(kHppir), 3u);
    EXPECT_EQ(read_c(kIar), 3u);
    write_c(kEoir, 3);
    EXPECT_TRUE(cpus.irq(0));
    EXPECT_EQ(read_c(kIar), 3u | 1u << 10);
    write_c(kEoir, 3u | 1u << 10);
    EXPECT_FALSE(cpus.irq(0));
    as(1);
    EXPECT_FALSE(cpus.irq(1));
}

TEST_F(GicV2Test, GroupsAndTheirAliases) {
    write(0x084, 1); // INTID 32 is Group 1
    write(0x820, 1, 0);
    write(0x104, 1);
    write_c(0x0000, 3);
    gic.set_level(0, true);
    EXPECT_EQ(read_c(kIar), 1022u);
    EXPECT_EQ(read_c(kAiar), 32u);
    gic.set_level(0, false);
    write_c(kAeoir, 32);
    write_c(0x0000, 3 | 4); // AckCtl
    gic.set_level(0, true);
    EXPECT_EQ(read_c(kIar), 32u);
    gic.set_level(0, false);
    write_c(kEoir, 32);
    EXPECT_EQ(read_c(kRpr), 0xffu);
}

TEST_F(GicV2Test, FiqEnableMakesGroupZeroFiq) {
    write_c(0x0000, 1 | 8);
    gic.set_ppi(0, 27, true);
    EXPECT_TRUE(cpus.fiq(0));
    EXPECT_FALSE(cpus.irq(0));
}

TEST_F(GicV2Test, SplitEoi) {
    write_c(0x0000, 1 | 1u << 9);
    gic.set_ppi(0, 27, true);
    EXPECT_EQ(read_c(kIar), 27u);
    write_c(kEoir, 27);
    EXPECT_FALSE(cpus.irq(0));
    write_c(kDir, 27);
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(GicV2Test, UniprocessorHasNoTargets) {
    GicV2 single(1, 32, identity, cpus);
    u64 value = 1;
    ASSERT_TRUE(single.distributor().write(0x820, 2, 0));
    ASSERT_TRUE(single.distributor().read(0x820, 2, value));
    EXPECT_EQ(value, 0u);
    ASSERT_TRUE(single.distributor().write(0x000, 2, 1));
    ASSERT_TRUE(single.distributor().write(0x104, 2, 1));
    ASSERT_TRUE(single.cpu_interface().write(0x4, 2, 0xf0));
    ASSERT_TRUE(single.cpu_interface().write(0x0, 2, 1));
    single.set_level(0, true);
    EXPECT_TRUE(cpus.irq(0));
}

} // namespace
} // namespace tandem::devices
