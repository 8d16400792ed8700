#include "devices/virtio/rng/virtio_rng.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;

TEST(VirtioRng, GivesAtMostAPageABuffer) {
    testing::FakeMemory memory(0x20000);
    testing::FakeIrqSink irq;
    testing::FakeEntropy entropy;
    VirtioMmio slot("virtio0", std::make_unique<VirtioRng>(entropy), memory, irq.line());
    VirtioDriver driver(slot, memory);
    driver.start(1);
    driver.send(0, 0, {{VirtioDriver::kData, 0x8000, true}});
    EXPECT_EQ(driver.used(0, 0).written, 4096u);
    EXPECT_EQ(memory.get<u8>(VirtioDriver::kData), 1u);
    driver.send(0, 1, {{VirtioDriver::kData, 64, false}}); // nothing to fill
    EXPECT_EQ(driver.used(0, 1).written, 0u);
}

} // namespace
} // namespace tandem::devices
