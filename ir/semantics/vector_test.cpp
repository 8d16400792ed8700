// Vector operations at their extremes; lanes are given from the least significant one.
#include "ir/semantics/fp_vector.h"
#include "ir/semantics/lanes.h"
#include "ir/semantics/vector_integer.h"
#include "ir/semantics/vector_move.h"
#include "ir/semantics/vector_multiply.h"
#include "ir/semantics/vector_shift.h"

#include <gtest/gtest.h>

namespace tandem::ir::semantics {
namespace {

template <typename T>
Vec all(T value) {
    return detail::splat<T>(value);
}
Vec words(u32 a, u32 b, u32 c, u32 d) {
    return detail::vec<u32>({a, b, c, d});
}
Vec halves(u16 a, u16 b, u16 c, u16 d, u16 e, u16 f, u16 g, u16 h) {
    return detail::vec<u16>({a, b, c, d, e, f, g, h});
}
const Vec kBytes{{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

/// Checks a saturating operation's result and whether it says so.
#define EXPECT_SATURATED(saturated, expected, call)                                                \
    do {                                                                                           \
        FpEnv env;                                                                                 \
        EXPECT_EQ(call, expected);                                                                 \
        EXPECT_EQ(env.flags, (saturated) ? kFpSaturated : 0u);                                     \
    } while (false)

TEST(Vector, SaturatingAddAndSubtract) {
    EXPECT_SATURATED(true, all<u8>(0x7f), VSatAddS8(env, all<u8>(0x7f), all<u8>(1)));
    EXPECT_SATURATED(false, all<u8>(0x80), VSatAddU8(env, all<u8>(0x7f), all<u8>(1)));
    EXPECT_SATURATED(true, all<u64>(~u64{0}), VSatAddU64(env, all<u64>(~u64{0}), all<u64>(1)));
    EXPECT_SATURATED(true, all<u64>(u64{1} << 63),
                     VSatSubS64(env, all<u64>(u64{1} << 63), all<u64>(1)));
    EXPECT_SATURATED(true, all<u16>(0), VSatSubU16(env, all<u16>(0), all<u16>(1)));
    // SUQADD and USQADD mix the signs.
    EXPECT_SATURATED(true, all<u64>(ones(63)), VSatAddSU64(env, all<u64>(1), all<u64>(ones(63))));
    EXPECT_SATURATED(false, all<u64>(ones(63)),
                     VSatAddSU64(env, all<u64>(~u64{0}), all<u64>(u64{1} << 63)));
    EXPECT_SATURATED(true, all<u32>(0), VSatAddUS32(env, all<u32>(1), all<u32>(0x80000000)));
    EXPECT_SATURATED(true, all<u16>(0x7fff), VSatAbs16(env, all<u16>(0x8000)));
    EXPECT_SATURATED(true, all<u64>(ones(63)), VSatNeg64(env, all<u64>(u64{1} << 63)));
}

TEST(Vector, RegisterShifts) {
    const Vec one = all<u16>(1);
    EXPECT_EQ(VShlU16(one, all<u16>(0xff0f)), all<u16>(0x8000)); // only the low byte counts
    EXPECT_EQ(VShlU16(one, all<u16>(16)), all<u16>(0));
    EXPECT_EQ(VShlS16(all<u16>(0x8000), all<u16>(0x80)), all<u16>(0xffff)); // right by 128
    EXPECT_EQ(VRoundShlS16(all<u16>(0xffff), all<u16>(0xf0)), all<u16>(0)); // right by the width
    EXPECT_EQ(VRoundShlU16(all<u16>(0xffff), all<u16>(0xf0)), all<u16>(1));
    EXPECT_EQ(VRoundShlU16(all<u16>(0xffff), all<u16>(0xef)), all<u16>(0));
    EXPECT_EQ(VRoundShlU64(all<u64>(~u64{0}), all<u64>(0xff)), all<u64>(u64{1} << 63));
    EXPECT_SATURATED(true, all<u16>(0x7fff), VSatShlS16(env, one, all<u16>(15)));
    EXPECT_SATURATED(false, all<u16>(0x8000), VSatShlU16(env, one, all<u16>(15)));
    EXPECT_SATURATED(true, all<u16>(0xffff), VSatShlU16(env, one, all<u16>(127)));
    EXPECT_SATURATED(false, all<u16>(0), VSatShlS16(env, all<u16>(0), all<u16>(127)));
    EXPECT_SATURATED(true, all<u32>(0), VSatShlImmSU32(env, 3 << 8, all<u32>(0xffffffff)));
}

TEST(Vector, ImmediateShiftsByTheWholeLane) {
    EXPECT_EQ(VLsrImm8(8, all<u8>(0xff)), all<u8>(0));
    EXPECT_EQ(VAsrImm64(64, all<u64>(u64{1} << 63)), all<u64>(~u64{0}));
    EXPECT_EQ(VRoundLsrImm32(32, all<u32>(0x80000000)), all<u32>(1));
    EXPECT_EQ(VRoundAsrImm32(32, all<u32>(0x80000000)), all<u32>(0));
    EXPECT_EQ(VShrInsert16(16, all<u16>(0x1234), all<u16>(0xffff)), all<u16>(0x1234));
    EXPECT_EQ(VShrInsert16(4, all<u16>(0x1234), all<u16>(0xffff)), all<u16>(0x1fff));
    EXPECT_EQ(VShlInsert16(4, all<u16>(0x1234), all<u16>(0xffff)), all<u16>(0xfff4));
}

TEST(Vector, Narrowing) {
    EXPECT_EQ(VNarrow8(all<u16>(0x1234)), (Vec{{0x3434343434343434, 0}}));
    EXPECT_SATURATED(true, (Vec{{0x7f7f7f7f7f7f7f7f, 0}}), VNarrowSatS8(env, all<u16>(0x80)));
    EXPECT_SATURATED(false, (Vec{{0x8080808080808080, 0}}), VNarrowSatU8(env, all<u16>(0x80)));
    EXPECT_SATURATED(true, (Vec{{0, 0}}), VNarrowSatSU8(env, all<u16>(0xffff)));
    EXPECT_EQ(VShrNarrow32(32 << 8 | 1 << 16, all<u64>(0x0000000180000000)),
              (Vec{{0x0000000200000002, 0}}));
    EXPECT_SATURATED(true, (Vec{{0x7fffffff7fffffff, 0}}),
                     VShrNarrowSatS32(env, 1 << 8 | 1 << 16, all<u64>(ones(63))));
}

TEST(Vector, SaturatingMultiplication) {
    const Vec lowest = all<u32>(0x80000000);
    EXPECT_SATURATED(true, all<u32>(0x7fffffff), VSatDoubleMulHigh32(env, lowest, lowest));
    EXPECT_SATURATED(true, all<u64>(ones(63)), VSatDoubleMulLong32(env, lowest, lowest));
    EXPECT_SATURATED(false, all<u16>(0x4000),
                     VSatRoundDoubleMulHigh16(env, all<u16>(0x7fff), all<u16>(0x4000)));
    EXPECT_SATURATED(true, all<u32>(0x7fffffff),
                     VSatRoundDoubleMulAddHigh32(env, all<u32>(0x7fffffff), lowest, lowest));
    EXPECT_SATURATED(true, lowest, VSatRoundDoubleMulSubHigh32(env, lowest, lowest, lowest));
    // The accumulator counts before rounding and saturation (FEAT_RDM).
    EXPECT_SATURATED(false, all<u32>(0), VSatRoundDoubleMulAddHigh32(env, lowest, lowest, lowest));
}

TEST(Vector, ProductsOfBytes) {
    EXPECT_EQ(VDotS(all<u32>(1), all<u8>(0xff), all<u8>(2)), all<u32>(static_cast<u32>(-7)));
    EXPECT_EQ(VDotUS(all<u32>(0), all<u8>(0xff), all<u8>(0x80)),
              all<u32>(static_cast<u32>(-4 * 255 * 128)));
    EXPECT_EQ(VMatMulU(all<u32>(1), all<u8>(0xff), all<u8>(0xff)), all<u32>(1 + 8 * 255 * 255));
    EXPECT_EQ(VPolyMul8(all<u8>(0xff), all<u8>(3)), all<u8>(0x01));
    EXPECT_EQ(VPolyMulLong8(all<u8>(0xff), all<u8>(3)), all<u16>(0x101));
    EXPECT_EQ(VPolyMulLong64({{~u64{0}, 5}}, {{3, 7}}), (Vec{{1, 1}}));
}

TEST(Vector, AcrossLanes) {
    const Vec a = words(1, 0xffffffff, 5, 0x80000000);
    EXPECT_EQ(VAcrossMaxS32(4, a), (Vec{{5, 0}}));
    EXPECT_EQ(VAcrossMinU32(4, a), (Vec{{1, 0}}));
    EXPECT_EQ(VAcrossAdd32(2, a), (Vec{{0, 0}}));
    EXPECT_EQ(VAcrossAddLongU32(2, a), (Vec{{0x100000000, 0}}));
    EXPECT_EQ(VAcrossAddLongS8(16, all<u8>(0xff)), (Vec{{0xfff0, 0}}));
}

TEST(Vector, Permutations) {
    EXPECT_EQ(VExtract(3, kBytes, all<u8>(0xff)), (Vec{{0x0a09080706050403, 0xffffff0f0e0d0c0b}}));
    EXPECT_EQ(VTable(kBytes, all<u8>(16)), Vec{});
    EXPECT_EQ(VTableExtend(all<u8>(7), kBytes, {{0x0f10, 0}}), (Vec{{0x000000000000'0f07, 0}}));
    EXPECT_EQ(VReverse64_16(kBytes), (Vec{{0x0100030205040706, 0x09080b0a0d0c0f0e}}));
    EXPECT_EQ(VZip2_32(words(0, 1, 2, 3), words(4, 5, 6, 7)), words(2, 6, 3, 7));
    EXPECT_EQ(VUzp2_32(words(0, 1, 2, 3), words(4, 5, 6, 7)), words(1, 3, 5, 7));
    EXPECT_EQ(VTrn1_32(words(0, 1, 2, 3), words(4, 5, 6, 7)), words(0, 4, 2, 6));
    EXPECT_EQ(VInsertLane32(3 | 1 << 8, words(0, 1, 2, 3), words(4, 5, 6, 7)), words(0, 1, 2, 5));
    EXPECT_EQ(VGet8(15, kBytes), 15u);
    EXPECT_EQ(VSet16(1, Vec{}, 0x12345), words(0x23450000, 0, 0, 0));
    EXPECT_EQ(VSelect(all<u8>(0xaa), all<u8>(0x55), all<u8>(0xf0)), all<u8>(0xa5));
}

TEST(Vector, FloatPairwiseComplexAndWidths) {
    constexpr u32 kOne = 0x3f800000, kTwo = 0x40000000, kThree = 0x40400000, kSeven = 0x40e00000;
    constexpr u32 kFour = 0x40800000, kMinusOne = 0xbf800000;
    FpEnv env;
    EXPECT_EQ(VFAddPairwise32(env, words(kOne, kTwo, kThree, kFour), all<u32>(kOne)),
              words(kThree, kSeven, kTwo, kTwo));
    // (1 + 2i) + i * (1 + 1i) = 0 + 3i
    const Vec one_two = words(kOne, kTwo, kOne, kTwo);
    EXPECT_EQ(VFComplexAdd32(env, 0, one_two, all<u32>(kOne)), words(0, kThree, 0, kThree));
    // 0 and 90 degrees together multiply: (1 + 2i) * (1 + 1i) = -1 + 3i
    Vec product = VFComplexMulAdd32(env, 0 << 8, Vec{}, one_two, all<u32>(kOne));
    product = VFComplexMulAdd32(env, 1 << 8, product, one_two, all<u32>(kOne));
    EXPECT_EQ(product, words(kMinusOne, kThree, kMinusOne, kThree));
    EXPECT_EQ(VFToS16(env, 3 << 8, all<u16>(0xc500)), all<u16>(static_cast<u16>(-5)));
    EXPECT_EQ(VSToF32(env, 1 << 16, all<u32>(2)), all<u32>(kOne));
    EXPECT_EQ(VFWiden16(env, all<u16>(0x3c00)), all<u32>(kOne));
    EXPECT_EQ(VFNarrow16(env, all<u32>(kOne)), (Vec{{0x3c003c003c003c00, 0}}));
    EXPECT_EQ(VFMulAddLong(env, all<u32>(kOne), all<u16>(0x4000), all<u16>(0x4200)),
              all<u32>(kSeven));
    EXPECT_EQ(env.flags, 0u);
    const Vec mixed = halves(0x3c00, 0x7e00, 0xbc00, 0x3c00, 0, 0, 0, 0);
    EXPECT_EQ(VFCompareGreater16(env, mixed, Vec{}), halves(0xffff, 0, 0, 0xffff, 0, 0, 0, 0));
    EXPECT_EQ(env.flags, kFpInvalid);
}

} // namespace
} // namespace tandem::ir::semantics
