/// Random work on an image whose medium loses power: of the writes since the last flush any subset
/// reaches it, sector by sector. What was flushed must be there, and the tables must be sound.
#include "machine/storage/qcow2/checker.h"
#include "machine/storage/qcow2/creator.h"
#include "machine/storage/qcow2/image.h"
#include "machine/storage/testing/memory_file.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tandem::machine::qcow2 {
namespace {

using testing::MemoryFile;

constexpr u64 kDisk = 1 << 20, kBlock = 4096;

class PowerCut : public ::testing::TestWithParam<u32> {
protected:
    std::mt19937_64 random{GetParam()};
    u64 below(u64 limit) { return random() % limit; }

    /// A random image, and where each of its blocks stood at the last flush and may stand since.
    void run() {
        MemoryFile file;
        CreateOptions options;
        options.size = kDisk;
        options.cluster_bits = static_cast<u32>(9 + below(4));
        options.version = below(4) == 0 ? 2 : 3;
        ASSERT_TRUE(create(file, options).has_value());
        ASSERT_EQ(file.flush(), StoreStatus::Ok);

        std::map<u64, std::vector<u8>> possible; ///< by block: bytes it may be filled with
        for (u64 block = 0; block < kDisk / kBlock; ++block) possible[block] = {0};
        auto view = file.open_again();
        auto image = std::move(*Image::open(std::move(view)));
        const u64 operations = 1 + below(60);
        for (u64 i = 0; i < operations; ++i) {
            const u64 block = below(kDisk / kBlock);
            switch (below(8)) {
            case 0:
                ASSERT_EQ(image->flush(), StoreStatus::Ok);
                for (auto &[at, bytes] : possible) bytes = {bytes.back()};
                break;
            case 1:
                ASSERT_EQ(image->write_zeroes(block * kBlock, kBlock, below(2) != 0),
                          StoreStatus::Ok);
                possible[block].push_back(0);
                break;
            case 2:
                ASSERT_EQ(image->discard(block * kBlock, kBlock), StoreStatus::Ok);
                if (options.cluster_bits <= 12) possible[block].push_back(0);
                break;
            default: {
                const u8 value = static_cast<u8>(1 + below(255));
                const std::vector<std::byte> data(kBlock, std::byte{value});
                ASSERT_TRUE(write_bytes(*image, block * kBlock, data));
                possible[block].push_back(value);
            }
            }
        }
        MemoryFile after = file.after_power_cut(random);
        const auto report = check(after, Repair::None, {});
        ASSERT_TRUE(report.has_value()) << report.error().message;
        EXPECT_EQ(report->errors, 0u) << report->findings.front();
        const auto survivor = std::move(*Image::open(after.open_again()));
        for (const auto &[block, bytes] : possible) {
            std::vector<std::byte> data(kBlock);
            ASSERT_TRUE(read_bytes(*survivor, block * kBlock, data));
            for (u64 at = 0; at < kBlock; at += 512)
                EXPECT_NE(std::ranges::find(bytes, static_cast<u8>(data[at])), bytes.end())
                    << "block " << block << " holds " << static_cast<int>(data[at]);
        }
        // The survivor's leaks can be given back, and it works on.
        const auto repaired = check(after, Repair::Leaks, {});
        ASSERT_TRUE(repaired.has_value());
        EXPECT_EQ(repaired->leaks, 0u);
    }
};

TEST_P(PowerCut, LosesNothingThatWasFlushed) {
    for (int i = 0; i < 40 && !HasFailure(); ++i) run();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerCut, ::testing::Range(0u, 10u));

} // namespace
} // namespace tandem::machine::qcow2
