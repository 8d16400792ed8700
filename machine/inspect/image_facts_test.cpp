#include "machine/inspect/image_facts.h"

#include "machine/boot/acpi/byte_writer.h"
#include "machine/inspect/partition_table.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/testing/memory_file.h"

#include <gtest/gtest.h>

#include <random>

namespace tandem::machine {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kDiskSize = 64 * 1024;

std::unique_ptr<RawDisk> disk_of(const Bytes &bytes) {
    auto disk = RawDisk::create(testing::MemoryFile(bytes).open_again(), FormatSource::Named);
    EXPECT_TRUE(disk.has_value());
    return std::move(*disk);
}

PartitionTable table_of(const Bytes &bytes) {
    const auto disk = disk_of(bytes);
    return read_partition_table(ByteWindow(*disk));
}

void put(Bytes &bytes, std::size_t at, const ByteWriter &writer) {
    const auto source = std::as_bytes(std::span(writer.bytes()));
    std::ranges::copy(source, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

/// A header at `header_at` and one EFI system partition in the table at sector 2.
void put_gpt(Bytes &bytes, std::size_t header_at, u64 first, u64 last) {
    ByteWriter header;
    header.text("EFI PART", 8).zeros(72 - 8).u64_(2).u32_(4).u32_(128);
    put(bytes, header_at, header);
    ByteWriter entry;
    entry.u32_(0xc12a'7328).u16_(0xf81f).u16_(0x11d2).u64_(0x3bc9'3ec9'a000'4bba).zeros(16);
    entry.u64_(first).u64_(last);
    put(bytes, 1024, entry);
}

TEST(PartitionTable, ReadsGpt) {
    Bytes bytes(kDiskSize);
    put_gpt(bytes, 512, 40, 47);
    const PartitionTable table = table_of(bytes);
    EXPECT_EQ(table.kind, PartitionTable::Kind::Gpt);
    ASSERT_EQ(table.partitions.size(), 1u);
    EXPECT_EQ(table.partitions[0].role, PartitionRole::EfiSystem);
    EXPECT_EQ(table.partitions[0].offset, 40u * 512);
    EXPECT_EQ(table.partitions[0].size, 8u * 512);
}

TEST(PartitionTable, FallsBackToTheSecondHeader) {
    Bytes bytes(kDiskSize);
    put_gpt(bytes, kDiskSize - 512, 40, 47);
    EXPECT_TRUE(table_of(bytes).has(PartitionRole::EfiSystem));
}

TEST(PartitionTable, CutsPartitionsAtTheEndOfTheDisk) {
    Bytes bytes(kDiskSize);
    put_gpt(bytes, 512, 120, ~u64{0} - 1);
    ASSERT_EQ(table_of(bytes).partitions.size(), 1u);
    EXPECT_EQ(table_of(bytes).partitions[0].size, 8u * 512);
    put_gpt(bytes, 512, 128, 130); // beyond
    EXPECT_TRUE(table_of(bytes).partitions.empty());
    put_gpt(bytes, 512, 50, 49); // backwards
    EXPECT_TRUE(table_of(bytes).partitions.empty());
}

TEST(PartitionTable, ReadsMbr) {
    Bytes bytes(kDiskSize);
    ByteWriter entry;
    entry.u32_(0).u8_(0xef).zeros(3).u32_(8).u32_(16);
    put(bytes, 446 + 16, entry);
    put(bytes, 510, ByteWriter{}.u16_(0xaa55));
    const PartitionTable table = table_of(bytes);
    EXPECT_EQ(table.kind, PartitionTable::Kind::Mbr);
    ASSERT_EQ(table.partitions.size(), 1u);
    EXPECT_EQ(table.partitions[0].role, PartitionRole::EfiSystem);
    EXPECT_EQ(table.partitions[0].offset, 8u * 512);
}

TEST(InspectDisk, SaysWhyNothingBoots) {
    Bytes bytes(kDiskSize);
    ImageFacts facts;
    inspect_disk(*disk_of(bytes), facts);
    EXPECT_NE(facts.obstacle.find("no boot loader"), std::string::npos);
    put_gpt(bytes, 512, 40, 47);
    inspect_disk(*disk_of(bytes), facts);
    EXPECT_NE(facts.obstacle.find("EFI system partition"), std::string::npos);
    EXPECT_TRUE(facts.boot_file.empty());
}

TEST(InspectDisk, SurvivesNoiseBehindEverySignature) {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        Bytes bytes(kDiskSize);
        for (std::byte &byte : bytes) byte = static_cast<std::byte>(random());
        if (round % 2 == 0) put_gpt(bytes, 512, random() % 120, random() % 130);
        const u64 volume = read_partition_table(ByteWindow(*disk_of(bytes))).partitions.empty()
                               ? 0
                               : table_of(bytes).partitions[0].offset;
        const auto mark = [&](u64 at, const ByteWriter &writer) {
            if (volume + at + writer.size() <= bytes.size()) put(bytes, volume + at, writer);
        };
        mark(510, ByteWriter{}.u16_(0xaa55));
        mark(11, ByteWriter{}.u16_(512).u8_(1u << random() % 8).u16_(1).u8_(1));
        mark(1024 + 56, ByteWriter{}.u16_(0xef53));
        mark(1024 + 24, ByteWriter{}.u32_(random() % 3));
        mark(1024 + 96, ByteWriter{}.u32_(0x2c2));
        if (round % 3 == 0) put(bytes, 16 * 2048 + 1, ByteWriter{}.text("CD001", 5));
        ImageFacts facts;
        inspect_disk(*disk_of(bytes), facts);
        EXPECT_EQ(facts.size, kDiskSize);
    }
}

} // namespace
} // namespace tandem::machine
