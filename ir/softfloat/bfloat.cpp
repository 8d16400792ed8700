#include "ir/softfloat/softfloat.h"
#include "ir/softfloat/unpacked.h"

namespace tandem::ir::softfloat {
namespace {

// Without FEAT_EBF16 the dot products have their own arithmetic, whatever FPCR says: subnormals
// are zero on both sides, every NaN is the default NaN, rounding is to odd, nothing is raised.

/// BFUnpack.
template <typename F>
Operand<F> unpack_flushed(Bits<F> bits) {
    FpEnv env{FpMode{0x4}};
    return unpack<F>(env, bits);
}

/// BFRound.
u32 round_odd(bool sign, int exponent, u64 mantissa) {
    if (exponent < Single::kMinExponent) return Single::with_sign(sign, 0);
    if (exponent > Single::kBias) return Single::with_sign(sign, Single::kInfinity);
    FpEnv env;
    return round<Single>(env, sign, exponent, mantissa, Rounding::Odd);
}

/// BFMulH.
u32 multiply(u16 a_bits, u16 b_bits) {
    const auto a = unpack_flushed<BFloat16>(a_bits);
    const auto b = unpack_flushed<BFloat16>(b_bits);
    const bool sign = a.sign != b.sign;
    if (a.is_nan() || b.is_nan() || (a.is_infinity() && b.is_zero()) ||
        (a.is_zero() && b.is_infinity())) {
        return Single::kDefaultNaN;
    }
    if (a.is_infinity() || b.is_infinity()) return Single::with_sign(sign, Single::kInfinity);
    if (a.is_zero() || b.is_zero()) return Single::with_sign(sign, 0);
    const Term<u64> result = narrow(product(a, b));
    return round_odd(sign, result.exponent, result.mantissa);
}

/// BFAdd.
u32 add_odd(u32 a_bits, u32 b_bits) {
    const auto a = unpack_flushed<Single>(a_bits);
    const auto b = unpack_flushed<Single>(b_bits);
    if (a.is_nan() || b.is_nan() || (a.is_infinity() && b.is_infinity() && a.sign != b.sign)) {
        return Single::kDefaultNaN;
    }
    if (a.is_infinity()) return a.bits;
    if (b.is_infinity()) return b.bits;
    if (a.is_zero() && b.is_zero()) return Single::with_sign(a.sign && b.sign, 0);
    if (a.is_zero()) return b.bits;
    if (b.is_zero()) return a.bits;
    const auto total =
        sum(Term<u64>{a.sign, a.exponent, a.mantissa}, Term<u64>{b.sign, b.exponent, b.mantissa});
    if (total.mantissa == 0) return 0;
    return round_odd(total.sign, total.exponent, total.mantissa);
}

} // namespace

u32 bfloat_dot_add(u32 addend, u16 a0, u16 a1, u16 b0, u16 b1) {
    return add_odd(addend, add_odd(multiply(a0, b0), multiply(a1, b1)));
}

} // namespace tandem::ir::softfloat
