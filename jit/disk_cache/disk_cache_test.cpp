#include "jit/disk_cache/disk_cache.h"

#include "jit/disk_cache/cache_directory.h"
#include "jit/disk_cache/test_record.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace tandem::jit {
namespace {

using test::first_key;
using test::guest_code;
using test::guest_page;
using test::region_record;

class DiskCacheTest : public test::DirectoryTest {
protected:
    std::unique_ptr<DiskCache> open(u64 max_bytes = u64{1} << 30, Checksum identity = {1, 2}) {
        return std::make_unique<DiskCache>(DiskCacheOptions{
            .directory = directory_,
            .max_bytes = max_bytes,
            .identity = {.value = identity, .made_for = "this test"},
            .warn = [this](const std::string &what) { warnings_.push_back(what); }});
    }
    /// As a run that compiles these regions.
    void keep(unsigned first_seed, unsigned count, u64 max_bytes = u64{1} << 30) {
        const auto cache = open(max_bytes);
        for (unsigned seed = first_seed; seed < first_seed + count; ++seed)
            cache->add(region_record(seed));
    }
    static std::optional<RegionRecord> find(DiskCache &cache, unsigned seed,
                                            const std::vector<std::byte> &page) {
        const u64 key = first_key(region_record(seed));
        const CodeRange range = cache.hot_range(key);
        if (range.is_empty()) return std::nullopt;
        return cache.find_hot(key, guest_code({range}, page));
    }
    static bool has(DiskCache &cache, unsigned seed) {
        const auto record = find(cache, seed, guest_page(seed));
        if (record.has_value()) {
            EXPECT_EQ(encode(*record), encode(region_record(seed)));
        }
        return record.has_value();
    }
    [[nodiscard]] std::vector<ShardFile> shards() const { return shard_files(directory_); }

    const std::string directory_ = folder_ + "/some/cache";
    std::vector<std::string> warnings_;
};

TEST_F(DiskCacheTest, WhatOneRunKeepsTheNextFinds) {
    keep(0, 20);
    const auto cache = open();
    for (unsigned seed = 0; seed < 20; ++seed) EXPECT_TRUE(has(*cache, seed)) << seed;
    EXPECT_FALSE(has(*cache, 20));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(DiskCacheTest, TheSameRunFindsIt) {
    const auto cache = open();
    cache->add(region_record(1));
    EXPECT_TRUE(has(*cache, 1));
    EXPECT_TRUE(shards().empty());
}

TEST_F(DiskCacheTest, GuestCodeHasToBeTheSameToTheLastByte) {
    keep(1, 1);
    const auto cache = open();
    const std::vector<std::byte> page = guest_page(1);
    ASSERT_TRUE(find(*cache, 1, page).has_value());
    for (u32 at = 0x100; at < 0x140; ++at) {
        std::vector<std::byte> other = page;
        other[at] ^= std::byte{0x10};
        const bool is_code = at < 0x120 || at >= 0x130; // data may lie between blocks
        EXPECT_EQ(find(*cache, 1, other).has_value(), !is_code) << at;
    }
}

TEST_F(DiskCacheTest, OthersDoNotSeeIt) {
    keep(1, 1);
    const auto other = open(u64{1} << 30, {1, 3});
    EXPECT_FALSE(has(*other, 1));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(DiskCacheTest, TheLargestIsFoundOrTheOneWanted) {
    {
        const auto cache = open();
        cache->add(region_record(1, 12));
        cache->add(region_record(1, 40));
        cache->add(region_record(1, 20));
    }
    const auto cache = open();
    const auto largest = find(*cache, 1, guest_page(1));
    ASSERT_TRUE(largest.has_value());
    EXPECT_EQ(largest->outline.guest_instructions, 40u);
    const RegionRecord wanted = region_record(1, 20);
    const GuestCode code = guest_code(wanted.outline.ranges, guest_page(1));
    const auto found = cache->find(first_key(wanted), wanted.outline, code);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->outline, wanted.outline);
    const RegionOutline other = region_record(1, 21).outline;
    EXPECT_FALSE(cache->find(first_key(wanted), other, code).has_value());
}

TEST_F(DiskCacheTest, WhatLostIsNotUsedUnasked) {
    const RegionRecord record = region_record(1);
    keep(1, 1);
    open()->set_hot(record.id(), false);
    {
        const auto cache = open();
        EXPECT_TRUE(cache->hot_range(first_key(record)).is_empty());
        const GuestCode code = guest_code(record.outline.ranges, guest_page(1));
        EXPECT_TRUE(cache->find(first_key(record), record.outline, code).has_value());
        cache->set_hot(record.id(), true);
    }
    EXPECT_TRUE(has(*open(), 1));
}

TEST_F(DiskCacheTest, WhatHasSeveralPagesIsFoundByWhoKnowsThem) {
    RegionRecord record = region_record(1);
    record.outline.extents.push_back({-0x1000, 0xff0, 0x10});
    record.outline.crossings = {-0x10};
    record.outline.ranges.push_back({.page = -0x1000, .first_byte = 0xff0, .end_byte = 0x1000});
    const GuestCode code = guest_code(record.outline.ranges, guest_page(1));
    record.guest_code = guest_code_of(record.outline, code);
    open()->add(record);
    const auto cache = open();
    EXPECT_TRUE(cache->hot_range(first_key(record)).is_empty());
    EXPECT_FALSE(cache->find_hot(first_key(record), code).has_value());
    const auto found = cache->find(first_key(record), record.outline, code);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(encode(*found), encode(record));
    GuestCode other = code;
    other.parts[1].bytes[3] ^= std::byte{1};
    EXPECT_FALSE(cache->find(first_key(record), record.outline, other).has_value());
    other.parts.pop_back();
    EXPECT_FALSE(cache->find(first_key(record), record.outline, other).has_value());
}

TEST_F(DiskCacheTest, RunsThatLearnNothingWriteNothing) {
    keep(0, 3);
    const auto before = shards();
    ASSERT_EQ(before.size(), 1u);
    const std::string content = test::read_file(before[0].path);
    EXPECT_TRUE(has(*open(), 1));
    EXPECT_EQ(shards().size(), 1u);
    EXPECT_EQ(test::read_file(before[0].path), content);
}

TEST_F(DiskCacheTest, ManyShardsBecomeOne) {
    for (unsigned run = 0; run < 9; ++run) keep(run * 10, 10);
    EXPECT_EQ(shards().size(), 1u);
    const auto cache = open();
    for (unsigned seed = 0; seed < 90; ++seed) EXPECT_TRUE(has(*cache, seed)) << seed;
}

// --- trouble -------------------------------------------------------------------------------------

TEST_F(DiskCacheTest, DamagedShardsAreLeftOutAndRemoved) {
    keep(0, 1);
    keep(1, 1);
    const auto files = shards();
    ASSERT_EQ(files.size(), 2u);
    const std::string content = test::read_file(files[0].path);
    for (const std::string &damaged :
         {std::string{}, content.substr(0, content.size() / 2), content + "more",
          std::string(content.size(), 'x'), content.substr(1) + '\1'}) {
        test::write_file(files[0].path, damaged);
        warnings_.clear();
        EXPECT_EQ(has(*open(), 0) + has(*open(), 1), 1);
        ASSERT_EQ(warnings_.size(), 1u);
        EXPECT_NE(warnings_[0].find(files[0].path), std::string::npos) << warnings_[0];
        EXPECT_EQ(shards().size(), 1u);
    }
}

/// The index is sound, a region is not: noticed when it is wanted. The others live on, and it does
/// once it is compiled again.
TEST_F(DiskCacheTest, DamagedRegionsAreNotUsed) {
    keep(0, 3);
    std::string content = test::read_file(shards()[0].path);
    content[100] = static_cast<char>(content[100] ^ 4); // in the first region
    test::write_file(shards()[0].path, content);
    {
        const auto cache = open();
        EXPECT_EQ(warnings_.size(), 0u);
        EXPECT_TRUE(has(*cache, 1));
        EXPECT_FALSE(has(*cache, 0));
        EXPECT_EQ(warnings_.size(), 1u);
        EXPECT_TRUE(shards().empty());
        EXPECT_TRUE(has(*cache, 1));
        EXPECT_TRUE(has(*cache, 2));
        EXPECT_FALSE(has(*cache, 0));
        cache->add(region_record(0));
        EXPECT_TRUE(has(*cache, 0));
    }
    const auto cache = open();
    for (const unsigned seed : {0u, 1u, 2u}) EXPECT_TRUE(has(*cache, seed));
    EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(DiskCacheTest, ShardsInAForeignFolderAreLeftOut) {
    keep(0, 1);
    const std::string foreign = folder_of(directory_, {3, 4});
    std::filesystem::create_directory(foreign);
    std::filesystem::copy(shards()[0].path, foreign + "/a.shard");
    EXPECT_FALSE(has(*open(u64{1} << 30, {3, 4}), 0));
    EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(DiskCacheTest, WhatOthersMayWriteIsNotRun) {
    keep(0, 1);
    ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
    EXPECT_FALSE(has(*open(), 0));
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_NE(warnings_[0].find("others may write to it"), std::string::npos) << warnings_[0];
    EXPECT_EQ(shards().size(), 1u);
}

TEST_F(DiskCacheTest, ADirectoryThatCannotBeMadeIsToldOnce) {
    std::filesystem::create_directories(folder_);
    test::write_file(folder_ + "/some", "a file");
    {
        const auto cache = open();
        cache->add(region_record(0));
        cache->save();
        EXPECT_TRUE(has(*cache, 0)); // in memory
        cache->add(region_record(1));
    }
    EXPECT_EQ(warnings_.size(), 1u);
}

/// A disk that has room for half of it: the file that could not be written leaves nothing behind.
TEST_F(DiskCacheTest, AFullDiskKeepsWhatWasThere) {
    keep(0, 1);
    const auto before = shards();
    // Instead of a disk: no file of this process may grow further.
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old_limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    const rlimit limit{300, old_limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    keep(10, 20);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    std::signal(SIGXFSZ, old_handler);
    EXPECT_EQ(warnings_.size(), 1u);
    ASSERT_EQ(shards().size(), 1u);
    EXPECT_EQ(shards()[0].path, before[0].path);
    unsigned files = 0;
    for ([[maybe_unused]] const auto &each : std::filesystem::directory_iterator(before[0].folder))
        ++files;
    EXPECT_EQ(files, 1u);
    EXPECT_TRUE(has(*open(), 0));
}

TEST_F(DiskCacheTest, StaysBelowItsSize) {
    constexpr u64 kMaxBytes = 20'000;
    const auto total = [&] {
        u64 bytes = 0;
        for (const ShardFile &file : shards()) bytes += file.bytes;
        return bytes;
    };
    for (unsigned run = 0; run < 12; ++run) {
        keep(run * 10, 10, kMaxBytes);
        EXPECT_LE(total(), kMaxBytes) << run;
    }
    // What was used last is what is left.
    const auto cache = open(kMaxBytes);
    EXPECT_FALSE(has(*cache, 0));
    EXPECT_TRUE(has(*cache, 119));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(DiskCacheTest, OtherBuildsGoFirst) {
    keep(0, 10);
    const u64 bytes = shards()[0].bytes;
    {
        const auto other = open(bytes + bytes / 2, {3, 4});
        for (unsigned seed = 0; seed < 10; ++seed) other->add(region_record(seed));
    }
    ASSERT_EQ(shards().size(), 1u);
    EXPECT_EQ(shards()[0].folder, folder_of(directory_, {3, 4}));
}

TEST_F(DiskCacheTest, ClearLeavesOtherFilesAlone) {
    keep(0, 10);
    test::write_file(directory_ + "/mine", "precious");
    test::write_file(shards()[0].folder + "/mine.too", "precious");
    const auto cleared = clear_cache(directory_);
    ASSERT_TRUE(cleared.has_value());
    EXPECT_EQ(cleared->shards, 1u);
    EXPECT_TRUE(shards().empty());
    EXPECT_EQ(test::read_file(directory_ + "/mine"), "precious");
}

/// Processes that read, write, merge and evict at the same time, and are killed meanwhile: readers
/// find whole regions or none, and nobody has anything to complain of.
TEST_F(DiskCacheTest, ProcessesShareItAndMayBeKilled) {
    constexpr unsigned kProcesses = 6;
    std::vector<pid_t> children;
    for (unsigned process = 0; process < kProcesses; ++process) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            for (unsigned round = 0; round < 1000; ++round) {
                const auto cache = open(60'000);
                for (unsigned i = 0; i < 8; ++i) {
                    const unsigned seed = (round * 8 + i + process * 5) % 64;
                    if (!has(*cache, seed)) cache->add(region_record(seed));
                    if (i == 4) cache->save();
                }
                if (!warnings_.empty()) std::fprintf(stderr, "%s\n", warnings_[0].c_str());
                if (!warnings_.empty() || HasFailure()) ::_exit(1);
            }
            ::_exit(0);
        }
        children.push_back(child);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (unsigned i = 0; i < kProcesses / 2; ++i) ::kill(children[i], SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (unsigned i = kProcesses / 2; i < kProcesses; ++i) ::kill(children[i], SIGKILL);
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    for (const ShardFile &file : shards()) EXPECT_TRUE(Shard::open(file.path).has_value());
    keep(1000, 10);
    const auto cache = open();
    for (unsigned seed = 1000; seed < 1010; ++seed) EXPECT_TRUE(has(*cache, seed)) << seed;
    EXPECT_TRUE(warnings_.empty());
}

} // namespace
} // namespace tandem::jit
