#include "ir/semantics/fp_vector.h"

#include "ir/semantics/fp_scalar.h"
#include "ir/semantics/lanes.h"
#include "ir/softfloat/softfloat.h"

namespace tandem::ir::semantics {
namespace {

using namespace detail;
using softfloat::Double;
using softfloat::Half;
using softfloat::Single;

// The scalar operation of every lane. Lanes are done in order, but as flags only accumulate, the
// order cannot be observed.
template <auto kFunction, typename T>
Vec each(FpEnv &env, const Vec &a) {
    return map<T>(a, [&](T x) { return kFunction(env, x); });
}
template <auto kFunction, typename T>
Vec each(FpEnv &env, u64 imm, const Vec &a) {
    return map<T>(a, [&](T x) { return kFunction(env, imm, x); });
}
template <auto kFunction, typename T>
Vec each(FpEnv &env, const Vec &a, const Vec &b) {
    return map<T>(a, b, [&](T x, T y) { return kFunction(env, x, y); });
}
template <auto kFunction, typename T>
Vec pairwise(FpEnv &env, const Vec &a, const Vec &b) {
    return map_pairs<T>(a, b, [&](T x, T y) { return kFunction(env, x, y); });
}

/// FCADD: rotates the pairs of b by 90 or 270 degrees and adds.
template <typename F>
Vec complex_add(FpEnv &env, u64 imm, const Vec &a, const Vec &b) {
    using T = softfloat::Bits<F>;
    const bool by_270 = bit(imm, 8);
    const auto x = lanes<T>(a);
    const auto y = lanes<T>(b);
    Lanes<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; i += 2) {
        const T real = by_270 ? y[i + 1] : F::negate(y[i + 1]);
        const T imaginary = by_270 ? F::negate(y[i]) : y[i];
        out[i] = softfloat::add<F>(env, x[i], real);
        out[i + 1] = softfloat::add<F>(env, x[i + 1], imaginary);
    }
    return vec<T>(out);
}

/// FCMLA: a is the accumulator; half of the product of b and c rotated by imm<9:8> * 90 degrees.
template <typename F>
Vec complex_mul_add(FpEnv &env, u64 imm, const Vec &a, const Vec &b, const Vec &c) {
    using T = softfloat::Bits<F>;
    const unsigned rotation = static_cast<unsigned>(bits(imm, 9, 8));
    const unsigned part = rotation & 1; // of b: real for 0 and 180 degrees
    const bool negate_real = rotation == 1 || rotation == 2;
    const bool negate_imaginary = rotation >= 2;
    const auto x = lanes<T>(a);
    const auto y = lanes<T>(b);
    const auto z = lanes<T>(c);
    Lanes<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; i += 2) {
        const T real = z[i + part];
        const T imaginary = z[i + 1 - part];
        out[i] =
            softfloat::mul_add<F>(env, x[i], y[i + part], negate_real ? F::negate(real) : real);
        out[i + 1] = softfloat::mul_add<F>(env, x[i + 1], y[i + part],
                                           negate_imaginary ? F::negate(imaginary) : imaginary);
    }
    return vec<T>(out);
}

/// A bfloat16 as a single.
u32 widened(u16 bfloat) {
    return u32{bfloat} << 16;
}

} // namespace

// Same-width conversions are those of the scalar operation whose integer has the lane's width.
#define VECTOR(T, F, to_signed, to_unsigned, from_signed, from_unsigned)                           \
    Vec VFAdd##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FAdd##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFSub##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FSub##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFMul##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FMul##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFMulX##T(FpEnv &env, Vec a, Vec b) {                                                      \
        return each<FMulX##T, u##T>(env, a, b);                                                    \
    }                                                                                              \
    Vec VFDiv##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FDiv##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFMulAdd##T(FpEnv &env, Vec a, Vec b, Vec c) {                                             \
        return map<u##T>(a, b, c,                                                                  \
                         [&](u##T x, u##T y, u##T z) { return FMulAdd##T(env, x, y, z); });        \
    }                                                                                              \
    Vec VFSqrt##T(FpEnv &env, Vec a) {                                                             \
        return each<FSqrt##T, u##T>(env, a);                                                       \
    }                                                                                              \
    Vec VFMax##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FMax##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFMin##T(FpEnv &env, Vec a, Vec b) {                                                       \
        return each<FMin##T, u##T>(env, a, b);                                                     \
    }                                                                                              \
    Vec VFMaxNum##T(FpEnv &env, Vec a, Vec b) {                                                    \
        return each<FMaxNum##T, u##T>(env, a, b);                                                  \
    }                                                                                              \
    Vec VFMinNum##T(FpEnv &env, Vec a, Vec b) {                                                    \
        return each<FMinNum##T, u##T>(env, a, b);                                                  \
    }                                                                                              \
    Vec VFAbsDiff##T(FpEnv &env, Vec a, Vec b) {                                                   \
        return each<FAbsDiff##T, u##T>(env, a, b);                                                 \
    }                                                                                              \
    Vec VFAddPairwise##T(FpEnv &env, Vec a, Vec b) {                                               \
        return pairwise<FAdd##T, u##T>(env, a, b);                                                 \
    }                                                                                              \
    Vec VFMaxPairwise##T(FpEnv &env, Vec a, Vec b) {                                               \
        return pairwise<FMax##T, u##T>(env, a, b);                                                 \
    }                                                                                              \
    Vec VFMinPairwise##T(FpEnv &env, Vec a, Vec b) {                                               \
        return pairwise<FMin##T, u##T>(env, a, b);                                                 \
    }                                                                                              \
    Vec VFMaxNumPairwise##T(FpEnv &env, Vec a, Vec b) {                                            \
        return pairwise<FMaxNum##T, u##T>(env, a, b);                                              \
    }                                                                                              \
    Vec VFMinNumPairwise##T(FpEnv &env, Vec a, Vec b) {                                            \
        return pairwise<FMinNum##T, u##T>(env, a, b);                                              \
    }                                                                                              \
    Vec VFAbs##T(Vec a) {                                                                          \
        return map<u##T>(a, FAbs##T);                                                              \
    }                                                                                              \
    Vec VFNeg##T(Vec a) {                                                                          \
        return map<u##T>(a, FNeg##T);                                                              \
    }                                                                                              \
    Vec VFRound##T(FpEnv &env, u64 imm, Vec a) {                                                   \
        return each<FRound##T, u##T>(env, imm, a);                                                 \
    }                                                                                              \
    Vec VFRoundInt##T(FpEnv &env, u64 imm, Vec a) {                                                \
        return each<FRoundInt##T, u##T>(env, imm, a);                                              \
    }                                                                                              \
    Vec VFRecipEstimate##T(FpEnv &env, Vec a) {                                                    \
        return each<FRecipEstimate##T, u##T>(env, a);                                              \
    }                                                                                              \
    Vec VFRecipStep##T(FpEnv &env, Vec a, Vec b) {                                                 \
        return each<FRecipStep##T, u##T>(env, a, b);                                               \
    }                                                                                              \
    Vec VFRSqrtEstimate##T(FpEnv &env, Vec a) {                                                    \
        return each<FRSqrtEstimate##T, u##T>(env, a);                                              \
    }                                                                                              \
    Vec VFRSqrtStep##T(FpEnv &env, Vec a, Vec b) {                                                 \
        return each<FRSqrtStep##T, u##T>(env, a, b);                                               \
    }                                                                                              \
    Vec VFCompareEqual##T(FpEnv &env, Vec a, Vec b) {                                              \
        return each<FCompareEqual##T, u##T>(env, a, b);                                            \
    }                                                                                              \
    Vec VFCompareGreaterEqual##T(FpEnv &env, Vec a, Vec b) {                                       \
        return each<FCompareGreaterEqual##T, u##T>(env, a, b);                                     \
    }                                                                                              \
    Vec VFCompareGreater##T(FpEnv &env, Vec a, Vec b) {                                            \
        return each<FCompareGreater##T, u##T>(env, a, b);                                          \
    }                                                                                              \
    Vec VFCompareAbsGreaterEqual##T(FpEnv &env, Vec a, Vec b) {                                    \
        return each<FCompareAbsGreaterEqual##T, u##T>(env, a, b);                                  \
    }                                                                                              \
    Vec VFCompareAbsGreater##T(FpEnv &env, Vec a, Vec b) {                                         \
        return each<FCompareAbsGreater##T, u##T>(env, a, b);                                       \
    }                                                                                              \
    Vec VFToS##T(FpEnv &env, u64 imm, Vec a) {                                                     \
        return each<to_signed, u##T>(env, imm, a);                                                 \
    }                                                                                              \
    Vec VFToU##T(FpEnv &env, u64 imm, Vec a) {                                                     \
        return each<to_unsigned, u##T>(env, imm, a);                                               \
    }                                                                                              \
    Vec VSToF##T(FpEnv &env, u64 imm, Vec a) {                                                     \
        return each<from_signed, u##T>(env, imm, a);                                               \
    }                                                                                              \
    Vec VUToF##T(FpEnv &env, u64 imm, Vec a) {                                                     \
        return each<from_unsigned, u##T>(env, imm, a);                                             \
    }                                                                                              \
    Vec VFComplexAdd##T(FpEnv &env, u64 imm, Vec a, Vec b) {                                       \
        return complex_add<F>(env, imm, a, b);                                                     \
    }                                                                                              \
    Vec VFComplexMulAdd##T(FpEnv &env, u64 imm, Vec a, Vec b, Vec c) {                             \
        return complex_mul_add<F>(env, imm, a, b, c);                                              \
    }
VECTOR(16, Half, FToS16Half, FToU16Half, S16ToHalf, U16ToHalf)
VECTOR(32, Single, FToS3232, FToU3232, S32ToF32, U32ToF32)
VECTOR(64, Double, FToS6464, FToU6464, S64ToF64, U64ToF64)
#undef VECTOR

Vec VFWiden16(FpEnv &env, Vec a) {
    return map_widen<u16>(a, [&](u16 x) { return F16ToF32(env, x); });
}
Vec VFWiden32(FpEnv &env, Vec a) {
    return map_widen<u32>(a, [&](u32 x) { return F32ToF64(env, x); });
}
Vec VFNarrow16(FpEnv &env, Vec a) {
    return map_narrow<u32, u16>(a, [&](u32 x) { return F32ToF16(env, x); });
}
Vec VFNarrow32(FpEnv &env, Vec a) {
    return map_narrow<u64, u32>(a, [&](u64 x) { return F64ToF32(env, x); });
}
Vec VFNarrowOdd32(FpEnv &env, Vec a) {
    return map_narrow<u64, u32>(a, [&](u64 x) { return F64ToF32Odd(env, x); });
}
Vec VFNarrowBF16(FpEnv &env, Vec a) {
    return map_narrow<u32, u16>(a, [&](u32 x) { return F32ToBF16(env, x); });
}

Vec VFMulAddLong(FpEnv &env, Vec a, Vec b, Vec c) {
    const auto x = lanes<u32>(a);
    const auto y = lanes<u16>(b);
    const auto z = lanes<u16>(c);
    Lanes<u32> out;
    for (unsigned i = 0; i < 4; ++i) out[i] = softfloat::mul_add_half(env, x[i], y[i], z[i]);
    return vec<u32>(out);
}
Vec VFMulAddLongBF16(FpEnv &env, u64 imm, Vec a, Vec b, Vec c) {
    const unsigned odd = bit(imm, 8) ? 1 : 0;
    const auto x = lanes<u32>(a);
    const auto y = lanes<u16>(b);
    const auto z = lanes<u16>(c);
    Lanes<u32> out;
    for (unsigned i = 0; i < 4; ++i) {
        out[i] = FMulAdd32(env, x[i], widened(y[2 * i + odd]), widened(z[2 * i + odd]));
    }
    return vec<u32>(out);
}
Vec VFDotBF16(FpEnv &, Vec a, Vec b, Vec c) {
    const auto x = lanes<u32>(a);
    const auto y = lanes<u16>(b);
    const auto z = lanes<u16>(c);
    Lanes<u32> out;
    for (unsigned i = 0; i < 4; ++i) {
        out[i] = softfloat::bfloat_dot_add(x[i], y[2 * i], y[2 * i + 1], z[2 * i], z[2 * i + 1]);
    }
    return vec<u32>(out);
}
Vec VFMatMulBF16(FpEnv &, Vec a, Vec b, Vec c) {
    const auto x = lanes<u32>(a);
    const auto y = lanes<u16>(b);
    const auto z = lanes<u16>(c);
    Lanes<u32> out;
    // BFMatMulAdd: rows of b by rows of c, two products at a time.
    for (unsigned row = 0; row < 2; ++row) {
        for (unsigned column = 0; column < 2; ++column) {
            u32 total = x[2 * row + column];
            for (unsigned k = 0; k < 4; k += 2) {
                total = softfloat::bfloat_dot_add(total, y[4 * row + k], y[4 * row + k + 1],
                                                  z[4 * column + k], z[4 * column + k + 1]);
            }
            out[2 * row + column] = total;
        }
    }
    return vec<u32>(out);
}

} // namespace tandem::ir::semantics
