#include "jit/disk_cache/region_record.h"

#include "jit/disk_cache/test_record.h"

#include <sys/mman.h>

namespace tandem::jit {
namespace {

using test::region_record;

TEST(RegionRecord, ReadsBackAsItWasWritten) {
    const RegionRecord record = region_record(1);
    const auto bytes = encode(record);
    const auto read = decode(bytes);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->outline, record.outline);
    EXPECT_EQ(read->guest_code, record.guest_code);
    EXPECT_EQ(read->image.code, record.image.code);
    EXPECT_EQ(encode(*read), bytes);
    EXPECT_EQ(read->id(), record.id());
}

TEST(RegionRecord, IsNamedByWhatItWasMadeFrom) {
    const RegionRecord record = region_record(1);
    RegionRecord other = record;
    other.image.code.front() ^= std::byte{1};
    EXPECT_EQ(other.id(), record.id());
    other.guest_code.back() ^= std::byte{1};
    EXPECT_NE(other.id(), record.id());
    other = record;
    other.outline.mode ^= 1;
    EXPECT_NE(other.id(), record.id());
    EXPECT_NE(entry_keys(other), entry_keys(record));
}

TEST(RegionRecord, WhatIsCutOffIsNone) {
    const auto bytes = encode(region_record(1));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode(std::span(bytes).first(size)).has_value()) << size;
    auto longer = bytes;
    longer.push_back({});
    EXPECT_FALSE(decode(longer).has_value());
}

/// What decode() lets through does not get place_image() to write outside its piece.
TEST(RegionRecord, DamagedOnesArePlacedOrRefused) {
    constexpr std::size_t kSize = 1 << 20;
    void *memory =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    auto *bytes_of_memory = static_cast<std::byte *>(memory);
    CodeArena arena({bytes_of_memory, bytes_of_memory, kSize});
    const ir::Helper helpers[2] = {};
    const void *table[2] = {};
    const RegionSymbols symbols{.side_exit = memory,
                                .exit_lookup = memory,
                                .exit_pc_set = memory,
                                .exits = {memory},
                                .helpers = helpers,
                                .helper_table = table};
    RegionRecord sound = region_record(1);
    sound.image.relocations.pop_back(); // of a helper: the table lies too far from here
    const auto bytes = encode(sound);
    EXPECT_TRUE(place_image(sound.image, symbols, arena).has_value());
    unsigned placed = 0, refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const auto change : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
            auto damaged = bytes;
            damaged[at] ^= change;
            auto record = decode(damaged);
            if (record.has_value() && place_image(std::move(record->image), symbols, arena))
                ++placed;
            else
                ++refused;
        }
    }
    EXPECT_GT(placed, 0u);
    EXPECT_GT(refused, 0u);
    EXPECT_EQ(arena.used(), 0u);
    ::munmap(memory, kSize);
}

} // namespace
} // namespace tandem::jit
