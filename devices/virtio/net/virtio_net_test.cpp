#include "devices/virtio/net/virtio_net.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using namespace testing;
using namespace virtio_net;

class VirtioNetTest : public ::testing::Test {
protected:
    FakeMemory memory{1 << 16};
    FakeIrqSink irq;
    FakeNet port;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioNet>(port), memory, irq.line()};
    VirtioDriver driver{slot, memory};

    /// Sends the bytes at kData behind a header.
    void transmit(const Header &header, u32 length, u16 head = 0) {
        memory.put(0x7000, header);
        driver.send(VirtioNet::kTransmitQueue, head,
                    {{0x7000, sizeof(Header)}, {VirtioDriver::kData, length}});
    }
};

TEST_F(VirtioNetTest, SendsFramesAndCompletesChecksums) {
    driver.start(3);
    for (u32 i = 0; i < 64; ++i) memory.put(VirtioDriver::kData + i, static_cast<u8>(i));
    transmit({}, 64);
    ASSERT_EQ(port.sent.size(), 1u);
    EXPECT_EQ(port.sent[0].size(), 64u);
    EXPECT_EQ(static_cast<u8>(port.sent[0][63]), 63);
    EXPECT_EQ(driver.used_index(VirtioNet::kTransmitQueue), 1);
    // The sum over a range that contains its checksum is 0xffff.
    transmit({.flags = kNeedsChecksum, .checksum_start = 14, .checksum_offset = 6}, 63, 2);
    ASSERT_EQ(port.sent.size(), 2u);
    u32 sum = 0;
    for (std::size_t i = 14; i < 63; ++i)
        if (i != 20 && i != 21) // where the driver's bytes lay is part of the sum, too
            sum += static_cast<u32>(port.sent[1][i]) << (i % 2 == 0 ? 8 : 0);
    sum += 20 << 8 | 21;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(static_cast<u32>(port.sent[1][20]) << 8 | static_cast<u32>(port.sent[1][21]),
              ~sum & 0xffff);
}

TEST_F(VirtioNetTest, DropsFramesThatMakeNoSense) {
    driver.start(3);
    transmit({.flags = kNeedsChecksum, .checksum_start = 60, .checksum_offset = 6}, 64);
    transmit({.flags = kNeedsChecksum, .checksum_start = 0xffff, .checksum_offset = 0xffff}, 64, 2);
    driver.send(VirtioNet::kTransmitQueue, 4, {{0x7000, 5}});
    EXPECT_TRUE(port.sent.empty());
    EXPECT_EQ(driver.used_index(VirtioNet::kTransmitQueue), 3);
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioNetTest, MergesReceiveBuffers) {
    driver.start(3);
    port.arrive(std::vector<std::byte>(100, std::byte{7})); // no buffers yet: it waits
    EXPECT_EQ(driver.used_index(VirtioNet::kReceiveQueue), 0);
    driver.send(VirtioNet::kReceiveQueue, 0, {{VirtioDriver::kData, 64, true}});
    EXPECT_EQ(driver.used_index(VirtioNet::kReceiveQueue), 0);
    driver.send(VirtioNet::kReceiveQueue, 1, {{VirtioDriver::kData + 64, 64, true}});
    ASSERT_EQ(driver.used_index(VirtioNet::kReceiveQueue), 2);
    EXPECT_EQ(driver.used(VirtioNet::kReceiveQueue, 0).written, 64u);
    EXPECT_EQ(driver.used(VirtioNet::kReceiveQueue, 1).written, 48u);
    const auto header = memory.get<Header>(VirtioDriver::kData);
    EXPECT_EQ(header.buffers, 2);
    EXPECT_EQ(header.flags, kChecksumValid);
    EXPECT_EQ(memory.get<u8>(VirtioDriver::kData + 111), 7);
    EXPECT_EQ(memory.get<u8>(VirtioDriver::kData + 112), 0);
}

/// A card with two pairs of queues.
class VirtioNetPairs : public ::testing::Test {
protected:
    static constexpr u32 kSecondReceive = 2, kSecondTransmit = 3, kLastControl = 4;
    FakeMemory memory{1 << 16};
    FakeIrqSink irq;
    FakeNet port;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioNet>(port, u16{2}), memory, irq.line()};
    VirtioDriver driver{slot, memory};

    u8 set_pairs(u16 pairs, u32 queue = kLastControl) {
        memory.put(0x7000, std::array<u8, 4>{kClassMultiqueue, kPairsSet, static_cast<u8>(pairs),
                                             static_cast<u8>(pairs >> 8)});
        driver.send(queue, 0, {{0x7000, 4}, {0x7100, 1, true}});
        return memory.get<u8>(0x7100);
    }
    /// A frame of a flow of UDP, from its sender or back.
    static std::vector<std::byte> udp(bool back) {
        std::vector<std::byte> frame(64);
        frame[12] = std::byte{8};
        frame[14] = std::byte{0x45};
        frame[23] = std::byte{17};
        frame[back ? 33 : 29] = std::byte{15};
        frame[back ? 37 : 35] = std::byte{7};
        return frame;
    }
    void transmit(u32 queue) {
        memory.put(0x7000, Header{});
        const auto frame = udp(false);
        for (u32 i = 0; i < frame.size(); ++i) memory.put(VirtioDriver::kData + i, frame[i]);
        driver.send(queue, 2, {{0x7000, sizeof(Header)}, {VirtioDriver::kData, 64}});
    }
};

TEST_F(VirtioNetPairs, AnswersComeInThePairThatWasAsked) {
    driver.start(5);
    EXPECT_EQ(driver.read(0x108, 1), 2u) << "max_virtqueue_pairs";
    driver.send(VirtioNet::kReceiveQueue, 0, {{0x9000, 512, true}});
    driver.send(kSecondReceive, 0, {{0xa000, 512, true}});
    transmit(kSecondTransmit);
    port.arrive(udp(true));
    EXPECT_EQ(driver.used_index(VirtioNet::kReceiveQueue), 1)
        << "one pair until more are asked for";
    EXPECT_EQ(driver.used_index(kSecondReceive), 0);
    ASSERT_EQ(set_pairs(2), kAckOk);
    port.arrive(udp(true));
    EXPECT_EQ(driver.used_index(kSecondReceive), 1);
    EXPECT_EQ(driver.used(kSecondReceive, 0).written, sizeof(Header) + 64);
}

TEST_F(VirtioNetPairs, AFrameWaitsForItsOwnQueue) {
    driver.start(5);
    ASSERT_EQ(set_pairs(2), kAckOk);
    transmit(kSecondTransmit);
    driver.send(VirtioNet::kReceiveQueue, 0, {{0x9000, 512, true}});
    port.arrive(udp(true));
    EXPECT_EQ(driver.used_index(VirtioNet::kReceiveQueue), 0);
    driver.send(kSecondReceive, 0, {{0xa000, 512, true}});
    EXPECT_EQ(driver.used_index(kSecondReceive), 1);
}

TEST_F(VirtioNetPairs, RefusesNumbersThatItHasNot) {
    driver.start(5);
    EXPECT_EQ(set_pairs(0), kAckError);
    EXPECT_EQ(set_pairs(3), kAckError);
    EXPECT_EQ(set_pairs(0x8000), kAckError);
    EXPECT_EQ(set_pairs(1), kAckOk);
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioNetPairs, WithoutTheFeatureTheControlQueueIsTheThird) {
    driver.start(5, driver.offered_features() & ~kFeatureMultiqueue);
    EXPECT_EQ(set_pairs(2, VirtioNet::kControlQueue), kAckError);
    driver.send(3, 0, {{0x7000, 4}});
    EXPECT_EQ(driver.used_index(3), 0);
    EXPECT_TRUE(port.sent.empty());
}

TEST_F(VirtioNetTest, OffersOnePairUnlessToldOtherwise) {
    EXPECT_EQ(driver.offered_features() & kFeatureMultiqueue, 0u);
}

TEST_F(VirtioNetTest, ConfiguresItsAddress) {
    driver.start(3);
    EXPECT_EQ(driver.read(0x100, 0), 0x52u);
    memory.put(0x7000, std::array<u8, 8>{kClassMac, kMacAddressSet, 2, 3, 4, 5, 6, 7});
    driver.send(VirtioNet::kControlQueue, 0, {{0x7000, 8}, {VirtioDriver::kData, 1, true}});
    EXPECT_EQ(memory.get<u8>(VirtioDriver::kData), kAckOk);
    EXPECT_EQ(driver.read(0x100, 0), 2u);
    memory.put(0x7000, std::array<u8, 2>{9, 0});
    driver.send(VirtioNet::kControlQueue, 2, {{0x7000, 2}, {VirtioDriver::kData, 1, true}});
    EXPECT_EQ(memory.get<u8>(VirtioDriver::kData), kAckError);
    driver.send(VirtioNet::kControlQueue, 4, {{0x7000, 2}});
    EXPECT_TRUE(driver.needs_reset());
}

} // namespace
} // namespace tandem::devices
