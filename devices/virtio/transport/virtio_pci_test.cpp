#include "devices/virtio/transport/virtio_pci.h"

#include "devices/testing/pci_frame.h"
#include "devices/virtio/blk/virtio_blk.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::PciFrame;

class VirtioPciTest : public ::testing::Test {
protected:
    static constexpr u64 kMsix = PciFrame::bar(1), kCommon = PciFrame::bar(4);
    static constexpr u64 kIsr = kCommon + 0x1000, kConfig = kCommon + 0x2000,
                         kNotify = kCommon + 0x3000;
    static constexpr u64 kRing = 0x1000, kData = 0x8000;

    VirtioPciTest() { function.connect(bus, 1); }

    void write(u64 offset, u64 value, unsigned size_log2) {
        ASSERT_TRUE(frame.write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2) {
        u64 value = 0;
        EXPECT_TRUE(frame.read(offset, size_log2, value));
        return value;
    }
    void negotiate(u64 features) {
        write(kCommon + 0x14, 0, 0);
        write(kCommon + 0x14, 3, 0);
        write(kCommon + 0x08, 0, 2);
        write(kCommon + 0x0c, features & 0xffffffff, 2);
        write(kCommon + 0x08, 1, 2);
        write(kCommon + 0x0c, features >> 32, 2);
        write(kCommon + 0x14, 0xb, 0);
    }
    /// Queue 0 of eight, with vector 1.
    void start() {
        write(pci::kCommand, 6, 1);
        negotiate(u64{1} << 32);
        write(kCommon + 0x16, 0, 1);
        write(kCommon + 0x18, 8, 1);
        write(kCommon + 0x1a, 1, 1);
        write(kCommon + 0x20, kRing, 2);
        write(kCommon + 0x24, 0, 2);
        write(kCommon + 0x28, kRing + 0x400, 3);
        write(kCommon + 0x30, kRing + 0x800, 3);
        write(kCommon + 0x1c, 1, 1);
        write(kCommon + 0x14, 0xf, 0);
    }
    /// A request for the disk's identity.
    void ask() {
        memory.put(kData, u64{8});
        memory.put(kData + 8, u64{0});
        const auto descriptor = [this](u64 index, u64 address, u32 length, u16 flags) {
            memory.put(kRing + index * 16, address);
            memory.put(kRing + index * 16 + 8, length);
            memory.put(kRing + index * 16 + 12, flags);
            memory.put(kRing + index * 16 + 14, static_cast<u16>(index + 1));
        };
        descriptor(0, kData, 16, 1);
        descriptor(1, kData + 0x100, 21, 2);
        const u16 index = memory.get<u16>(kRing + 0x402);
        memory.put(kRing + 0x404 + index % 8 * 2, u16{0});
        memory.put(kRing + 0x402, static_cast<u16>(index + 1));
    }
    u16 used() { return memory.get<u16>(kRing + 0x802); }
    void enable_msix() {
        write(0x42, 0x8000, 1);
        write(kMsix + 16, 0x08080040, 3);
        write(kMsix + 24, 33, 2);
        write(kMsix + 28, 0, 2);
    }

    testing::FakeMemory memory{0x10000};
    testing::FakeIrqSink irq;
    testing::FakePciBus bus{irq.line()};
    testing::FakeBlock disk{1 << 20};
    VirtioPci function{"disk", std::make_unique<VirtioBlk>(disk, 2), memory};
    PciFrame frame{function, {1, 4}};
};

TEST_F(VirtioPciTest, IdentifiesItsStructures) {
    EXPECT_EQ(read(0, 2), 0x10421af4u);
    EXPECT_EQ(read(8, 2), 0x01000001u);
    std::vector<u64> types;
    for (u64 at = read(0x34, 0); at != 0; at = read(at + 1, 0)) {
        if (read(at, 0) != 9) continue;
        types.push_back(read(at + 3, 0));
        if (types.back() == 2) {
            EXPECT_EQ(read(at + 16, 2), 4u) << "notify_off_multiplier";
        }
    }
    EXPECT_EQ(types, (std::vector<u64>{1, 3, 4, 2, 5}));
    EXPECT_EQ(read(kCommon + 0x12, 1), 2u);
    EXPECT_EQ(read(kCommon + 0x10, 1), 0xffffu);
    EXPECT_EQ(read(kConfig, 3), u64{(1 << 20) / 512});
    write(kCommon + 0x16, 2, 1);
    EXPECT_EQ(read(kCommon + 0x18, 1), 0u) << "there is no third queue";
    write(kCommon + 0x16, 1, 1);
    EXPECT_EQ(read(kCommon + 0x18, 3), u64{256} | u64{0xffff} << 16 | u64{1} << 48);
}

TEST_F(VirtioPciTest, ServesAQueueWithIntx) {
    start();
    ask();
    write(kNotify, 0, 1);
    EXPECT_EQ(used(), 1u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData + 0x100], "fake-disk", 9), 0);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(kIsr, 0), 1u);
    EXPECT_FALSE(irq.level()) << "reading ISR takes it back";
    EXPECT_EQ(read(kIsr, 0), 0u);
}

TEST_F(VirtioPciTest, ServesAQueueWithMsix) {
    start();
    enable_msix();
    ask();
    write(kNotify, 0, 1);
    ASSERT_EQ(bus.messages.size(), 1u);
    EXPECT_EQ(bus.messages[0].address, 0x08080040u);
    EXPECT_EQ(bus.messages[0].data, 33u);
    EXPECT_FALSE(irq.level());
    write(kCommon + 0x1a, 77, 1);
    EXPECT_EQ(read(kCommon + 0x1a, 1), 0xffffu) << "no such vector";
    ask();
    write(kNotify, 0, 1);
    EXPECT_EQ(used(), 2u);
    EXPECT_EQ(bus.messages.size(), 1u);
}

TEST_F(VirtioPciTest, WaitsForBusMastering) {
    start();
    write(pci::kCommand, 2, 1);
    ask();
    write(kNotify, 0, 1);
    EXPECT_EQ(used(), 0u);
    write(pci::kCommand, 6, 1);
    EXPECT_EQ(used(), 1u) << "what was asked meanwhile is done then";
}

TEST_F(VirtioPciTest, ConfigurationWindowReachesTheRegisters) {
    u64 at = read(0x34, 0);
    while (read(at, 0) != 9 || read(at + 3, 0) != 5) at = read(at + 1, 0);
    write(at + 4, 4, 0);    // BAR
    write(at + 8, 0x12, 2); // num_queues
    write(at + 12, 2, 2);
    EXPECT_EQ(read(at + 16, 2), 2u);
    write(at + 8, 0x16, 2); // queue_select
    write(at + 16, 1, 2);
    EXPECT_EQ(read(kCommon + 0x16, 1), 1u);
    write(at + 12, 3, 2);
    EXPECT_EQ(read(at + 16, 2), 0u) << "no length that an access can have";
    write(at + 12, 4, 2);
    write(at + 8, 0xffff'fffe, 2);
    EXPECT_EQ(read(at + 16, 2), 0u);
    write(at + 16, 1, 2);
}

TEST_F(VirtioPciTest, ResetDropsEverything) {
    start();
    ask();
    write(kNotify, 0, 1);
    write(kCommon + 0x14, 0, 0);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(kCommon + 0x14, 0), 0u);
    EXPECT_EQ(read(kCommon + 0x1a, 1), 0xffffu);
    write(kCommon + 0x16, 0, 1);
    EXPECT_EQ(read(kCommon + 0x1c, 1), 0u);
    EXPECT_EQ(read(pci::kCommand, 1), 6u) << "a reset of the device is none of the function";
    function.reset();
    EXPECT_EQ(read(pci::kCommand, 1), 0u);
}

TEST_F(VirtioPciTest, NarrowWritesAreIgnoredAndWideOnesSplit) {
    write(kCommon + 0x16, 1, 0);
    EXPECT_EQ(read(kCommon + 0x16, 1), 0u);
    write(kCommon + 0x10, u64{1} | u64{3} << 32 | u64{1} << 48, 3); // vector, status, queue_select
    EXPECT_EQ(read(kCommon + 0x10, 1), 1u);
    EXPECT_EQ(read(kCommon + 0x16, 1), 1u);
}

TEST_F(VirtioPciTest, AResetOfTheFunctionEndsEverything) {
    start();
    enable_msix();
    disk.holds_requests = true;
    ask();
    write(kNotify, 0, 1);
    const u64 express = 0xa4;
    ASSERT_EQ(read(express, 0), 0x10u);
    EXPECT_EQ(read(express + 2, 1), 0x92u) << "an endpoint within the root complex";
    EXPECT_EQ(read(express + 4, 2), 0x10008000u) << "which can be reset";
    // Requests under way end before, and with them what they write.
    write(express + 8, 0x8000, 1);
    EXPECT_EQ(read(pci::kCommand, 1), 0u);
    EXPECT_EQ(read(kCommon + 0x14, 0), 0u);
    EXPECT_EQ(read(kCommon + 0x1c, 1), 0u) << "no queue";
    EXPECT_EQ(read(0x42, 1) & 0x8000, 0u) << "no MSI-X";
    const u16 before = used();
    disk.complete_all();
    EXPECT_EQ(used(), before);
    memory.put(kRing + 0x402, u16{0});
    memory.put(kRing + 0x802, u16{0});
    disk.holds_requests = false;
    start();
    ask();
    write(kNotify, 0, 1);
    EXPECT_EQ(used(), 1u) << "it works again";
}

} // namespace
} // namespace tandem::devices
