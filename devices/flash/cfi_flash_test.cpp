#include "devices/flash/cfi_flash.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

class CfiFlashTest : public ::testing::Test {
protected:
    void write(u64 offset, u64 value) { ASSERT_TRUE(flash.write(offset, 2, value)); }
    /// A command code for both chips.
    void command(u64 offset, u32 code) { write(offset, code | code << 16); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(flash.read(offset, 2, value));
        return value;
    }
    testing::FakeFlashStorage storage{4 * CfiFlash::kBlockSize};
    testing::FakeRomWindow window;
    CfiFlash flash{"flash", storage, window};
};

TEST_F(CfiFlashTest, ShowsTheCellsDirectly) {
    EXPECT_TRUE(window.is_direct);
    storage.cells()[5] = std::byte{0x42};
    EXPECT_EQ(read(4), 0xffff42ffu);
}

TEST_F(CfiFlashTest, AnswersTheQuery) {
    command(0x55 * 4, 0x98);
    EXPECT_FALSE(window.is_direct);
    EXPECT_EQ(read(0x10 * 4), u64{'Q' | 'Q' << 16});
    EXPECT_EQ(read(0x11 * 4), u64{'R' | 'R' << 16});
    EXPECT_EQ(read(0x12 * 4), u64{'Y' | 'Y' << 16});
    EXPECT_EQ(read(0x13 * 4), 0x10001u);
    EXPECT_EQ(read(0x27 * 4), u64{0x130013}) << "512 KiB each";
    EXPECT_EQ(read(0x2d * 4), u64{0x30003}) << "four blocks";
    EXPECT_EQ(read(0x30 * 4), u64{0x20002}) << "of 128 KiB";
    EXPECT_EQ(read(0x2a * 4), u64{0xa000a}) << "a buffer of 1 KiB";
    command(0, 0xff);
    EXPECT_TRUE(window.is_direct);
    EXPECT_EQ(read(0x40), 0xffffffffu);
}

TEST_F(CfiFlashTest, ProgramsAndErases) {
    command(0x100, 0x40);
    write(0x100, 0x12345678);
    EXPECT_EQ(read(0x100), 0x800080u) << "ready, no error";
    command(0, 0xff);
    EXPECT_EQ(read(0x100), 0x12345678u);
    command(0x100, 0x40);
    write(0x100, 0xffff0000); // cannot set bits
    command(0, 0xff);
    EXPECT_EQ(read(0x100), 0x12340000u);
    command(0x100, 0x20);
    command(0x100, 0xd0);
    EXPECT_EQ(read(0), 0x800080u);
    command(0, 0xff);
    EXPECT_EQ(read(0x100), 0xffffffffu);
    ASSERT_EQ(storage.changes.size(), 3u);
    EXPECT_EQ(storage.changes[2], (std::pair<u64, u64>{0, CfiFlash::kBlockSize}));
}

TEST_F(CfiFlashTest, ProgramsThroughTheBuffer) {
    command(0x40000, 0xe8);
    EXPECT_EQ(read(0x40000), 0x800080u);
    command(0x40000, 3); // four words of each chip
    for (u64 i = 0; i < 4; ++i) write(0x40080 + i * 4, i + 1);
    command(0x40000, 0xd0);
    EXPECT_EQ(read(0), 0x800080u);
    command(0, 0xff);
    for (u64 i = 0; i < 4; ++i) EXPECT_EQ(read(0x40080 + i * 4), i + 1);
    EXPECT_EQ(read(0x40090), 0xffffffffu);
    EXPECT_EQ(storage.changes, (std::vector<std::pair<u64, u64>>{{0x40080, 16}}));
}

TEST_F(CfiFlashTest, RefusesBadSequences) {
    command(0, 0x20);
    command(0, 0x00); // not a confirmation
    EXPECT_EQ(read(0), 0xb000b0u);
    command(0, 0x50);
    command(0, 0x70);
    EXPECT_EQ(read(0), 0x800080u);
    command(0, 0xe8);
    command(0, 0xffff); // too many words
    EXPECT_EQ(read(0), 0xb000b0u);
}

TEST_F(CfiFlashTest, LocksBlocks) {
    command(0x40000, 0x60);
    command(0x40000, 0x01);
    command(0x40000, 0x90);
    EXPECT_EQ(read(0), 0x890089u);
    EXPECT_EQ(read(0x40008), 0x10001u);
    EXPECT_EQ(read(8), 0u);
    command(0x40000, 0x40);
    write(0x40000, 0);
    EXPECT_EQ(read(0), 0x920092u);
    command(0x40000, 0x60);
    command(0x40000, 0xd0);
    command(0x40000, 0x50);
    command(0x40000, 0x40);
    write(0x40000, 0);
    EXPECT_EQ(read(0), 0x800080u);
}

TEST_F(CfiFlashTest, SaysWhenTheHostCannotKeepAChange) {
    storage.is_full = true;
    command(0, 0x40);
    write(0, 0);
    EXPECT_EQ(read(0), 0x900090u) << "program error";
    command(0, 0x50);
    command(0, 0x20);
    command(0, 0xd0);
    EXPECT_EQ(read(0), 0xa000a0u) << "erase error";
    command(0, 0x50);
    command(0, 0xe8);
    command(0, 0);
    write(0, 0);
    command(0, 0xd0);
    EXPECT_EQ(read(0), 0x900090u);
}

TEST_F(CfiFlashTest, ReadOnlyStaysAsItIs) {
    storage.is_read_only = true;
    command(0, 0x40);
    write(0, 0);
    EXPECT_EQ(read(0), 0x920092u);
    EXPECT_TRUE(storage.changes.empty());
    flash.reset();
    EXPECT_TRUE(window.is_direct);
    EXPECT_EQ(read(0), 0xffffffffu);
}

} // namespace
} // namespace tandem::devices
