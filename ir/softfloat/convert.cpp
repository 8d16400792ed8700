#include "ir/softfloat/softfloat.h"
#include "ir/softfloat/unpacked.h"

namespace tandem::ir::softfloat {
namespace {

/// A magnitude's integral part and the rest in units of 2^-64.
struct Split {
    u64 integer;
    u64 fraction;
};

/// Splits mantissa * 2^(exponent - 63); exponent is at most 63.
Split split(u64 mantissa, int exponent) {
    if (exponent >= 0) {
        return {mantissa >> (63 - exponent), exponent == 63 ? 0 : mantissa << (exponent + 1)};
    }
    return {0, shift_right_jam(mantissa, static_cast<unsigned>(-1 - exponent))};
}

/// The integral magnitude a value rounds to. Cannot wrap: a magnitude of 64 bits has no fraction.
u64 rounded(const Split &value, Rounding rounding, bool sign) {
    const bool odd = (value.integer & 1) != 0;
    return value.integer + (rounds_up(rounding, sign, odd, value.fraction) ? 1 : 0);
}

/// An integral magnitude that the format represents exactly.
template <typename F>
Bits<F> from_integral(FpEnv &env, bool sign, u64 magnitude) {
    if (magnitude == 0) return F::with_sign(sign, 0);
    const unsigned shift = leading_zeros(magnitude);
    return round<F>(env, sign, 63 - static_cast<int>(shift), magnitude << shift, Rounding::Zero);
}

} // namespace

template <typename From, typename To>
Bits<To> convert(FpEnv &env, Bits<From> a_bits, Rounding rounding) {
    const auto a = unpack<From, Use::Conversion>(env, a_bits);
    const bool alternative = kIsHalf<To> && env.mode.alternative_half();
    if (a.is_nan()) {
        if (alternative || a.kind == Kind::SignallingNaN) env.flags |= kFpInvalid;
        if (alternative) return To::with_sign(a.sign, 0);
        if (env.mode.default_nan()) return To::kDefaultNaN;
        // FPConvertNaN keeps the top of the payload.
        const u64 payload = u64{static_cast<Bits<From>>(a.bits & From::kFractionMask)}
                            << (63 - From::kFraction);
        const Bits<To> fraction = static_cast<Bits<To>>(payload >> (63 - To::kFraction));
        return To::with_sign(a.sign, static_cast<Bits<To>>(To::kDefaultNaN | fraction));
    }
    if (a.is_infinity()) {
        if (!alternative) return To::with_sign(a.sign, To::kInfinity);
        env.flags |= kFpInvalid;
        return To::with_sign(a.sign, static_cast<Bits<To>>(~To::kSign));
    }
    if (a.is_zero()) return To::with_sign(a.sign, 0);
    return round<To, Use::Conversion>(env, a.sign, a.exponent, a.mantissa, rounding);
}

template <typename F>
Bits<F> round_int(FpEnv &env, Bits<F> a_bits, Rounding rounding, bool exact) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) return process_nan(env, a);
    if (a.is_zero()) return F::with_sign(a.sign, 0);
    if (a.is_infinity() || a.exponent >= F::kFraction) return a.bits;
    const Split parts = split(a.mantissa, a.exponent);
    if (parts.fraction == 0) return a.bits;
    const Bits<F> result = from_integral<F>(env, a.sign, rounded(parts, rounding, a.sign));
    if (exact) env.flags |= kFpInexact;
    return result;
}

template <typename F>
Bits<F> round_int_n(FpEnv &env, Bits<F> a_bits, Rounding rounding, unsigned width) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_zero()) return F::with_sign(a.sign, 0);
    const int top = static_cast<int>(width) - 1;
    if (!a.is_nan() && !a.is_infinity() && a.exponent <= top) {
        const Split parts = split(a.mantissa, a.exponent);
        const u64 magnitude = rounded(parts, rounding, a.sign);
        const u64 limit = u64{1} << top;
        if (magnitude < limit || (magnitude == limit && a.sign)) {
            if (parts.fraction != 0) env.flags |= kFpInexact;
            return from_integral<F>(env, a.sign, magnitude);
        }
    }
    // FPRoundIntN: what does not fit, and NaNs, give the most negative integer.
    env.flags |= kFpInvalid;
    return top < F::kMaxField - F::kBias ? F::power_of_two(true, top)
                                         : F::with_sign(true, F::kInfinity);
}

template <typename F>
u64 to_fixed(FpEnv &env, Bits<F> a_bits, unsigned width, bool is_signed, unsigned fraction_bits,
             Rounding rounding) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) {
        env.flags |= kFpInvalid;
        return 0;
    }
    if (a.is_zero()) return 0;
    // The greatest magnitudes that fit, for positive and negative values.
    const u64 positive_limit = ones(is_signed ? width - 1 : width);
    const u64 limit = !a.sign ? positive_limit : is_signed ? positive_limit + 1 : 0;
    const int exponent = a.exponent + static_cast<int>(fraction_bits);
    u64 magnitude = limit;
    bool fits = false;
    if (!a.is_infinity() && exponent <= 63) {
        const Split parts = split(a.mantissa, exponent);
        magnitude = rounded(parts, rounding, a.sign);
        fits = magnitude <= limit;
        if (fits && parts.fraction != 0) env.flags |= kFpInexact;
    }
    if (!fits) {
        env.flags |= kFpInvalid;
        magnitude = limit;
    }
    return (a.sign ? u64{0} - magnitude : magnitude) & ones(width);
}

template <typename F>
Bits<F> from_fixed(FpEnv &env, bool sign, u64 magnitude, unsigned fraction_bits,
                   Rounding rounding) {
    if (magnitude == 0) return 0;
    const unsigned shift = leading_zeros(magnitude);
    const int exponent = 63 - static_cast<int>(shift) - static_cast<int>(fraction_bits);
    return round<F>(env, sign, exponent, magnitude << shift, rounding);
}

u64 to_fixed_javascript(FpEnv &env, u64 a_bits) {
    constexpr u64 kExact = u64{1} << 32;
    const auto a = unpack<Double>(env, a_bits);
    if (a.is_nan() || a.is_infinity()) {
        env.flags |= kFpInvalid;
        return 0;
    }
    // FPToFixedJS: -0 and flushed subnormals count as inexact, without raising it.
    if (a.is_zero()) return a_bits == 0 ? kExact : 0;
    Split parts{};
    if (a.exponent <= 63) {
        parts = split(a.mantissa, a.exponent);
    } else if (a.exponent < 64 + 32) {
        // Too large, but the result is its bits 31:0.
        parts.integer = a.mantissa << (a.exponent - 63);
    }
    const u64 limit = a.sign ? u64{1} << 31 : (u64{1} << 31) - 1;
    u64 exact = 0;
    if (a.exponent > 63 || parts.integer > limit) {
        env.flags |= kFpInvalid;
    } else if (parts.fraction != 0) {
        env.flags |= kFpInexact;
    } else {
        exact = kExact;
    }
    return exact | ((a.sign ? u64{0} - parts.integer : parts.integer) & 0xffffffff);
}

template Bits<Half> convert<Single, Half>(FpEnv &, u32, Rounding);
template Bits<Half> convert<Double, Half>(FpEnv &, u64, Rounding);
template Bits<Single> convert<Half, Single>(FpEnv &, u16, Rounding);
template Bits<Single> convert<Double, Single>(FpEnv &, u64, Rounding);
template Bits<Double> convert<Half, Double>(FpEnv &, u16, Rounding);
template Bits<Double> convert<Single, Double>(FpEnv &, u32, Rounding);
template Bits<BFloat16> convert<Single, BFloat16>(FpEnv &, u32, Rounding);

#define INSTANTIATE(F)                                                                             \
    template Bits<F> round_int<F>(FpEnv &, Bits<F>, Rounding, bool);                               \
    template Bits<F> round_int_n<F>(FpEnv &, Bits<F>, Rounding, unsigned);                         \
    template u64 to_fixed<F>(FpEnv &, Bits<F>, unsigned, bool, unsigned, Rounding);                \
    template Bits<F> from_fixed<F>(FpEnv &, bool, u64, unsigned, Rounding);
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

} // namespace tandem::ir::softfloat
