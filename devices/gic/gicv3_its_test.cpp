#include "devices/gic/gicv3_its.h"

#include "devices/gic/gicv2m.h"
#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kValid = u64{1} << 63;
constexpr u64 kBase = 0x8080000;
constexpr u32 kIar1 = 3u << 14 | 12u << 7 | 12u << 3, kEoir1 = kIar1 | 1,
              kPmr = 3u << 14 | 4u << 7 | 6u << 3, kIgrpen1 = kIar1 | 7;

/// Three CPUs as Linux leaves them, and an ITS with tables in memory.
class ItsTest : public ::testing::Test {
protected:
    static constexpr u64 kProperties = 0x10000, kPending = 0x20000, kQueue = 0x40000,
                         kDevices = 0x50000, kCollections = 0x51000, kEvents = 0x52000;

    ItsTest() {
        ok(gic.distributor().write(0, 2, 2));
        for (u32 cpu = 0; cpu < 3; ++cpu) {
            set_frame(cpu, 0x70, kProperties | 15, 3);
            set_frame(cpu, 0x78, kPending + cpu * 0x10000, 3);
            set_frame(cpu, 0, 1);
            ok(gic.write_system_register(cpu, kPmr, 0xf0));
            ok(gic.write_system_register(cpu, kIgrpen1, 1));
        }
        for (u64 i = 0; i < 64; ++i) configure(8192 + static_cast<u32>(i), 0xa0, true);
        write(0x100, kValid | kDevices, 3);
        write(0x108, kValid | kCollections, 3);
        write(0x080, kValid | kQueue, 3);
        write(0x000, 1);
        for (u64 cpu = 0; cpu < 3; ++cpu) command({9, 0, kValid | cpu << 16 | cpu, 0}); // MAPC
        map_device(0x10, kEvents, 5);
        map_event(0x10, 3, 8200, 1);
    }
    static void ok(bool result) { ASSERT_TRUE(result); }
    void set_frame(u32 cpu, u64 offset, u64 value, unsigned size_log2 = 2) {
        ok(gic.redistributors().write(cpu * GicV3::kRedistributorSize + offset, size_log2, value));
    }
    void write(u64 offset, u64 value, unsigned size_log2 = 2) {
        ok(its.write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(its.read(offset, size_log2, value));
        return value;
    }
    void configure(u32 intid, u8 priority, bool enabled) {
        memory.put(kProperties + intid - 8192, static_cast<u8>(priority | (enabled ? 1 : 0)));
    }
    void command(std::array<u64, 4> words) {
        memory.put(kQueue + write_offset, words);
        write_offset = (write_offset + 32) % 0x1000;
        write(0x088, write_offset, 3);
        EXPECT_EQ(read(0x090), write_offset) << "the command is done";
    }
    void map_device(u64 device, u64 table, u64 event_bits) {
        command({8 | device << 32, event_bits - 1, kValid | table, 0});
    }
    void map_event(u64 device, u64 event, u64 intid, u64 collection) {
        command({0xa | device << 32, event | intid << 32, collection, 0});
    }
    void message(u32 device, u32 event) { its.send_message(device, kBase + 0x10040, event); }
    u64 acknowledge(u32 cpu) {
        u64 value = 0;
        EXPECT_TRUE(gic.read_system_register(cpu, kIar1, value));
        return value;
    }
    void end(u32 cpu, u64 intid) { ok(gic.write_system_register(cpu, kEoir1, intid)); }

    testing::FakeMemory memory{0x80000};
    testing::FakeCpuSink cpus;
    GicV3 gic{GicV3Config{.spi_count = 32, .affinities = {0, 1, 2}, .memory = &memory}, cpus};
    GicV3Its its{gic, memory, GuestPhysAddr(kBase)};
    u64 write_offset = 0;
};

TEST_F(ItsTest, Identifies) {
    EXPECT_EQ(read(0x008, 3) & 1, 1u);
    EXPECT_EQ(read(0x008, 3) >> 8 & 31, 15u) << "EventID bits less one";
    EXPECT_EQ(read(0x100, 3) >> 56 & 7, 1u) << "devices";
    EXPECT_EQ(read(0x108, 3) >> 56 & 7, 4u) << "collections";
    EXPECT_EQ(read(0x110, 3), 0u);
    EXPECT_EQ(read(0xffe8), 0x3bu);
    u64 typer = 0;
    ok(gic.distributor().read(4, 2, typer));
    EXPECT_EQ(typer >> 17 & 1, 1u) << "LPIS";
    EXPECT_EQ(typer >> 19 & 31, 15u) << "IDbits";
    ok(gic.redistributors().read(8, 2, typer));
    EXPECT_EQ(typer & 1, 1u) << "PLPIS";
}

TEST_F(ItsTest, DeliversAMessage) {
    message(0x10, 3);
    EXPECT_TRUE(cpus.irq(1));
    EXPECT_FALSE(cpus.irq(0));
    EXPECT_EQ(acknowledge(1), 8200u);
    EXPECT_FALSE(cpus.irq(1));
    message(0x10, 3);
    EXPECT_FALSE(cpus.irq(1)) << "its priority is active";
    end(1, 8200);
    EXPECT_TRUE(cpus.irq(1)) << "LPIs have no active state: the second one was pending";
    EXPECT_EQ(acknowledge(1), 8200u);
    end(1, 8200);
    EXPECT_EQ(acknowledge(1), 1023u);
}

TEST_F(ItsTest, IgnoresWhatIsNotMapped) {
    message(0x11, 3);
    message(0x10, 4);
    message(0x10, 32);
    message(0x10, 0xffffffff);
    message(0xffffffff, 3);
    its.send_message(0x10, kBase + 0x10044, 3);
    write(0x10040, 3); // by a CPU: no DeviceID
    map_event(0x10, 5, 8191, 1);
    message(0x10, 5);
    map_event(0x10, 6, 65536, 1);
    message(0x10, 6);
    map_event(0x10, 7, 8201, 9); // no such collection
    message(0x10, 7);
    for (u32 cpu = 0; cpu < 3; ++cpu) EXPECT_FALSE(cpus.irq(cpu));
}

TEST_F(ItsTest, ConfigurationCountsWhenItIsRead) {
    configure(8200, 0xa0, false);
    command({0xc | u64{0x10} << 32, 3, 0, 0}); // INV
    message(0x10, 3);
    EXPECT_FALSE(cpus.irq(1));
    configure(8200, 0xa0, true);
    EXPECT_FALSE(cpus.irq(1));
    command({0xc | u64{0x10} << 32, 3, 0, 0});
    EXPECT_TRUE(cpus.irq(1)) << "it stayed pending";
    configure(8200, 0xf8, true); // not above the mask
    command({0xd, 0, 1, 0});     // INVALL of collection 1
    EXPECT_FALSE(cpus.irq(1));
}

TEST_F(ItsTest, HigherPriorityGoesFirst) {
    map_event(0x10, 4, 8201, 1);
    configure(8201, 0x40, true);
    message(0x10, 3);
    message(0x10, 4);
    EXPECT_EQ(acknowledge(1), 8201u);
    EXPECT_FALSE(cpus.irq(1));
    end(1, 8201);
    EXPECT_EQ(acknowledge(1), 8200u);
}

TEST_F(ItsTest, MovesWithItsPendingState) {
    message(0x10, 3);
    command({1 | u64{0x10} << 32, 3, 2, 0}); // MOVI to collection 2
    EXPECT_FALSE(cpus.irq(1));
    EXPECT_EQ(acknowledge(2), 8200u);
    end(2, 8200);
    message(0x10, 3);
    EXPECT_TRUE(cpus.irq(2));
    command({0xe, 0, u64{2} << 16, 0}); // MOVALL from 2 to 0
    EXPECT_FALSE(cpus.irq(2));
    EXPECT_EQ(acknowledge(0), 8200u);
}

TEST_F(ItsTest, IntClearAndDiscard) {
    command({3 | u64{0x10} << 32, 3, 0, 0});
    EXPECT_TRUE(cpus.irq(1));
    command({4 | u64{0x10} << 32, 3, 0, 0});
    EXPECT_FALSE(cpus.irq(1));
    message(0x10, 3);
    command({0xf | u64{0x10} << 32, 3, 0, 0});
    EXPECT_FALSE(cpus.irq(1));
    message(0x10, 3);
    EXPECT_FALSE(cpus.irq(1));
    command({0xb | u64{0x10} << 32, 9, 1, 0}); // MAPI: the event is no LPI's INTID
    message(0x10, 9);
    EXPECT_FALSE(cpus.irq(1));
    command({8 | u64{0x10} << 32, 0, 0, 0}); // MAPD, not valid
    map_event(0x10, 3, 8200, 1);
    message(0x10, 3);
    EXPECT_FALSE(cpus.irq(1));
}

TEST_F(ItsTest, TwoLevelTables) {
    write(0x000, 0);
    write(0x100, kValid | u64{1} << 62 | kDevices, 3); // pages of 4 KiB: 512 devices each
    write(0x000, 1);
    map_device(0x203, 0x60000, 2);
    map_event(0x203, 1, 8205, 0);
    message(0x203, 1);
    EXPECT_FALSE(cpus.irq(0)) << "the page is not there";
    memory.put(kDevices + 8, kValid | 0x61000);
    map_device(0x203, 0x60000, 2);
    map_event(0x203, 1, 8205, 0);
    message(0x203, 1);
    EXPECT_TRUE(cpus.irq(0));
}

TEST_F(ItsTest, PendingBitsComeFromMemoryAndGoBack) {
    message(0x10, 3);
    set_frame(1, 0, 0);
    EXPECT_FALSE(cpus.irq(1));
    EXPECT_EQ(memory.get<u8>(kPending + 0x10000 + 8200 / 8), 1u << (8200 % 8));
    memory.put(kPending + 0x10000 + 8207 / 8, static_cast<u8>(1u << (8207 % 8)));
    memory.put(kPending + 0x10000 + 8200 / 8, u8{static_cast<u8>(1u << 7 | 1u)});
    set_frame(1, 0, 1);
    EXPECT_EQ(acknowledge(1), 8200u);
    end(1, 8200);
    EXPECT_EQ(acknowledge(1), 8207u);
}

TEST_F(ItsTest, AQueueOutsideMemoryStalls) {
    write(0x000, 0);
    write(0x080, kValid | 0x7fff0000, 3);
    write(0x000, 1);
    write(0x088, 32, 3);
    EXPECT_EQ(read(0x090), 1u);
    write(0x088, 0xfffe0, 3); // beyond the queue
    EXPECT_EQ(read(0x090) & ~u64{1}, 0u);
}

TEST(GicV2m, RingsItsSpis) {
    testing::FakeIrqSink irq;
    GicV2m frame(irq, GuestPhysAddr(0x8020000), 48, 64);
    u64 value = 0;
    ASSERT_TRUE(frame.read(8, 2, value));
    EXPECT_EQ(value, u64{80 << 16 | 64});
    frame.send_message(8, 0x8020040, 80);
    ASSERT_TRUE(frame.write(0x40, 2, 143));
    EXPECT_EQ(irq.edges(48), 1u);
    EXPECT_EQ(irq.edges(111), 1u);
    for (const u32 intid : {0u, 32u, 79u, 144u, ~0u}) frame.send_message(8, 0x8020040, intid);
    frame.send_message(8, 0x8020044, 80);
    EXPECT_EQ(irq.edges(48), 1u);
    EXPECT_EQ(irq.edges(112) + irq.edges(47) + irq.edges(0), 0u);
}

} // namespace
} // namespace tandem::devices
