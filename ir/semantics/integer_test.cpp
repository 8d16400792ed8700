#include "ir/semantics/flags.h"
#include "ir/semantics/integer.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::ir::semantics {
namespace {

constexpr u64 kMin64 = u64{1} << 63;

TEST(Integer, Division) {
    EXPECT_EQ(DivS64(5, 0), 0u);
    EXPECT_EQ(DivU32(5, 0), 0u);
    EXPECT_EQ(DivS64(kMin64, ~u64{0}), kMin64);
    EXPECT_EQ(DivS32(0x80000000, 0xffffffff), 0x80000000u);
    EXPECT_EQ(DivS32(static_cast<u32>(-7), 2), static_cast<u32>(-3));
}

TEST(Integer, ShiftsAreModuloTheWidth) {
    EXPECT_EQ(Shl32(1, 33), 2u);
    EXPECT_EQ(Asr64(kMin64, 127), ~u64{0});
    EXPECT_EQ(Ror32(1, 32), 1u);
    EXPECT_EQ(Ror64(1, 1), kMin64);
}

TEST(Integer, Bitfields) {
    EXPECT_EQ(BitfieldInsert64(8 | 4 << 8, ~u64{0}, 0), ~u64{0xf00});
    EXPECT_EQ(BitfieldInsert32(0 | 32 << 8, 1, 2), 2u);
    EXPECT_EQ(BitfieldExtract64(60 | 4 << 8, 0xa000000000000000), 0xau);
    EXPECT_EQ(BitfieldExtractSigned32(4 | 4 << 8, 0xf0), ~u32{0});
    EXPECT_EQ(BitfieldExtractSigned64(0 | 64 << 8, kMin64), kMin64);
    EXPECT_EQ(Extract32(8, 0x11223344, 0x55667788), 0x44556677u);
    EXPECT_EQ(Extract64(0, 1, 2), 2u);
}

TEST(Integer, HighProductsAndReversal) {
    EXPECT_EQ(MulHighU64(~u64{0}, ~u64{0}), ~u64{1});
    EXPECT_EQ(MulHighS64(~u64{0}, 1), ~u64{0});
    EXPECT_EQ(ReverseBits32(1), 0x80000000u);
    EXPECT_EQ(ReverseBits64(2), kMin64 >> 1);
    EXPECT_EQ(ReverseBytes64(0x0102030405060708), 0x0807060504030201u);
    EXPECT_EQ(CountLeadingZeros32(0), 32u);
    EXPECT_EQ(CountLeadingZeros64(0), 64u);
    EXPECT_EQ(SignExtend8(0x1ff), ~u64{0});
    EXPECT_EQ(SignExtend32(0x80000000), 0xffffffff80000000u);
}

TEST(Integer, CrcCheckValues) {
    // The CRC catalogue's check string.
    const char text[] = "123456789";
    u64 first = 0;
    std::memcpy(&first, text, 8);
    EXPECT_EQ(~Crc32(1, Crc32(8, ~u32{0}, first), '9'), 0xcbf43926u);
    EXPECT_EQ(~Crc32C(1, Crc32C(8, ~u32{0}, first), '9'), 0xe3069283u);
    EXPECT_EQ(Crc32(4, Crc32(2, 1, first), first >> 16), Crc32(2, Crc32(4, 1, first), first >> 32));
}

TEST(Flags, AddAndSubtract) {
    EXPECT_EQ(AddFlags32(0x7fffffff, 1), kFlagN | kFlagV);
    EXPECT_EQ(AddFlags64(~u64{0}, 1), kFlagZ | kFlagC);
    EXPECT_EQ(SubFlags32(0, 1), kFlagN);
    EXPECT_EQ(SubFlags64(5, 5), kFlagZ | kFlagC);
    EXPECT_EQ(SubFlags64(kMin64, 1), kFlagC | kFlagV);
    EXPECT_EQ(AdcFlags32(0xffffffff, 0xffffffff, kFlagC), kFlagN | kFlagC);
    EXPECT_EQ(SbcFlags64(0, 0, 0), kFlagN);
    EXPECT_EQ(Adc64(1, 2, kFlagC), 4u);
    EXPECT_EQ(Sbc32(1, 1, 0), ~u32{0});
    EXPECT_EQ(LogicFlags32(0), kFlagZ);
    EXPECT_EQ(LogicFlags64(kMin64), kFlagN);
}

TEST(Flags, LayoutConversions) {
    for (u32 nzcv = 0; nzcv < 16; ++nzcv) {
        EXPECT_EQ(NzcvFromFlags(FlagsFromNzcv(nzcv << 28 | 0x0fffffff)), nzcv << 28);
    }
}

// Arm ARM C1.2.4, spelled out independently of CondHolds.
TEST(Flags, Conditions) {
    for (u32 nzcv = 0; nzcv < 16; ++nzcv) {
        const bool n = (nzcv & 8) != 0, z = (nzcv & 4) != 0, c = (nzcv & 2) != 0,
                   v = (nzcv & 1) != 0;
        const bool expected[16] = {
            z,       !z,     c,      !c,           n,           !n,   v,   !v, c && !z,
            !c || z, n == v, n != v, !z && n == v, z || n != v, true, true};
        for (unsigned cond = 0; cond < 16; ++cond)
            EXPECT_EQ(CondHolds(cond, flags_from_nzcv(nzcv)), expected[cond])
                << nzcv << ' ' << cond;
    }
}

} // namespace
} // namespace tandem::ir::semantics
