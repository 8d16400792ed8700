#include "ir/semantics/vector_multiply.h"

#include "ir/semantics/lanes.h"
#include "ir/semantics/saturate.h"
#include "ir/softfloat/softfloat.h"

namespace tandem::ir::semantics {
namespace {

using namespace detail;

// Doubled products need one bit more than i64 for words, so the doubling is left out and the
// shift shortened by one instead.
template <typename T>
T double_mul_high(FpEnv &env, T x, T y, bool round) {
    constexpr unsigned kShift = kLaneBits<T> - 1;
    const i64 half = round ? i64{1} << (kShift - 1) : 0;
    return saturate<T, i64>(env, (i64{x} * y + half) >> kShift);
}
/// FEAT_RDM: (a << T) +- 2 * x * y, rounded, high half; product is +-(x * y).
template <typename T>
T double_mul_accumulate_high(FpEnv &env, T a, i64 product) {
    constexpr unsigned kShift = kLaneBits<T> - 1;
    constexpr i64 kHalf = i64{1} << (kShift - 1);
    return saturate<T, i64>(env, (i64{a} * (i64{1} << kShift) + product + kHalf) >> kShift);
}

/// Each word of a plus the dot product of the four bytes of b and c beside it.
template <typename B, typename C>
Vec dot(const Vec &a, const Vec &b, const Vec &c) {
    auto out = lanes<u32>(a);
    const auto x = lanes<B>(b);
    const auto y = lanes<C>(c);
    for (unsigned i = 0; i < 16; ++i) out[i / 4] += static_cast<u32>(i32{x[i]} * i32{y[i]});
    return vec<u32>(out);
}
/// The 2x2 words of a plus the 2x8 bytes of b times the 2x8 bytes of c transposed.
template <typename B, typename C>
Vec matrix_mul(const Vec &a, const Vec &b, const Vec &c) {
    auto out = lanes<u32>(a);
    const auto x = lanes<B>(b);
    const auto y = lanes<C>(c);
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = i / 2 * 8;
        const unsigned column = i % 2 * 8;
        for (unsigned k = 0; k < 8; ++k)
            out[i] += static_cast<u32>(i32{x[row + k]} * i32{y[column + k]});
    }
    return vec<u32>(out);
}

u32 polynomial_mul(u8 x, u8 y) {
    u32 result = 0;
    for (unsigned i = 0; i < 8; ++i) result ^= (0u - (y >> i & 1u)) & (u32{x} << i);
    return result;
}

} // namespace

#define MULTIPLY(T)                                                                                \
    Vec VSatDoubleMulHigh##T(FpEnv &env, Vec a, Vec b) {                                           \
        return map<i##T>(a, b, [&](i##T x, i##T y) { return double_mul_high(env, x, y, false); }); \
    }                                                                                              \
    Vec VSatRoundDoubleMulHigh##T(FpEnv &env, Vec a, Vec b) {                                      \
        return map<i##T>(a, b, [&](i##T x, i##T y) { return double_mul_high(env, x, y, true); });  \
    }                                                                                              \
    Vec VSatRoundDoubleMulAddHigh##T(FpEnv &env, Vec a, Vec b, Vec c) {                            \
        return map<i##T>(a, b, c, [&](i##T x, i##T y, i##T z) {                                    \
            return double_mul_accumulate_high(env, x, i64{y} * z);                                 \
        });                                                                                        \
    }                                                                                              \
    Vec VSatRoundDoubleMulSubHigh##T(FpEnv &env, Vec a, Vec b, Vec c) {                            \
        return map<i##T>(a, b, c, [&](i##T x, i##T y, i##T z) {                                    \
            return double_mul_accumulate_high(env, x, -(i64{y} * z));                              \
        });                                                                                        \
    }                                                                                              \
    Vec VSatDoubleMulLong##T(FpEnv &env, Vec a, Vec b) {                                           \
        return map_widen<i##T>(a, b, [&](i##T x, i##T y) {                                         \
            return saturate<Wide<i##T>, i128>(env, i128{i64{x} * y} * 2);                          \
        });                                                                                        \
    }
MULTIPLY(16)
MULTIPLY(32)
#undef MULTIPLY

Vec VRecipEstimateU32(Vec a) {
    return map<u32>(a, softfloat::unsigned_recip_estimate);
}
Vec VRSqrtEstimateU32(Vec a) {
    return map<u32>(a, softfloat::unsigned_rsqrt_estimate);
}

Vec VDotS(Vec a, Vec b, Vec c) {
    return dot<i8, i8>(a, b, c);
}
Vec VDotU(Vec a, Vec b, Vec c) {
    return dot<u8, u8>(a, b, c);
}
Vec VDotUS(Vec a, Vec b, Vec c) {
    return dot<u8, i8>(a, b, c);
}
Vec VMatMulS(Vec a, Vec b, Vec c) {
    return matrix_mul<i8, i8>(a, b, c);
}
Vec VMatMulU(Vec a, Vec b, Vec c) {
    return matrix_mul<u8, u8>(a, b, c);
}
Vec VMatMulUS(Vec a, Vec b, Vec c) {
    return matrix_mul<u8, i8>(a, b, c);
}

Vec VPolyMul8(Vec a, Vec b) {
    return map<u8>(a, b, polynomial_mul);
}
Vec VPolyMulLong8(Vec a, Vec b) {
    return map_widen<u8>(a, b, polynomial_mul);
}
Vec VPolyMulLong64(Vec a, Vec b) {
    u128 result = 0;
    for (unsigned i = 0; i < 64; ++i) {
        if (bit(b.d[0], i)) result ^= u128{a.d[0]} << i;
    }
    return {{static_cast<u64>(result), static_cast<u64>(result >> 64)}};
}

} // namespace tandem::ir::semantics
