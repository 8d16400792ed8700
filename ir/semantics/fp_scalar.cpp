#include "ir/semantics/fp_scalar.h"

#include "ir/semantics/fp_fields.h"
#include "ir/softfloat/softfloat.h"

namespace tandem::ir::semantics {
namespace {

using namespace softfloat;
using detail::current_rounding;
using detail::fraction_bits_field;
using detail::rounding_field;

constexpr u64 truth(bool value) {
    return value ? ~u64{0} : 0;
}

template <typename F>
Bits<F> from_signed(FpEnv &env, u64 imm, i64 value) {
    const u64 pattern = static_cast<u64>(value);
    return from_fixed<F>(env, value < 0, value < 0 ? u64{0} - pattern : pattern,
                         fraction_bits_field(imm), current_rounding(env));
}
template <typename F>
Bits<F> from_unsigned(FpEnv &env, u64 imm, u64 value) {
    return from_fixed<F>(env, false, value, fraction_bits_field(imm), current_rounding(env));
}
template <typename F>
u64 to_integer(FpEnv &env, u64 imm, Bits<F> a, unsigned width, bool is_signed) {
    return to_fixed<F>(env, a, width, is_signed, fraction_bits_field(imm), rounding_field(imm));
}

} // namespace

#define SCALAR(T, F)                                                                               \
    u##T FAdd##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return add<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FSub##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return sub<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FMul##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return mul<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FMulX##T(FpEnv &env, u##T a, u##T b) {                                                    \
        return mulx<F>(env, a, b);                                                                 \
    }                                                                                              \
    u##T FDiv##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return div<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FMulAdd##T(FpEnv &env, u##T a, u##T b, u##T c) {                                          \
        return mul_add<F>(env, a, b, c);                                                           \
    }                                                                                              \
    u##T FSqrt##T(FpEnv &env, u##T a) {                                                            \
        return softfloat::sqrt<F>(env, a);                                                         \
    }                                                                                              \
    u##T FMax##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return max<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FMin##T(FpEnv &env, u##T a, u##T b) {                                                     \
        return min<F>(env, a, b);                                                                  \
    }                                                                                              \
    u##T FMaxNum##T(FpEnv &env, u##T a, u##T b) {                                                  \
        return max_num<F>(env, a, b);                                                              \
    }                                                                                              \
    u##T FMinNum##T(FpEnv &env, u##T a, u##T b) {                                                  \
        return min_num<F>(env, a, b);                                                              \
    }                                                                                              \
    u##T FAbsDiff##T(FpEnv &env, u##T a, u##T b) {                                                 \
        return F::absolute(sub<F>(env, a, b));                                                     \
    }                                                                                              \
    u##T FRound##T(FpEnv &env, u64 imm, u##T a) {                                                  \
        return round_int<F>(env, a, rounding_field(imm), bit(imm, 11));                            \
    }                                                                                              \
    u##T FRoundInt##T(FpEnv &env, u64 imm, u##T a) {                                               \
        return round_int_n<F>(env, a, rounding_field(imm), bit(imm, 16) ? 64 : 32);                \
    }                                                                                              \
    u##T FRecipEstimate##T(FpEnv &env, u##T a) {                                                   \
        return recip_estimate<F>(env, a);                                                          \
    }                                                                                              \
    u##T FRecipExponent##T(FpEnv &env, u##T a) {                                                   \
        return recip_exponent<F>(env, a);                                                          \
    }                                                                                              \
    u##T FRecipStep##T(FpEnv &env, u##T a, u##T b) {                                               \
        return recip_step<F>(env, a, b);                                                           \
    }                                                                                              \
    u##T FRSqrtEstimate##T(FpEnv &env, u##T a) {                                                   \
        return rsqrt_estimate<F>(env, a);                                                          \
    }                                                                                              \
    u##T FRSqrtStep##T(FpEnv &env, u##T a, u##T b) {                                               \
        return rsqrt_step<F>(env, a, b);                                                           \
    }                                                                                              \
    u32 FCompare##T(FpEnv &env, u64 imm, u##T a, u##T b) {                                         \
        return compare<F>(env, a, b, bit(imm, 8));                                                 \
    }                                                                                              \
    u64 FCompareEqual##T(FpEnv &env, u##T a, u##T b) {                                             \
        return truth(compare_equal<F>(env, a, b));                                                 \
    }                                                                                              \
    u64 FCompareGreaterEqual##T(FpEnv &env, u##T a, u##T b) {                                      \
        return truth(compare_greater_equal<F>(env, a, b));                                         \
    }                                                                                              \
    u64 FCompareGreater##T(FpEnv &env, u##T a, u##T b) {                                           \
        return truth(compare_greater<F>(env, a, b));                                               \
    }                                                                                              \
    u64 FCompareAbsGreaterEqual##T(FpEnv &env, u##T a, u##T b) {                                   \
        return truth(compare_greater_equal<F>(env, F::absolute(a), F::absolute(b)));               \
    }                                                                                              \
    u64 FCompareAbsGreater##T(FpEnv &env, u##T a, u##T b) {                                        \
        return truth(compare_greater<F>(env, F::absolute(a), F::absolute(b)));                     \
    }                                                                                              \
    u32 FToS32##T(FpEnv &env, u64 imm, u##T a) {                                                   \
        return static_cast<u32>(to_integer<F>(env, imm, a, 32, true));                             \
    }                                                                                              \
    u32 FToU32##T(FpEnv &env, u64 imm, u##T a) {                                                   \
        return static_cast<u32>(to_integer<F>(env, imm, a, 32, false));                            \
    }                                                                                              \
    u64 FToS64##T(FpEnv &env, u64 imm, u##T a) {                                                   \
        return to_integer<F>(env, imm, a, 64, true);                                               \
    }                                                                                              \
    u64 FToU64##T(FpEnv &env, u64 imm, u##T a) {                                                   \
        return to_integer<F>(env, imm, a, 64, false);                                              \
    }                                                                                              \
    u##T S32ToF##T(FpEnv &env, u64 imm, u32 a) {                                                   \
        return from_signed<F>(env, imm, static_cast<i32>(a));                                      \
    }                                                                                              \
    u##T U32ToF##T(FpEnv &env, u64 imm, u32 a) {                                                   \
        return from_unsigned<F>(env, imm, a);                                                      \
    }                                                                                              \
    u##T S64ToF##T(FpEnv &env, u64 imm, u64 a) {                                                   \
        return from_signed<F>(env, imm, static_cast<i64>(a));                                      \
    }                                                                                              \
    u##T U64ToF##T(FpEnv &env, u64 imm, u64 a) {                                                   \
        return from_unsigned<F>(env, imm, a);                                                      \
    }
SCALAR(16, Half)
SCALAR(32, Single)
SCALAR(64, Double)
#undef SCALAR

u64 FToS16Half(FpEnv &env, u64 imm, u16 a) {
    return to_integer<Half>(env, imm, a, 16, true);
}
u64 FToU16Half(FpEnv &env, u64 imm, u16 a) {
    return to_integer<Half>(env, imm, a, 16, false);
}
u16 S16ToHalf(FpEnv &env, u64 imm, u64 a) {
    return from_signed<Half>(env, imm, static_cast<i16>(a));
}
u16 U16ToHalf(FpEnv &env, u64 imm, u64 a) {
    return from_unsigned<Half>(env, imm, static_cast<u16>(a));
}

u32 F16ToF32(FpEnv &env, u16 a) {
    return convert<Half, Single>(env, a, current_rounding(env));
}
u64 F16ToF64(FpEnv &env, u16 a) {
    return convert<Half, Double>(env, a, current_rounding(env));
}
u16 F32ToF16(FpEnv &env, u32 a) {
    return convert<Single, Half>(env, a, current_rounding(env));
}
u64 F32ToF64(FpEnv &env, u32 a) {
    return convert<Single, Double>(env, a, current_rounding(env));
}
u16 F64ToF16(FpEnv &env, u64 a) {
    return convert<Double, Half>(env, a, current_rounding(env));
}
u32 F64ToF32(FpEnv &env, u64 a) {
    return convert<Double, Single>(env, a, current_rounding(env));
}
u32 F64ToF32Odd(FpEnv &env, u64 a) {
    return convert<Double, Single>(env, a, Rounding::Odd);
}
u16 F32ToBF16(FpEnv &env, u32 a) {
    return convert<Single, BFloat16>(env, a, current_rounding(env));
}
u64 FToJavaS32(FpEnv &env, u64 a) {
    return to_fixed_javascript(env, a);
}

} // namespace tandem::ir::semantics
