#include "frontend-arm/a64/disasm/disasm.h"

#include <gtest/gtest.h>

namespace tandem::arm::a64 {
namespace {

TEST(Disassemble, KnowsInstructions) {
    EXPECT_EQ(disassemble(0xd503201f, 0), "nop");
    EXPECT_EQ(disassemble(0x91001020, 0), "add x0, x1, #4");
    EXPECT_EQ(disassemble(0x14000001, 0x1000), "b #0x1004");
}

TEST(Disassemble, ShowsUnknownWords) {
    EXPECT_EQ(disassemble(0xffffffff, 0), ".word 0xffffffff");
}

} // namespace
} // namespace tandem::arm::a64
