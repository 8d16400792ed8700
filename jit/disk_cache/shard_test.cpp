#include "jit/disk_cache/shard.h"

#include "jit/disk_cache/test_record.h"

namespace tandem::jit {
namespace {

using test::read_file;
using test::region_record;
using test::write_file;

class ShardTest : public test::DirectoryTest {
protected:
    ShardTest() {
        for (unsigned seed = 0; seed < 3; ++seed) regions_.push_back(pack(region_record(seed)));
        EXPECT_TRUE(write_shard(path_, kIdentity, "this test", regions_).has_value());
    }
    std::string error_of_open() {
        const auto shard = Shard::open(path_);
        return shard.has_value() ? "" : shard.error().message;
    }

    static constexpr Checksum kIdentity{1, 2};
    const std::string path_ = folder_ + "/a.shard";
    std::vector<PackedRegion> regions_;
};

TEST_F(ShardTest, ReadsBackAsItWasWritten) {
    const auto shard = Shard::open(path_);
    ASSERT_TRUE(shard.has_value()) << shard.error().message;
    EXPECT_EQ((*shard)->identity(), kIdentity);
    EXPECT_EQ((*shard)->index().made_for, "this test");
    ASSERT_EQ((*shard)->index().entries.size(), 3u);
    for (unsigned seed = 0; seed < 3; ++seed) {
        const ShardEntry &entry = (*shard)->index().entries[seed];
        const auto packed = (*shard)->read(entry);
        ASSERT_TRUE(packed.has_value()) << packed.error().message;
        const auto record = unpack(entry, *packed);
        ASSERT_TRUE(record.has_value());
        EXPECT_EQ(encode(*record), encode(region_record(seed)));
        EXPECT_EQ(entry.keys, entry_keys(*record));
    }
}

TEST_F(ShardTest, CutOffOnesAreRefused) {
    const std::string content = read_file(path_);
    for (std::size_t size = 0; size < content.size(); size += 7) {
        write_file(path_, content.substr(0, size));
        EXPECT_NE(error_of_open(), "") << size;
    }
}

/// Each byte is in the header, the index or a region, and each of these has a checksum.
TEST_F(ShardTest, ChangedBytesAreNoticed) {
    const std::string content = read_file(path_);
    for (std::size_t at = 0; at < content.size(); at += 5) {
        std::string damaged = content;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
        write_file(path_, damaged);
        const auto shard = Shard::open(path_);
        if (!shard.has_value()) continue;
        unsigned read = 0;
        for (const ShardEntry &entry : (*shard)->index().entries)
            read += (*shard)->read(entry).has_value();
        EXPECT_LT(read, 3u) << at;
    }
}

TEST_F(ShardTest, ErrorsSayWhatIsWrong) {
    const std::string content = read_file(path_);
    std::string foreign = content;
    foreign[8] = 9; // the format's version
    write_file(path_, foreign);
    EXPECT_EQ(error_of_open(), path_ + ": has format 9, this program knows 1");
    write_file(path_, "something else that is long enough to be a header of a shard, if it were "
                      "one, which it is not");
    EXPECT_EQ(error_of_open(), path_ + ": is no part of a translation cache");
    write_file(path_, content + "x");
    EXPECT_NE(error_of_open().find("of " + std::to_string(content.size()) + " bytes"),
              std::string::npos);
}

TEST_F(ShardTest, WhatCannotBeWrittenLeavesTheOldOne) {
    const std::string content = read_file(path_);
    EXPECT_FALSE(
        write_shard(folder_ + "/missing/a.shard", kIdentity, "this test", regions_).has_value());
    std::filesystem::create_directory(folder_ + "/b.shard");
    EXPECT_FALSE(write_shard(folder_ + "/b.shard", kIdentity, "this test", regions_).has_value());
    EXPECT_EQ(read_file(path_), content);
    unsigned files = 0;
    for ([[maybe_unused]] const auto &each : std::filesystem::directory_iterator(folder_)) ++files;
    EXPECT_EQ(files, 2u);
}

} // namespace
} // namespace tandem::jit
