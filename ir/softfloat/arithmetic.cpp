#include "ir/softfloat/softfloat.h"
#include "ir/softfloat/unpacked.h"

namespace tandem::ir::softfloat {
namespace {

/// A sum that cancels exactly is -0 when rounding towards minus infinity, else +0.
template <typename F>
Bits<F> cancelled(const FpEnv &env) {
    return F::with_sign(current_rounding(env) == Rounding::MinusInf, 0);
}

Term<u64> term(const Unpacked &a) {
    return {a.sign, a.exponent, a.mantissa};
}
Term<u128> wide_term(const Unpacked &a) {
    return {a.sign, a.exponent, u128{a.mantissa} << 64};
}

template <typename F>
Bits<F> round(FpEnv &env, const Term<u64> &value) {
    return softfloat::round<F>(env, value.sign, value.exponent, value.mantissa,
                               current_rounding(env));
}

/// a + b once NaNs are dealt with.
template <typename F>
Bits<F> add_numbers(FpEnv &env, const Operand<F> &a, const Operand<F> &b) {
    if (a.is_infinity() || b.is_infinity()) {
        if (a.is_infinity() && b.is_infinity() && a.sign != b.sign) return invalid<F>(env);
        return F::with_sign(a.is_infinity() ? a.sign : b.sign, F::kInfinity);
    }
    if (a.is_zero() && b.is_zero()) {
        return a.sign == b.sign ? F::with_sign(a.sign, 0) : cancelled<F>(env);
    }
    if (a.is_zero()) return round<F>(env, term(b));
    if (b.is_zero()) return round<F>(env, term(a));
    const Term<u64> total = sum(term(a), term(b));
    if (total.mantissa == 0) return cancelled<F>(env);
    return round<F>(env, total);
}

/// addend + a * b, times 2^scale, once NaNs and invalid operations are dealt with and if neither
/// term is infinite.
template <typename F>
Bits<F> add_product(FpEnv &env, const Unpacked &addend, const Unpacked &a, const Unpacked &b,
                    int scale) {
    const bool zero_product = a.is_zero() || b.is_zero();
    const bool product_sign = a.sign != b.sign;
    Term<u64> total;
    if (addend.is_zero() && zero_product) {
        if (addend.sign == product_sign) return F::with_sign(addend.sign, 0);
    } else if (zero_product) {
        total = term(addend);
    } else if (addend.is_zero()) {
        total = narrow(product(a, b));
    } else {
        total = narrow(sum(wide_term(addend), product(a, b)));
    }
    if (total.mantissa == 0) return cancelled<F>(env);
    total.exponent += scale;
    return round<F>(env, total);
}

/// FPMulAdd and FPMulAddH after unpacking; `nan` is the result of NaN propagation if `is_nan`.
template <typename F>
Bits<F> mul_add_unpacked(FpEnv &env, const Unpacked &addend, const Unpacked &a, const Unpacked &b,
                         bool is_nan, Bits<F> nan) {
    const bool invalid_product =
        (a.is_infinity() && b.is_zero()) || (a.is_zero() && b.is_infinity());
    // FPMulAdd: a quiet NaN addend does not hide the invalid product.
    if (addend.kind == Kind::QuietNaN && invalid_product) return invalid<F>(env);
    if (is_nan) return nan;
    if (invalid_product) return invalid<F>(env);
    const bool product_sign = a.sign != b.sign;
    if (a.is_infinity() || b.is_infinity()) {
        if (addend.is_infinity() && addend.sign != product_sign) return invalid<F>(env);
        return F::with_sign(product_sign, F::kInfinity);
    }
    if (addend.is_infinity()) return F::with_sign(addend.sign, F::kInfinity);
    return add_product<F>(env, addend, a, b, 0);
}

template <typename F>
Bits<F> multiply(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits, bool extended) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    const bool sign = a.sign != b.sign;
    if ((a.is_infinity() && b.is_zero()) || (a.is_zero() && b.is_infinity())) {
        return extended ? F::power_of_two(sign, 1) : invalid<F>(env);
    }
    if (a.is_infinity() || b.is_infinity()) return F::with_sign(sign, F::kInfinity);
    if (a.is_zero() || b.is_zero()) return F::with_sign(sign, 0);
    return round<F>(env, narrow(product(a, b)));
}

/// The steps of Newton's method: (base - a * b) * 2^scale, where base * 2^scale is the answer for
/// zero times infinity.
template <typename F>
Bits<F> newton_step(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits, const Unpacked &base, int scale) {
    const auto a = unpack<F>(env, F::negate(a_bits));
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    if ((a.is_infinity() && b.is_zero()) || (a.is_zero() && b.is_infinity())) {
        return softfloat::round<F>(env, false, base.exponent + scale, base.mantissa,
                                   Rounding::NearestEven);
    }
    if (a.is_infinity() || b.is_infinity()) {
        return F::with_sign(a.sign != b.sign, F::kInfinity);
    }
    return add_product<F>(env, base, a, b, scale);
}

/// floor(sqrt(value)) and the remainder, by Zimmermann's recursive square root (INRIA RR-3805) on
/// half of the bits. One of the two top bits of value must be set.
template <typename Word>
struct RootAndRemainder {
    Word root;
    Word remainder;
};
template <unsigned kBits, typename Word = std::conditional_t<(kBits > 64), u128, u64>>
RootAndRemainder<Word> integer_sqrt(Word value) {
    if constexpr (kBits == 8) {
        Word root = 8;
        while ((root + 1) * (root + 1) <= value) ++root;
        return {root, value - root * root};
    } else {
        using SignedWord = std::conditional_t<(kBits > 64), i128, i64>;
        constexpr unsigned kQuarter = kBits / 4;
        constexpr Word kMask = (Word{1} << kQuarter) - 1;
        const auto half = integer_sqrt<kBits / 2>(static_cast<u64>(value >> (2 * kQuarter)));
        const Word divisor = Word{2} * half.root;
        const Word dividend = (Word{half.remainder} << kQuarter) | ((value >> kQuarter) & kMask);
        const Word quotient = dividend / divisor;
        const Word rest = dividend - quotient * divisor;
        Word root = (Word{half.root} << kQuarter) + quotient;
        SignedWord remainder = static_cast<SignedWord>((rest << kQuarter) | (value & kMask)) -
                               static_cast<SignedWord>(quotient * quotient);
        if (remainder < 0) {
            remainder += static_cast<SignedWord>(2 * root - 1);
            --root;
        }
        return {root, static_cast<Word>(remainder)};
    }
}

} // namespace

template <typename F>
Bits<F> add(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    return add_numbers(env, a, b);
}

template <typename F>
Bits<F> sub(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    b.sign = !b.sign;
    return add_numbers(env, a, b);
}

template <typename F>
Bits<F> mul(FpEnv &env, Bits<F> a, Bits<F> b) {
    return multiply<F>(env, a, b, false);
}

template <typename F>
Bits<F> mulx(FpEnv &env, Bits<F> a, Bits<F> b) {
    return multiply<F>(env, a, b, true);
}

template <typename F>
Bits<F> div(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    const bool sign = a.sign != b.sign;
    if ((a.is_infinity() && b.is_infinity()) || (a.is_zero() && b.is_zero())) {
        return invalid<F>(env);
    }
    if (a.is_infinity() || b.is_zero()) {
        if (!a.is_infinity()) env.flags |= kFpDivZero;
        return F::with_sign(sign, F::kInfinity);
    }
    if (a.is_zero() || b.is_infinity()) return F::with_sign(sign, 0);
    // Scale the dividend so that the quotient has exactly 64 bits.
    const bool below_one = a.mantissa < b.mantissa;
    const u128 dividend = u128{a.mantissa} << (below_one ? 64 : 63);
    const u64 quotient = static_cast<u64>(dividend / b.mantissa);
    const bool inexact = u128{quotient} * b.mantissa != dividend;
    return softfloat::round<F>(env, sign, a.exponent - b.exponent - (below_one ? 1 : 0),
                               quotient | (inexact ? 1 : 0), current_rounding(env));
}

template <typename F>
Bits<F> mul_add(FpEnv &env, Bits<F> addend_bits, Bits<F> a_bits, Bits<F> b_bits) {
    const auto addend = unpack<F>(env, addend_bits);
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan = 0;
    const bool is_nan = propagate_nan(env, nan, addend, a, b);
    return mul_add_unpacked<F>(env, addend, a, b, is_nan, nan);
}

u32 mul_add_half(FpEnv &env, u32 addend_bits, u16 a_bits, u16 b_bits) {
    const auto addend = unpack<Single>(env, addend_bits);
    const auto a = unpack<Half>(env, a_bits);
    const auto b = unpack<Half>(env, b_bits);
    // FPProcessNaNs3H: the order of FPProcessNaNs3; a half's NaN is widened.
    u32 nan = 0;
    bool is_nan = true;
    const auto widened = [&](const Operand<Half> &half) -> u32 {
        const u16 bits = process_nan(env, half);
        return env.mode.default_nan()
                   ? Single::kDefaultNaN
                   : Single::with_sign(half.sign,
                                       Single::kInfinity |
                                           u32{static_cast<u16>(bits & Half::kFractionMask)}
                                               << (Single::kFraction - Half::kFraction));
    };
    if (addend.kind == Kind::SignallingNaN) {
        nan = process_nan(env, addend);
    } else if (a.kind == Kind::SignallingNaN) {
        nan = widened(a);
    } else if (b.kind == Kind::SignallingNaN) {
        nan = widened(b);
    } else if (addend.is_nan()) {
        nan = process_nan(env, addend);
    } else if (a.is_nan()) {
        nan = widened(a);
    } else if (b.is_nan()) {
        nan = widened(b);
    } else {
        is_nan = false;
    }
    return mul_add_unpacked<Single>(env, addend, a, b, is_nan, nan);
}

template <typename F>
Bits<F> sqrt(FpEnv &env, Bits<F> a_bits) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) return process_nan(env, a);
    if (a.is_zero()) return F::with_sign(a.sign, 0);
    if (a.sign) return invalid<F>(env);
    if (a.is_infinity()) return F::kInfinity;
    // With an even power of two taken out, the radicand has 127 or 128 bits and its root 64.
    const bool odd = (a.exponent & 1) != 0;
    const auto result = integer_sqrt<128>(u128{a.mantissa} << (odd ? 64 : 63));
    const u64 root = static_cast<u64>(result.root) | (result.remainder != 0 ? 1 : 0);
    return softfloat::round<F>(env, false, (a.exponent - (odd ? 1 : 0)) / 2, root,
                               current_rounding(env));
}

template <typename F>
Bits<F> recip_step(FpEnv &env, Bits<F> a, Bits<F> b) {
    return newton_step<F>(env, a, b, {Kind::Finite, false, 1, u64{1} << 63}, 0);
}

template <typename F>
Bits<F> rsqrt_step(FpEnv &env, Bits<F> a, Bits<F> b) {
    return newton_step<F>(env, a, b, {Kind::Finite, false, 1, u64{3} << 62}, -1);
}

#define INSTANTIATE(F)                                                                             \
    template Bits<F> add<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> sub<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> mul<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> mulx<F>(FpEnv &, Bits<F>, Bits<F>);                                           \
    template Bits<F> div<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> mul_add<F>(FpEnv &, Bits<F>, Bits<F>, Bits<F>);                               \
    template Bits<F> sqrt<F>(FpEnv &, Bits<F>);                                                    \
    template Bits<F> recip_step<F>(FpEnv &, Bits<F>, Bits<F>);                                     \
    template Bits<F> rsqrt_step<F>(FpEnv &, Bits<F>, Bits<F>);
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

} // namespace tandem::ir::softfloat
