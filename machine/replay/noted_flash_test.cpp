#include "machine/replay/noted_flash.h"

#include "machine/host/flash_storage.h"

#include <gtest/gtest.h>

namespace tandem::machine::replay {
namespace {

constexpr u64 kSize = 1u << 20;

TEST(NotedFlashTest, TheHashIsThatOfTheCells) {
    const auto cells = MemoryFlash::create(kSize).value();
    cells->cells()[5] = std::byte{1};
    NotedFlash changed(*cells);
    const u64 before = changed.hash();
    EXPECT_EQ(NotedFlash(*cells).hash(), before);
    changed.cells()[9000] = std::byte{7};
    ASSERT_TRUE(changed.persist(9000, 1));
    EXPECT_NE(changed.hash(), before);
    EXPECT_EQ(NotedFlash(*cells).hash(), changed.hash());
    // Both who asks for hashes and who asks for changes get all of them.
    EXPECT_EQ(changed.take_changed()[0], 0b100u);
    changed.cells()[9000] = std::byte{0};
    changed.was_set(2);
    EXPECT_EQ(changed.hash(), before);
    EXPECT_EQ(changed.take_changed()[0], 0u);
}

} // namespace
} // namespace tandem::machine::replay
