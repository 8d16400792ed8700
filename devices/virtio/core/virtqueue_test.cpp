/// The queue itself, through the simplest device there is: entropy.
#include "devices/virtio/core/virtqueue.h"

#include "devices/testing/virtio_driver.h"
#include "devices/virtio/rng/virtio_rng.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;
constexpr u64 kIndirect = u64{1} << 28, kEventIndex = u64{1} << 29, kVersion1 = u64{1} << 32;
constexpr u64 kData = VirtioDriver::kData;

class VirtqueueTest : public ::testing::Test {
protected:
    testing::FakeMemory memory{0x10000};
    testing::FakeIrqSink irq;
    testing::FakeEntropy entropy;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioRng>(entropy), memory, irq.line()};
    VirtioDriver driver{slot, memory};

    /// Whether the device gave up on what the ring held.
    void expect_broken() {
        EXPECT_TRUE(driver.needs_reset());
        EXPECT_EQ(driver.read(0x060), 2u) << "a configuration change tells the driver";
        EXPECT_EQ(driver.used_index(0), 0u);
        // A reset mends it.
        driver.start(1, kVersion1 | kIndirect);
        driver.send(0, 0, {{kData, 8, true}});
        EXPECT_FALSE(driver.needs_reset());
        EXPECT_EQ(driver.used_index(0), 1u);
    }
};

TEST_F(VirtqueueTest, FillsADescriptorChain) {
    driver.start(1, kVersion1);
    driver.send(0, 3, {{kData, 4, true}, {kData + 0x100, 4, true}});
    EXPECT_EQ(driver.used_index(0), 1u);
    EXPECT_EQ(driver.used(0, 0).head, 3u);
    EXPECT_EQ(driver.used(0, 0).written, 8u);
    EXPECT_EQ(memory.get<u32>(kData), 0x04030201u);
    EXPECT_EQ(memory.get<u32>(kData + 0x100), 0x08070605u);
    EXPECT_GE(memory.reported_bytes(), 8u + 8u + 2u);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(driver.read(0x060), 1u);
    driver.write(0x064, 1);
    EXPECT_FALSE(irq.level());
}

TEST_F(VirtqueueTest, FollowsIndirectTables) {
    driver.start(1, kVersion1 | kIndirect);
    // Longer than the queue itself.
    std::vector<VirtioDriver::Piece> pieces;
    for (u64 i = 0; i < 20; ++i) pieces.push_back({kData + i * 16, 2, true});
    driver.chain(0x6000, 0, pieces);
    driver.descriptor(VirtioDriver::base(0), 0, 0x6000, 20 * 16, 4, 0);
    driver.offer(0, 0);
    driver.notify(0);
    EXPECT_EQ(driver.used(0, 0).written, 40u);
    EXPECT_EQ(memory.get<u16>(kData + 19 * 16), 0x2827u);
}

TEST_F(VirtqueueTest, WrapsAround) {
    driver.start(1, kVersion1);
    for (u16 i = 0; i < 1000; ++i) driver.send(0, i % 8, {{kData, 1, true}});
    EXPECT_EQ(driver.used_index(0), 1000u);
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtqueueTest, HonoursNoInterrupt) {
    driver.start(1, kVersion1);
    memory.put(VirtioDriver::base(0) + 0x400, u16{1});
    driver.send(0, 0, {{kData, 1, true}});
    EXPECT_EQ(driver.used_index(0), 1u);
    EXPECT_FALSE(irq.level());
}

TEST_F(VirtqueueTest, HonoursEventIndices) {
    driver.start(1, kVersion1 | kEventIndex);
    driver.set_used_event(0, 2); // after the third
    driver.send(0, 0, {{kData, 1, true}});
    EXPECT_EQ(driver.available_event(0), 1u);
    driver.send(0, 1, {{kData, 1, true}});
    EXPECT_FALSE(irq.level());
    driver.send(0, 2, {{kData, 1, true}});
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(driver.available_event(0), 3u);
}

TEST_F(VirtqueueTest, IgnoresNotificationsBeforeDriverOk) {
    driver.negotiate(kVersion1);
    driver.start_queue(0);
    driver.send(0, 0, {{kData, 1, true}});
    EXPECT_EQ(driver.used_index(0), 0u);
    driver.write(0x070, 0xf);
    EXPECT_EQ(driver.used_index(0), 1u) << "what waits is served at DRIVER_OK";
}

TEST_F(VirtqueueTest, ALoopIsBroken) {
    driver.start(1, kVersion1);
    driver.descriptor(VirtioDriver::base(0), 0, kData, 4, 3, 1);
    driver.descriptor(VirtioDriver::base(0), 1, kData, 4, 3, 0);
    driver.offer(0, 0);
    driver.notify(0);
    expect_broken();
}

TEST_F(VirtqueueTest, ABadHeadIsBroken) {
    driver.start(1, kVersion1);
    driver.offer(0, 8);
    driver.notify(0);
    expect_broken();
}

TEST_F(VirtqueueTest, ABadNextIsBroken) {
    driver.start(1, kVersion1);
    driver.descriptor(VirtioDriver::base(0), 0, kData, 4, 3, 0xffff);
    driver.offer(0, 0);
    driver.notify(0);
    expect_broken();
}

TEST_F(VirtqueueTest, AJumpingIndexIsBroken) {
    driver.start(1, kVersion1);
    memory.put(VirtioDriver::base(0) + 0x402, u16{9});
    driver.notify(0);
    expect_broken();
}

TEST_F(VirtqueueTest, MemoryThatIsNotThereIsBroken) {
    for (const auto &[address, length] : std::vector<std::pair<u64, u32>>{
             {0xfff8, 16}, {0x10000, 1}, {~u64{0} - 3, 8}, {kData, ~u32{0}}}) {
        driver.start(1, kVersion1);
        driver.send(0, 0, {{address, length, true}});
        EXPECT_TRUE(driver.needs_reset());
    }
}

TEST_F(VirtqueueTest, ReadableAfterWritableIsBroken) {
    driver.start(1, kVersion1);
    driver.send(0, 0, {{kData, 4, true}, {kData, 4, false}});
    expect_broken();
}

TEST_F(VirtqueueTest, BadIndirectTablesAreBroken) {
    const auto attempt = [this](u32 length, u16 flags, u16 inner_flags) {
        driver.start(1, kVersion1 | kIndirect);
        driver.descriptor(0x6000, 0, kData, 4, inner_flags, 0);
        driver.descriptor(VirtioDriver::base(0), 0, 0x6000, length, flags, 1);
        driver.descriptor(VirtioDriver::base(0), 1, kData, 4, 2, 0);
        driver.offer(0, 0);
        driver.notify(0);
        return driver.needs_reset();
    };
    EXPECT_FALSE(attempt(16, 4, 2));
    EXPECT_TRUE(attempt(0, 4, 2));
    EXPECT_TRUE(attempt(17, 4, 2));
    EXPECT_TRUE(attempt(16, 4 | 1, 2)) << "NEXT beside INDIRECT";
    EXPECT_TRUE(attempt(16, 4, 4)) << "a table in a table";
    EXPECT_TRUE(attempt(16, 4, 3)) << "a loop in the table";
    EXPECT_TRUE(attempt(0x100000, 4, 2)) << "a table outside of memory";
}

TEST_F(VirtqueueTest, BadRingAddressesAreBroken) {
    for (const u64 address : {u64{0x10000}, ~u64{0} & ~u64{15}, u64{0x1001}}) {
        driver.negotiate(kVersion1);
        driver.start_queue(0);
        driver.write(0x044, 0);
        driver.write(0x080, address & 0xffffffff);
        driver.write(0x084, address >> 32);
        driver.write(0x044, 1);
        driver.write(0x070, 0xf);
        EXPECT_TRUE(driver.needs_reset());
    }
}

TEST_F(VirtqueueTest, SurvivesASnapshotInService) {
    driver.start(1, kVersion1 | kEventIndex);
    driver.set_used_event(0, 0);
    driver.send(0, 0, {{kData, 1, true}});
    StateWriter writer;
    slot.save(writer);

    VirtioMmio copy("virtio0", std::make_unique<VirtioRng>(entropy), memory, irq.line(1));
    StateReader reader(writer.data());
    copy.pause();
    const auto result = copy.restore(reader);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_TRUE(irq.level(1));
    VirtioDriver other(copy, memory);
    driver.chain(VirtioDriver::base(0), 1, {{kData, 2, true}});
    driver.offer(0, 1);
    copy.resume();
    EXPECT_EQ(other.used_index(0), 2u);
    EXPECT_EQ(other.used(0, 1).head, 1u);
}

} // namespace
} // namespace tandem::devices
