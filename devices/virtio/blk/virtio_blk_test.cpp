#include "devices/virtio/blk/virtio_blk.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

#include <thread>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;
constexpr u64 kHeader = 0x7000, kStatus = 0x7100, kData = VirtioDriver::kData;
constexpr u32 kIn = 0, kOut = 1, kFlush = 4, kGetId = 8, kDiscard = 11, kWriteZeroes = 13;

class VirtioBlkTest : public ::testing::Test {
protected:
    VirtioBlkTest() {
        for (std::size_t i = 0; i < disk.bytes().size(); ++i)
            disk.bytes()[i] = static_cast<std::byte>(i / 512 + i);
    }
    void header(u32 type, u64 sector) {
        memory.put(kHeader, type);
        memory.put(kHeader + 4, u32{0});
        memory.put(kHeader + 8, sector);
        memory.put(kStatus, u8{0xee});
    }
    /// Sends the header, these pieces and the status; returns the status.
    u8 request(u32 type, u64 sector, std::vector<VirtioDriver::Piece> pieces, u32 queue = 0) {
        header(type, sector);
        pieces.insert(pieces.begin(), {kHeader, 16, false});
        pieces.push_back({kStatus, 1, true});
        driver.send(queue, 0, pieces);
        return memory.get<u8>(kStatus);
    }
    u8 range(u32 type, u64 sector, u32 sectors, u32 flags) {
        memory.put(kData, sector);
        memory.put(kData + 8, sectors);
        memory.put(kData + 12, flags);
        return request(type, 0, {{kData, 16, false}});
    }

    testing::FakeMemory memory{0x20000};
    testing::FakeIrqSink irq;
    testing::FakeBlock disk{1 << 20};
    VirtioMmio slot{"virtio0", std::make_unique<VirtioBlk>(disk, 2), memory, irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(VirtioBlkTest, Configuration) {
    EXPECT_EQ(driver.read(0x008), 2u);
    EXPECT_EQ(driver.read(0x100, 3), 2048u);
    EXPECT_EQ(driver.read(0x10c), 254u);
    EXPECT_EQ(driver.read(0x114), 512u);
    EXPECT_EQ(driver.read(0x118, 0), 3u) << "4 KiB blocks";
    EXPECT_EQ(driver.read(0x122, 1), 2u) << "queues";
    EXPECT_EQ(driver.read(0x128), 1u);
    EXPECT_EQ(driver.read(0x138, 0), 1u);
    EXPECT_EQ(driver.read(0x1f8, 3), 0u) << "beyond the end";
    EXPECT_EQ(driver.offered_features() & 0xffff, (1u << 2) | (1u << 6) | (1u << 9) | (1u << 10) |
                                                      (1u << 12) | (1u << 13) | (1u << 14));
}

TEST_F(VirtioBlkTest, Reads) {
    driver.start(2);
    EXPECT_EQ(request(kIn, 3, {{kData, 512, true}, {kData + 0x1000, 1024, true}}), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], &disk.bytes()[3 * 512], 512), 0);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData + 0x1000], &disk.bytes()[4 * 512], 1024), 0);
    EXPECT_EQ(driver.used(0, 0).written, 1537u);
    EXPECT_TRUE(irq.level());
}

TEST_F(VirtioBlkTest, WritesOnTheOtherQueue) {
    driver.start(2);
    for (u64 i = 0; i < 512; ++i) memory.put(kData + i, static_cast<u8>(i * 3));
    EXPECT_EQ(request(kOut, 2047, {{kData, 512, false}}, 1), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], &disk.bytes()[2047 * 512], 512), 0);
    EXPECT_EQ(driver.used_index(1), 1u);
}

TEST_F(VirtioBlkTest, FramingIsFree) {
    driver.start(2);
    // Header in three pieces, data and status in one.
    header(kIn, 1);
    driver.send(0, 0,
                {{kHeader, 3, false},
                 {kHeader + 3, 10, false},
                 {kHeader + 13, 3, false},
                 {kData, 513, true}});
    EXPECT_EQ(memory.get<u8>(kData + 512), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], &disk.bytes()[512], 512), 0);
}

TEST_F(VirtioBlkTest, FlushIdentityAndUnknown) {
    driver.start(2);
    EXPECT_EQ(request(kFlush, 0, {}), 0u);
    EXPECT_EQ(disk.flushes, 1u);
    EXPECT_EQ(request(kGetId, 0, {{kData, 20, true}}), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], "fake-disk\0\0\0\0\0\0\0\0\0\0\0", 20), 0);
    EXPECT_EQ(request(77, 0, {}), 2u);
}

TEST_F(VirtioBlkTest, RangesAreChecked) {
    driver.start(2);
    EXPECT_EQ(request(kIn, 2048, {{kData, 512, true}}), 1u);
    EXPECT_EQ(request(kIn, 2047, {{kData, 1024, true}}), 1u);
    EXPECT_EQ(request(kIn, ~u64{0}, {{kData, 512, true}}), 1u);
    EXPECT_EQ(request(kIn, ~u64{0} / 512 + 1, {{kData, 512, true}}), 1u);
    EXPECT_EQ(request(kIn, 0, {{kData, 511, true}}), 1u);
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioBlkTest, DiscardAndWriteZeroes) {
    driver.start(2);
    EXPECT_EQ(range(kDiscard, 8, 8, 0), 0u);
    EXPECT_EQ(disk.bytes()[8 * 512 + 1], std::byte{0});
    EXPECT_EQ(range(kWriteZeroes, 16, 1, 1), 0u);
    EXPECT_EQ(range(kDiscard, 8, 8, 1), 2u) << "unmap is for write-zeroes";
    EXPECT_EQ(range(kWriteZeroes, 8, 8, 2), 2u) << "unknown flag";
    EXPECT_EQ(range(kDiscard, 2040, 9, 0), 1u);
    EXPECT_EQ(range(kDiscard, ~u64{0}, 1, 0), 1u);
    EXPECT_EQ(range(kDiscard, 0, ~u32{0}, 0), 1u);
}

TEST_F(VirtioBlkTest, ReadOnlyDisksRefuse) {
    disk.is_read_only = true;
    EXPECT_NE(driver.offered_features() & 1u << 5, 0u);
    driver.start(2);
    EXPECT_EQ(request(kOut, 0, {{kData, 512, false}}), 1u);
    EXPECT_EQ(request(kIn, 0, {{kData, 512, true}}), 0u);
}

TEST_F(VirtioBlkTest, HostErrorsAreReported) {
    driver.start(2);
    disk.answer = BlockStatus::IoError;
    EXPECT_EQ(request(kIn, 0, {{kData, 512, true}}), 1u);
    disk.answer = BlockStatus::Unsupported;
    EXPECT_EQ(range(kDiscard, 0, 8, 0), 2u);
}

TEST_F(VirtioBlkTest, MissingPartsFailTheDevice) {
    driver.start(2);
    header(kIn, 0);
    driver.send(0, 0, {{kHeader, 15, false}, {kStatus, 1, true}});
    EXPECT_TRUE(driver.needs_reset());
    driver.start(2);
    driver.send(0, 0, {{kHeader, 16, false}});
    EXPECT_TRUE(driver.needs_reset());
}

TEST_F(VirtioBlkTest, CompletesLaterAndOutlivesAReset) {
    driver.start(2);
    disk.holds_requests = true;
    EXPECT_EQ(request(kIn, 0, {{kData, 512, true}}), 0xeeu);
    EXPECT_EQ(disk.pending(), 1u);
    disk.complete_all();
    EXPECT_EQ(memory.get<u8>(kStatus), 0u);
    EXPECT_EQ(driver.used_index(0), 1u);
    static_cast<void>(request(kIn, 0, {{kData, 512, true}}));
    driver.write(0x070, 0); // waits for the request
    EXPECT_EQ(disk.pending(), 0u);
    EXPECT_EQ(driver.read(0x070), 0u);
}

/// A disk whose requests another thread completes.
class SlowBlock final : public Block {
public:
    [[nodiscard]] u64 size() const override { return 1 << 20; }
    [[nodiscard]] bool read_only() const override { return false; }
    [[nodiscard]] bool can_discard() const override { return false; }
    [[nodiscard]] u32 preferred_alignment() const override { return 512; }
    [[nodiscard]] std::string_view identity() const override { return ""; }
    void submit(std::span<BlockRequest *const> requests) override {
        const std::scoped_lock lock(mutex_);
        waiting_.insert(waiting_.end(), requests.begin(), requests.end());
    }
    void drain() override { run(); }
    void run() {
        std::vector<BlockRequest *> taken;
        {
            const std::scoped_lock lock(mutex_);
            taken.swap(waiting_);
        }
        for (BlockRequest *request : taken) request->complete(BlockStatus::Ok);
    }

private:
    std::mutex mutex_;
    std::vector<BlockRequest *> waiting_;
};

TEST(VirtioBlkThreads, CompletionsRaceWithSubmissionsAndResets) {
    SlowBlock disk;
    testing::FakeMemory memory(0x20000);
    testing::FakeIrqSink irq;
    VirtioMmio slot("virtio0", std::make_unique<VirtioBlk>(disk, 1), memory, irq.line());
    VirtioDriver driver(slot, memory);
    std::atomic<bool> stop{false};
    std::thread worker([&] {
        while (!stop) disk.run();
    });
    memory.put(kHeader, u32{kFlush});
    const auto used_index = [&memory] {
        auto *index = reinterpret_cast<u16 *>(&memory.bytes()[VirtioDriver::base(0) + 0x802]);
        return std::atomic_ref<u16>(*index).load(std::memory_order_acquire);
    };
    for (int life = 0; life < 20; ++life) {
        driver.start(1);
        driver.chain(VirtioDriver::base(0), 0, {{kHeader, 16, false}, {kStatus, 1, true}});
        for (u16 i = 0; i < 30; ++i) {
            driver.offer(0, 0);
            driver.notify(0);
            while (used_index() != static_cast<u16>(i + 1)) std::this_thread::yield();
        }
        driver.offer(0, 0);
        driver.notify(0);
        driver.write(0x070, 0); // with a request under way
        EXPECT_EQ(driver.read(0x070), 0u);
    }
    stop = true;
    worker.join();
}

TEST_F(VirtioBlkTest, ASnapshotOfAnotherDiskIsRefused) {
    StateWriter writer;
    slot.save(writer);
    testing::FakeBlock small(512);
    VirtioMmio other("virtio1", std::make_unique<VirtioBlk>(small, 2), memory, irq.line(1));
    StateReader reader(writer.data());
    EXPECT_FALSE(other.restore(reader).has_value());
}

} // namespace
} // namespace tandem::devices
