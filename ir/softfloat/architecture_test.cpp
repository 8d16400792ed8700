// What the Arm architecture defines beyond IEEE 754: NaN propagation, flushing, saturation, the
// alternative half format, estimates, bfloat16. Expected values follow from the Arm ARM's shared
// pseudocode, named in each test.
#include "ir/softfloat/softfloat.h"

#include <gtest/gtest.h>

namespace tandem::ir::softfloat {
namespace {

constexpr u8 kFlush = 4, kDefaultNaNs = 8, kFlushHalf = 16, kAlternativeHalf = 32;
constexpr u32 kOne = 0x3f800000, kTwo = 0x40000000, kInf = 0x7f800000, kNegative = 0x80000000;
constexpr u32 kQuiet1 = 0x7fc00001, kQuiet2 = 0xffc00002, kSignalling = 0x7f800003;
constexpr u32 kSubnormal = 0x00000123, kDefault = 0x7fc00000;

TEST(SoftFloat, ProcessNaNs) {
    FpEnv env;
    EXPECT_EQ(add<Single>(env, kQuiet1, kQuiet2), kQuiet1);
    EXPECT_EQ(sub<Single>(env, kOne, kQuiet2), kQuiet2); // FSUB does not negate it
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(mul<Single>(env, kQuiet1, kSignalling), kSignalling | 0x400000);
    EXPECT_EQ(env.flags, kFpInvalid);
    env = FpEnv{FpMode{kDefaultNaNs}};
    EXPECT_EQ(div<Single>(env, kQuiet2, kOne), kDefault);
    EXPECT_EQ(env.flags, 0u);
    // FPRecipStepFused negates its first operand, NaN or not.
    env = {};
    EXPECT_EQ(recip_step<Single>(env, kQuiet1, kOne), kQuiet1 | kNegative);
}

TEST(SoftFloat, InvalidOperationsGiveThePositiveDefaultNaN) {
    const auto expect_invalid = [](u32 (*operation)(FpEnv &)) {
        FpEnv env;
        EXPECT_EQ(operation(env), kDefault);
        EXPECT_EQ(env.flags, kFpInvalid);
    };
    expect_invalid([](FpEnv &env) { return add<Single>(env, kInf, kInf | kNegative); });
    expect_invalid([](FpEnv &env) { return sub<Single>(env, kInf, kInf); });
    expect_invalid([](FpEnv &env) { return mul<Single>(env, kInf, kNegative); });
    expect_invalid([](FpEnv &env) { return div<Single>(env, 0, kNegative); });
    expect_invalid([](FpEnv &env) { return div<Single>(env, kInf, kInf); });
    expect_invalid([](FpEnv &env) { return softfloat::sqrt<Single>(env, kOne | kNegative); });
    // FPMulAdd: even a quiet NaN addend yields to an invalid product.
    expect_invalid([](FpEnv &env) { return mul_add<Single>(env, kQuiet2, kInf, 0); });
    expect_invalid([](FpEnv &env) { return mul_add<Single>(env, kInf, kInf, kOne | kNegative); });
}

TEST(SoftFloat, ExtendedMultiplyAndSteps) {
    FpEnv env;
    EXPECT_EQ(mulx<Single>(env, kInf, kNegative), kTwo | kNegative);
    EXPECT_EQ(recip_step<Single>(env, kInf, 0), kTwo);
    EXPECT_EQ(rsqrt_step<Single>(env, 0, kInf), 0x3fc00000u);
    EXPECT_EQ(recip_step<Single>(env, kOne, kOne), kOne);
    EXPECT_EQ(rsqrt_step<Single>(env, kOne, kOne), kOne);
    EXPECT_EQ(env.flags, 0u);
}

TEST(SoftFloat, FlushToZero) {
    FpEnv env{FpMode{kFlush}};
    EXPECT_EQ(add<Single>(env, kSubnormal | kNegative, kNegative), kNegative);
    EXPECT_EQ(env.flags, kFpInputDenormal);
    env.flags = 0;
    EXPECT_EQ(mul<Single>(env, 0x80800000, 0x3f000000), kNegative);
    EXPECT_EQ(env.flags, kFpUnderflow); // and not inexact
    // Before rounding, so also what would round up to the smallest normal number.
    env.flags = 0;
    EXPECT_EQ(mul<Single>(env, 0x00800000, 0x3f7fffff), 0u);
    EXPECT_EQ(env.flags, kFpUnderflow);
    // FPUnpackBase: half precision has its own control and raises nothing.
    env = FpEnv{FpMode{kFlush}};
    EXPECT_EQ(add<Half>(env, 1, 0), 1);
    env = FpEnv{FpMode{kFlushHalf}};
    EXPECT_EQ(add<Half>(env, 1, 0), 0);
    EXPECT_EQ(env.flags, 0u);
    // FPUnpackCV, FPRoundCV: conversions ignore FZ16.
    EXPECT_EQ((convert<Half, Single>(env, 1, Rounding::NearestEven)), 0x33800000u);
    EXPECT_EQ((convert<Single, Half>(env, 0x33800000, Rounding::NearestEven)), 1);
}

TEST(SoftFloat, TininessBeforeRounding) {
    FpEnv env;
    EXPECT_EQ(mul<Single>(env, 0x00800000, 0x3f7fffff), 0x00800000u);
    EXPECT_EQ(env.flags, kFpUnderflow | kFpInexact);
}

TEST(SoftFloat, MaxAndMin) {
    FpEnv env;
    EXPECT_EQ(max<Single>(env, kNegative, 0), 0u);
    EXPECT_EQ(min<Single>(env, 0, kNegative), kNegative);
    EXPECT_EQ(max<Single>(env, kQuiet1, kOne), kQuiet1);
    EXPECT_EQ(max_num<Single>(env, kQuiet1, kOne), kOne);
    EXPECT_EQ(min_num<Single>(env, kOne, kQuiet2), kOne);
    EXPECT_EQ(max_num<Single>(env, kQuiet1, kQuiet2), kQuiet1);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(max_num<Single>(env, kQuiet1, kSignalling), kSignalling | 0x400000);
    EXPECT_EQ(env.flags, kFpInvalid);
}

TEST(SoftFloat, Compare) {
    FpEnv env;
    EXPECT_EQ(compare<Single>(env, kNegative, 0, true), kFlagZ | kFlagC);
    EXPECT_EQ(compare<Single>(env, kOne, kTwo, true), kFlagN);
    EXPECT_EQ(compare<Single>(env, kOne, kTwo | kNegative, true), kFlagC);
    EXPECT_EQ(compare<Single>(env, kQuiet1, kOne, false), kFlagC | kFlagV);
    EXPECT_FALSE(compare_equal<Single>(env, kQuiet1, kQuiet1));
    EXPECT_EQ(env.flags, 0u);
    EXPECT_FALSE(compare_greater<Single>(env, kQuiet1, kOne));
    EXPECT_EQ(env.flags, kFpInvalid);
    env = {};
    (void)compare<Single>(env, kQuiet1, kOne, true);
    EXPECT_EQ(env.flags, kFpInvalid);
}

TEST(SoftFloat, AlternativeHalf) {
    FpEnv env{FpMode{kAlternativeHalf}};
    EXPECT_EQ((convert<Half, Single>(env, 0x7c00, Rounding::NearestEven)), 0x47800000u);
    EXPECT_EQ((convert<Single, Half>(env, 0x47800000, Rounding::NearestEven)), 0x7c00);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ((convert<Single, Half>(env, kInf | kNegative, Rounding::NearestEven)), 0xffff);
    EXPECT_EQ(env.flags, kFpInvalid);
    env.flags = 0;
    EXPECT_EQ((convert<Single, Half>(env, kQuiet2, Rounding::NearestEven)), 0x8000);
    EXPECT_EQ(env.flags, kFpInvalid);
    env.flags = 0;
    EXPECT_EQ((convert<Single, Half>(env, 0x48000000, Rounding::NearestEven)), 0x7fff);
    EXPECT_EQ(env.flags, kFpInvalid); // an overflow, but neither that nor inexact
    // Arithmetic does not know the alternative format.
    env.flags = 0;
    EXPECT_EQ(add<Half>(env, 0x7bff, 0x7bff), 0x7c00);
    EXPECT_EQ(env.flags, kFpOverflow | kFpInexact);
}

TEST(SoftFloat, RoundToOdd) {
    FpEnv env;
    EXPECT_EQ((convert<Double, Single>(env, 0x3ff0000000000001, Rounding::Odd)), 0x3f800001u);
    EXPECT_EQ((convert<Double, Single>(env, 0x7fe0000000000000, Rounding::Odd)), 0x7f7fffffu);
    EXPECT_EQ(env.flags, kFpInexact | kFpOverflow);
}

TEST(SoftFloat, ToFixedSaturates) {
    struct Case {
        u64 value;
        unsigned width;
        bool is_signed;
        unsigned fraction_bits;
        Rounding rounding;
        u64 result;
        u32 flags;
    };
    constexpr u64 kTwo31 = 0x41e0000000000000, kTwo63 = 0x43e0000000000000;
    constexpr u64 kMinus = u64{1} << 63;
    const Case cases[] = {
        {kTwo31, 32, true, 0, Rounding::Zero, 0x7fffffff, kFpInvalid},
        {kTwo31 | kMinus, 32, true, 0, Rounding::Zero, 0x80000000, 0},
        {kTwo31, 32, false, 0, Rounding::Zero, 0x80000000, 0},
        {kTwo63, 64, true, 0, Rounding::Zero, ones(63), kFpInvalid},
        {kTwo63 | kMinus, 64, true, 0, Rounding::Zero, u64{1} << 63, 0},
        {kTwo63, 64, false, 0, Rounding::Zero, u64{1} << 63, 0},
        {0x43f0000000000000, 64, false, 0, Rounding::Zero, ~u64{0}, kFpInvalid},
        {0x3ff0000000000000 | kMinus, 64, false, 0, Rounding::Zero, 0, kFpInvalid},
        {0x3fe0000000000000 | kMinus, 64, false, 0, Rounding::Zero, 0, kFpInexact},
        {0x3fe0000000000000 | kMinus, 64, false, 0, Rounding::MinusInf, 0, kFpInvalid},
        {0x3fe0000000000000, 32, true, 0, Rounding::NearestAway, 1, kFpInexact},
        {0x3fe0000000000000, 32, true, 0, Rounding::NearestEven, 0, kFpInexact},
        {0x3fe0000000000000, 32, true, 1, Rounding::NearestEven, 1, 0},
        {0x7ff8000000000001, 32, true, 0, Rounding::Zero, 0, kFpInvalid},
        {0xfff0000000000000, 32, true, 0, Rounding::Zero, 0x80000000, kFpInvalid},
        {0x40dfffe000000000, 16, true, 0, Rounding::PlusInf, 0x7fff, kFpInvalid},
        {0x0000000000000001, 64, true, 64, Rounding::PlusInf, 1, kFpInexact},
    };
    for (const Case &c : cases) {
        FpEnv env;
        EXPECT_EQ(to_fixed<Double>(env, c.value, c.width, c.is_signed, c.fraction_bits, c.rounding),
                  c.result)
            << std::hex << c.value;
        EXPECT_EQ(env.flags, c.flags) << std::hex << c.value;
    }
}

TEST(SoftFloat, FromFixedWithFraction) {
    FpEnv env;
    EXPECT_EQ(from_fixed<Single>(env, true, 3, 1, Rounding::NearestEven), 0xbfc00000u);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(from_fixed<Single>(env, false, 0x1000001, 0, Rounding::NearestEven), 0x4b800000u);
    EXPECT_EQ(env.flags, kFpInexact);
    EXPECT_EQ(from_fixed<Half>(env, false, 1, 24, Rounding::NearestEven), 1);
}

TEST(SoftFloat, RoundIntN) {
    FpEnv env;
    EXPECT_EQ(round_int_n<Single>(env, 0x4f000000, Rounding::Zero, 32), 0xcf000000u);
    EXPECT_EQ(env.flags, kFpInvalid);
    env = {};
    EXPECT_EQ(round_int_n<Single>(env, 0xcf000000, Rounding::Zero, 32), 0xcf000000u);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(round_int_n<Double>(env, 0x7ff8000000000000, Rounding::Zero, 64),
              0xc3e0000000000000u);
    EXPECT_EQ(env.flags, kFpInvalid);
    env = {};
    EXPECT_EQ(round_int_n<Single>(env, 0xbf000000, Rounding::NearestEven, 64), kNegative);
    EXPECT_EQ(env.flags, kFpInexact);
}

TEST(SoftFloat, ToFixedJavaScript) {
    constexpr u64 kExact = u64{1} << 32;
    FpEnv env;
    EXPECT_EQ(to_fixed_javascript(env, 0), kExact);
    EXPECT_EQ(to_fixed_javascript(env, u64{1} << 63), 0u); // -0
    EXPECT_EQ(to_fixed_javascript(env, 0xc1e0000000000000), kExact | 0x80000000);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(to_fixed_javascript(env, 0x41f0000000100000), 1u); // 2^32 + 1 wraps
    EXPECT_EQ(env.flags, kFpInvalid);
    env = {};
    EXPECT_EQ(to_fixed_javascript(env, 0xbff8000000000000), 0xffffffffu); // -1.5
    EXPECT_EQ(env.flags, kFpInexact);
    env = {};
    EXPECT_EQ(to_fixed_javascript(env, 0x7ff0000000000000), 0u);
    EXPECT_EQ(env.flags, kFpInvalid);
    // FPToFixedJS: a flushed subnormal is not exact, whatever its sign.
    env = FpEnv{FpMode{kFlush}};
    EXPECT_EQ(to_fixed_javascript(env, 1), 0u);
    EXPECT_EQ(env.flags, kFpInputDenormal);
}

TEST(SoftFloat, Estimates) {
    FpEnv env;
    EXPECT_EQ(recip_estimate<Single>(env, kOne), 0x3f7f8000u);
    EXPECT_EQ(rsqrt_estimate<Single>(env, kOne), 0x3f7f8000u);
    EXPECT_EQ(rsqrt_estimate<Single>(env, 0x40800000), 0x3eff8000u);
    EXPECT_EQ(recip_exponent<Single>(env, kOne), 0x40000000u);
    EXPECT_EQ(recip_exponent<Single>(env, 1), 0x7f000000u);
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(recip_estimate<Single>(env, kNegative), kInf | kNegative);
    EXPECT_EQ(env.flags, kFpDivZero);
    env = FpEnv{FpMode{3}}; // towards zero
    EXPECT_EQ(recip_estimate<Single>(env, 1), 0x7f7fffffu);
    EXPECT_EQ(env.flags, kFpOverflow | kFpInexact);
    env = {};
    EXPECT_EQ(rsqrt_estimate<Single>(env, kOne | kNegative), kDefault);
    EXPECT_EQ(env.flags, kFpInvalid);
    EXPECT_EQ(unsigned_recip_estimate(0x80000000), 0xff800000u);
    EXPECT_EQ(unsigned_recip_estimate(0x7fffffff), 0xffffffffu);
    EXPECT_EQ(unsigned_rsqrt_estimate(0x40000000), 0xff800000u);
}

TEST(SoftFloat, MulAddHalf) {
    FpEnv env;
    EXPECT_EQ(mul_add_half(env, kOne, 0x3c00, 0x4000), 0x40400000u); // 1 + 1 * 2
    EXPECT_EQ(mul_add_half(env, kOne, 0x7e01, 0x4000), 0x7fc02000u); // the NaN widened
    EXPECT_EQ(env.flags, 0u);
    EXPECT_EQ(mul_add_half(env, kQuiet1, 0x7c00, 0), kDefault);
    EXPECT_EQ(env.flags, kFpInvalid);
}

TEST(SoftFloat, BFloat16) {
    FpEnv env;
    EXPECT_EQ((convert<Single, BFloat16>(env, 0x3f808000, Rounding::NearestEven)), 0x3f80);
    EXPECT_EQ((convert<Single, BFloat16>(env, 0x3f818000, Rounding::NearestEven)), 0x3f82);
    EXPECT_EQ(env.flags, kFpInexact);
    EXPECT_EQ(bfloat_dot_add(kOne, 0x3f80, 0x4000, 0x4000, 0x4000), 0x40e00000u); // 1 + 2 + 4
    EXPECT_EQ(bfloat_dot_add(kSignalling, 0, 0, 0, 0), kDefault);
    // BFRound: to odd, so a tiny addend leaves its mark.
    EXPECT_EQ(bfloat_dot_add(0x01000000, 0x3f80, 0, 0x3f80, 0), 0x3f800001u);
    // BFUnpack: subnormals count as zero.
    EXPECT_EQ(bfloat_dot_add(kSubnormal | kNegative, 0, 0, 0, 0), 0u);
}

} // namespace
} // namespace tandem::ir::softfloat
