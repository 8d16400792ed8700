#include "machine/storage/qcow2/image.h"

#include "machine/storage/qcow2/checker.h"
#include "machine/storage/qcow2/creator.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/testing/memory_file.h"

#include <gtest/gtest.h>
#include <sys/uio.h>

#include <thread>

namespace tandem::machine::qcow2 {
namespace {

using testing::MemoryFile;

constexpr u64 kCluster = 4096, kDisk = 256 * kCluster;

class Qcow2Image : public ::testing::Test {
protected:
    MemoryFile file;

    std::unique_ptr<Image> make(CreateOptions options = {}) {
        options.size = kDisk;
        options.cluster_bits = 12;
        const auto created = create(file, options);
        EXPECT_TRUE(created.has_value()) << created.error().message;
        return open();
    }
    std::unique_ptr<Image> open() {
        auto image = Image::open(file.open_again());
        EXPECT_TRUE(image.has_value()) << image.error().message;
        return image.has_value() ? std::move(*image) : nullptr;
    }
    static void fill(DiskStore &disk, u64 offset, u64 length, u8 value) {
        EXPECT_TRUE(write_bytes(disk, offset, std::vector<std::byte>(length, std::byte{value})));
    }
    static u8 byte_at(DiskStore &disk, u64 offset) {
        std::array<std::byte, 1> byte{};
        EXPECT_TRUE(read_bytes(disk, offset, byte));
        return static_cast<u8>(byte[0]);
    }
    CheckReport checked(Repair repair = Repair::None) {
        auto report = check(file, repair, {});
        EXPECT_TRUE(report.has_value()) << report.error().message;
        return *report;
    }
    void poke(u64 at, u64 value) {
        std::array<std::byte, 8> bytes;
        store_be(bytes.data(), value);
        ASSERT_TRUE(file.write_exactly(at, bytes).has_value());
    }
    u64 peek(u64 at) {
        std::array<std::byte, 8> bytes;
        EXPECT_TRUE(file.read_exactly(at, bytes).has_value());
        return load_be<u64>(bytes.data());
    }
    u64 l2_offset() { return peek(peek(40)) & kOffsetMask; }
};

TEST_F(Qcow2Image, KeepsWhatIsWrittenAndNoMore) {
    {
        const auto image = make();
        fill(*image, 100 * 512, 3 * 512, 7);
        fill(*image, kDisk - 512, 512, 9);
        EXPECT_EQ(image->write_zeroes(101 * 512, 512, false), StoreStatus::Ok);
    }
    const auto image = open();
    EXPECT_EQ(byte_at(*image, 100 * 512 - 1), 0);
    EXPECT_EQ(byte_at(*image, 100 * 512), 7);
    EXPECT_EQ(byte_at(*image, 101 * 512), 0);
    EXPECT_EQ(byte_at(*image, 102 * 512), 7);
    EXPECT_EQ(byte_at(*image, kDisk - 1), 9);
    const CheckReport report = checked();
    EXPECT_EQ(report.errors + report.leaks, 0u);
    EXPECT_EQ(report.allocated_clusters, 2u);
}

TEST_F(Qcow2Image, DiscardUncoversNothingOfTheBackingImage) {
    auto below = std::make_unique<MemoryFile>();
    ASSERT_TRUE(below->write_exactly(0, std::vector<std::byte>(kDisk / 2, std::byte{5})));
    CreateOptions options;
    options.backing_file = "below";
    const auto image = make(options);
    image->set_backing(std::make_unique<RawDisk>(std::move(below), FormatSource::Named));
    EXPECT_EQ(byte_at(*image, 0), 5);
    EXPECT_EQ(byte_at(*image, kDisk / 2), 0);
    fill(*image, 512, 512, 1);
    EXPECT_EQ(byte_at(*image, 0), 5);
    EXPECT_EQ(byte_at(*image, 512), 1);
    EXPECT_EQ(byte_at(*image, 1024), 5);
    EXPECT_EQ(image->discard(0, 2 * kCluster), StoreStatus::Ok);
    EXPECT_EQ(byte_at(*image, 512), 0);
    EXPECT_EQ(byte_at(*image, kCluster), 0);
    EXPECT_EQ(byte_at(*image, 2 * kCluster), 5);
}

TEST_F(Qcow2Image, SnapshotsKeepTheDisk) {
    {
        const auto image = make();
        fill(*image, 0, 3 * kCluster, 1);
        ASSERT_TRUE(image->create_snapshot("one", 1, 2).has_value());
        EXPECT_FALSE(image->create_snapshot("one", 1, 2).has_value());
        fill(*image, kCluster, kCluster, 2);
        ASSERT_TRUE(image->resize(kDisk * 8).has_value());
        EXPECT_EQ(byte_at(*image, kCluster), 2);
        ASSERT_TRUE(image->apply_snapshot("one").has_value());
        EXPECT_EQ(image->size(), kDisk);
        EXPECT_EQ(byte_at(*image, kCluster), 1);
        EXPECT_FALSE(image->delete_snapshot("two").has_value());
    }
    EXPECT_EQ(checked().errors + checked().leaks, 0u);
    {
        const auto image = open();
        ASSERT_EQ(image->snapshots()->size(), 1u);
        ASSERT_TRUE(image->delete_snapshot("1").has_value()); // by id
        EXPECT_EQ(byte_at(*image, kCluster), 1);
    }
    EXPECT_EQ(checked().errors + checked().leaks, 0u);
    EXPECT_EQ(checked().allocated_clusters, 3u);
}

TEST_F(Qcow2Image, CompressesByBothMethods) {
    for (const auto method : {CompressionType::Zlib, CompressionType::Zstd}) {
        ASSERT_EQ(file.resize(0), StoreStatus::Ok);
        CreateOptions options;
        options.compression = method;
        {
            const auto image = make(options);
            std::vector<std::byte> cluster(kCluster, std::byte{3});
            for (u64 i = 0; i < 20; ++i)
                EXPECT_EQ(image->write_compressed(i * kCluster, cluster), StoreStatus::Ok);
            fill(*image, 5 * kCluster + 512, 512, 4);
            EXPECT_EQ(byte_at(*image, 5 * kCluster), 3);
            EXPECT_EQ(byte_at(*image, 5 * kCluster + 512), 4);
            EXPECT_EQ(byte_at(*image, 19 * kCluster), 3);
        }
        const CheckReport report = checked();
        EXPECT_EQ(report.errors + report.leaks, 0u);
        EXPECT_EQ(report.compressed_clusters, 19u);
        EXPECT_LT(file.size(), 12 * kCluster);
    }
}

TEST_F(Qcow2Image, RefusesTablesThatLieElsewhere) {
    {
        fill(*make(), 0, kCluster, 1);
    }
    const u64 l2 = l2_offset(), good = peek(l2);
    // Data on metadata, off its boundary, with reserved bits, and on the L1 table.
    for (const u64 entry : {kCopied | kCluster, good + 512, good | 2, kCopied | peek(40)}) {
        poke(l2, entry);
        const auto image = open();
        std::array<std::byte, 512> bytes{};
        EXPECT_FALSE(read_bytes(*image, 0, bytes)) << std::hex << entry;
        EXPECT_FALSE(write_bytes(*image, 0, bytes));
        EXPECT_NE(peek(72) & kCorrupt, 0u); // and nobody writes to it any more
        EXPECT_FALSE(Image::open(file.open_again()).has_value());
        EXPECT_EQ(peek(l2), entry);
        poke(72, 0);
    }
    poke(l2, good + 512);
    EXPECT_NE(checked().errors, 0u);
    EXPECT_EQ(checked(Repair::All).errors, 0u);
    EXPECT_EQ(checked().errors + checked().leaks, 0u);
    EXPECT_EQ(byte_at(*open(), 0), 0); // given up
}

TEST_F(Qcow2Image, RepairsRefcounts) {
    {
        fill(*make(), 0, 8 * kCluster, 1);
    }
    const u64 block = peek(peek(48));
    poke(block + 2 * 4, 0); // four clusters said to be free
    poke(72, kDirty);
    EXPECT_NE(checked().errors, 0u);
    {
        const auto image = open(); // not closed: repaired when it is opened
        fill(*image, 20 * kCluster, kCluster, 2);
        for (u64 i = 0; i < 8; ++i) EXPECT_EQ(byte_at(*image, i * kCluster), 1);
    }
    EXPECT_EQ(checked().errors, 0u);
    EXPECT_EQ(peek(72), 0u);
}

TEST_F(Qcow2Image, RefusesBadHeaders) {
    {
        const auto image = make();
    }
    std::vector<std::byte> head(kCluster);
    ASSERT_TRUE(file.read_exactly(0, head).has_value());
    const auto with = [&](u64 at, auto value) {
        auto copy = head;
        store_be(copy.data() + at, value);
        return parse_header(copy, "x").has_value();
    };
    EXPECT_TRUE(with(24, kDisk));
    EXPECT_FALSE(with(0, u32{0}));
    EXPECT_FALSE(with(4, u32{4}));
    EXPECT_FALSE(with(20, u32{8}));
    EXPECT_FALSE(with(20, u32{22}));
    EXPECT_FALSE(with(24, ~u64{0}));
    EXPECT_FALSE(with(24, kDisk * 1000)); // more than L1 maps
    EXPECT_FALSE(with(32, u32{1}));
    EXPECT_FALSE(with(36, ~u32{0}));
    EXPECT_FALSE(with(40, u64{0}));
    EXPECT_FALSE(with(40, u64{513}));
    EXPECT_FALSE(with(48, ~u64{0}));
    EXPECT_FALSE(with(56, u32{0}));
    EXPECT_FALSE(with(56, ~u32{0}));
    EXPECT_FALSE(with(60, ~u32{0}));
    EXPECT_FALSE(with(72, u64{1} << 40));
    EXPECT_FALSE(with(72, kCompressionType)); // but zlib
    EXPECT_FALSE(with(96, u32{7}));
    EXPECT_FALSE(with(100, u32{50}));
    EXPECT_FALSE(with(8, u64{1} << 40));
    for (const unsigned cut : {0u, 3u, 71u, 103u})
        EXPECT_FALSE(parse_header(std::span(head).first(cut), "x"));
}

TEST_F(Qcow2Image, ServesThreadsAtOnce) {
    const auto image = make();
    std::vector<std::thread> threads;
    for (u8 t = 0; t < 4; ++t)
        threads.emplace_back([&image, t] {
            for (u64 i = 0; i < 60; ++i) {
                const u64 at = (i * 4 + t) * kCluster;
                fill(*image, at + 512, 512, static_cast<u8>(t + 1u));
                if (i % 16 == 0) {
                    EXPECT_EQ(image->flush(), StoreStatus::Ok);
                }
                if (i % 5 == 4) {
                    EXPECT_EQ(image->discard(at, kCluster), StoreStatus::Ok);
                }
                EXPECT_EQ(byte_at(*image, at + 512), i % 5 == 4 ? 0u : t + 1u);
            }
        });
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(image->flush(), StoreStatus::Ok);
    EXPECT_EQ(checked().errors, 0u);
}

} // namespace
} // namespace tandem::machine::qcow2
