#include "devices/virtio/transport/virtio_mmio.h"

#include "devices/testing/virtio_driver.h"
#include "devices/virtio/rng/virtio_rng.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;

class VirtioMmioTest : public ::testing::Test {
protected:
    testing::FakeMemory memory{0x10000};
    testing::FakeIrqSink irq;
    testing::FakeEntropy entropy;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioRng>(entropy), memory, irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(VirtioMmioTest, Identifies) {
    EXPECT_EQ(driver.read(0x000), 0x74726976u);
    EXPECT_EQ(driver.read(0x004), 2u);
    EXPECT_EQ(driver.read(0x008), 4u);
    EXPECT_EQ(driver.offered_features(), u64{1} << 32 | u64{3} << 28);
    EXPECT_EQ(driver.read(0x034), 64u);
    driver.write(0x030, 1);
    EXPECT_EQ(driver.read(0x034), 0u) << "there is no second queue";
    EXPECT_EQ(driver.read(0x0b0), 0xffffffffu);
}

TEST_F(VirtioMmioTest, EmptySlotSaysSo) {
    VirtioMmio empty("virtio1", nullptr, memory, irq.line(1));
    VirtioDriver other(empty, memory);
    EXPECT_EQ(other.read(0x000), 0x74726976u);
    EXPECT_EQ(other.read(0x008), 0u);
    other.write(0x070, 1);
    EXPECT_EQ(other.read(0x070), 0u);
}

TEST_F(VirtioMmioTest, RefusesUnknownFeaturesAndLegacyDrivers) {
    driver.negotiate(u64{1} << 32 | u64{1} << 35);
    EXPECT_EQ(driver.read(0x070), 3u);
    driver.negotiate(0);
    EXPECT_EQ(driver.read(0x070), 3u);
    driver.write(0x070, 7);
    EXPECT_EQ(driver.read(0x070), 3u) << "no DRIVER_OK without FEATURES_OK";
    driver.negotiate(u64{1} << 32);
    EXPECT_EQ(driver.read(0x070), 0xbu);
}

TEST_F(VirtioMmioTest, QueueConfigurationIsFixedWhileReady) {
    driver.start(1, u64{1} << 32);
    EXPECT_EQ(driver.read(0x044), 1u);
    driver.write(0x038, 4);
    driver.write(0x080, 0x5000);
    driver.send(0, 0, {{VirtioDriver::kData, 1, true}});
    EXPECT_EQ(driver.used_index(0), 1u);
    driver.write(0x044, 0);
    EXPECT_EQ(driver.read(0x044), 0u);
    driver.send(0, 0, {{VirtioDriver::kData, 1, true}});
    EXPECT_EQ(driver.used_index(0), 1u);
}

TEST_F(VirtioMmioTest, OddQueueSizesAreIgnored) {
    driver.negotiate(u64{1} << 32);
    driver.write(0x030, 0);
    for (const u64 size : {0u, 3u, 65u, 128u, 0xffffffffu}) driver.write(0x038, size);
    driver.write(0x044, 1);
    EXPECT_EQ(driver.read(0x044), 0u) << "a queue without a size cannot be ready";
}

TEST_F(VirtioMmioTest, ResetDropsEverything) {
    driver.start(1);
    driver.send(0, 0, {{VirtioDriver::kData, 1, true}});
    EXPECT_TRUE(irq.level());
    driver.write(0x070, 0);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(driver.read(0x070), 0u);
    EXPECT_EQ(driver.read(0x044), 0u);
    EXPECT_EQ(driver.read(0x060), 0u);
}

TEST_F(VirtioMmioTest, DescribesItself) {
    testing::FakeFdtNode root;
    slot.describe(root, {.base = GuestPhysAddr(0xa000000), .spi = 16});
    EXPECT_EQ(root.text(), "virtio_mmio@a000000 { compatible = \"virtio,mmio\"; reg = <0x0 "
                           "0xa000000 0x0 0x200>; interrupts = <0x0 0x10 0x1>; dma-coherent; } ");
}

} // namespace
} // namespace tandem::devices
