#pragma once
/// Taking numbers apart and putting results together: FPUnpack, FPRound and FPProcessNaN of the
/// Arm ARM's shared pseudocode. Private to this folder.
#include "ir/softfloat/format.h"
#include "ir/types.h"

#include <bit>
#include <type_traits>

namespace tandem::ir::softfloat {

enum class Kind : u8 { Zero, Finite, Infinity, QuietNaN, SignallingNaN };

/// A number as kind, sign and, if finite and not zero, mantissa * 2^(exponent - 63) with the
/// mantissa's bit 63 set: "1.xxx times 2 to the exponent".
struct Unpacked {
    Kind kind = Kind::Zero;
    bool sign = false;
    int exponent = 0;
    u64 mantissa = 0;
    [[nodiscard]] constexpr bool is_nan() const { return kind >= Kind::QuietNaN; }
    [[nodiscard]] constexpr bool is_infinity() const { return kind == Kind::Infinity; }
    [[nodiscard]] constexpr bool is_zero() const { return kind == Kind::Zero; }
};

/// An operand: unpacked, with its bit pattern for NaN propagation.
template <typename F>
struct Operand : Unpacked {
    typename F::Bits bits;
};

template <typename F>
inline constexpr bool kIsHalf = std::is_same_v<F, Half>;

/// Whether the mode flushes subnormals of the format. Half precision has its own control, FZ16.
template <typename F>
[[nodiscard]] constexpr bool flushes(FpMode mode) {
    return kIsHalf<F> ? mode.flush_to_zero_f16() : mode.flush_to_zero();
}

/// Conversions between formats ignore FZ16 and obey AHP; arithmetic is the other way round
/// (FPUnpackCV and FPRoundCV against FPUnpack and FPRound).
enum class Use : u8 { Arithmetic, Conversion };

template <typename F, Use kUse = Use::Arithmetic>
[[nodiscard]] constexpr Operand<F> unpack(FpEnv &env, typename F::Bits bits) {
    constexpr bool kHalfConversion = kIsHalf<F> && kUse == Use::Conversion;
    const int field = F::exponent_field(bits);
    const u64 fraction = bits & F::kFractionMask;
    Operand<F> out;
    out.bits = bits;
    out.sign = F::sign(bits);
    if (field == 0) {
        if (fraction == 0) return out;
        if (!kHalfConversion && flushes<F>(env.mode)) {
            // FPUnpackBase: flushing a half-precision input raises nothing.
            if (!kIsHalf<F>) env.flags |= kFpInputDenormal;
            return out;
        }
        const int shift = std::countl_zero(fraction);
        out.kind = Kind::Finite;
        out.mantissa = fraction << shift;
        out.exponent = F::kMinExponent + 63 - F::kFraction - shift;
    } else if (field == F::kMaxField && !(kHalfConversion && env.mode.alternative_half())) {
        if (fraction == 0) {
            out.kind = Kind::Infinity;
        } else {
            out.kind = (bits & F::kQuiet) != 0 ? Kind::QuietNaN : Kind::SignallingNaN;
        }
    } else {
        out.kind = Kind::Finite;
        out.mantissa = (fraction | u64{1} << F::kFraction) << (63 - F::kFraction);
        out.exponent = field - F::kBias;
    }
    return out;
}

/// Shifts right; a one lost at the end stays visible in bit 0 ("jamming"). Any amount >= 0.
template <typename T>
[[nodiscard]] constexpr T shift_right_jam(T value, unsigned amount) {
    constexpr unsigned kBits = sizeof(T) * 8;
    if (amount == 0) return value;
    if (amount >= kBits) return value != 0 ? 1 : 0;
    return static_cast<T>(value >> amount) |
           static_cast<T>(static_cast<T>(value << (kBits - amount)) != 0 ? 1 : 0);
}

/// Whether a magnitude is rounded away from zero. `fraction` is what gets lost, in units of 2^-64
/// of the last place.
[[nodiscard]] constexpr bool rounds_up(Rounding rounding, bool sign, bool odd, u64 fraction) {
    constexpr u64 kHalfway = u64{1} << 63;
    switch (rounding) {
    case Rounding::NearestEven: return fraction > kHalfway || (fraction == kHalfway && odd);
    case Rounding::PlusInf: return fraction != 0 && !sign;
    case Rounding::MinusInf: return fraction != 0 && sign;
    case Rounding::Zero: return false;
    case Rounding::NearestAway: return fraction >= kHalfway;
    case Rounding::Odd: return fraction != 0 && !odd;
    }
    return false;
}

[[nodiscard]] constexpr bool overflows_to_infinity(Rounding rounding, bool sign) {
    switch (rounding) {
    case Rounding::PlusInf: return !sign;
    case Rounding::MinusInf: return sign;
    case Rounding::Zero:
    case Rounding::Odd: return false;
    default: return true;
    }
}

[[nodiscard]] constexpr Rounding current_rounding(const FpEnv &env) {
    return static_cast<Rounding>(env.mode.rounding());
}

/// FPRound of mantissa * 2^(exponent - 63), where the mantissa's bit 63 is set and bit 0 stands for
/// everything below as well.
template <typename F, Use kUse = Use::Arithmetic>
[[nodiscard]] constexpr typename F::Bits round(FpEnv &env, bool sign, int exponent, u64 mantissa,
                                               Rounding rounding) {
    using Bits = typename F::Bits;
    constexpr bool kHalfConversion = kIsHalf<F> && kUse == Use::Conversion;
    constexpr unsigned kDropped = 63 - F::kFraction;
    int field = exponent + F::kBias;
    if (field <= 0) {
        // Tininess is detected before rounding; a flushed result is not reported as inexact.
        if (!kHalfConversion && flushes<F>(env.mode)) {
            env.flags |= kFpUnderflow;
            return F::with_sign(sign, 0);
        }
        mantissa = shift_right_jam(mantissa, static_cast<unsigned>(1 - field));
        field = 0;
    }
    const u64 fraction = mantissa << (64 - kDropped);
    const u64 integer = mantissa >> kDropped;
    const bool up = rounds_up(rounding, sign, (integer & 1) != 0, fraction);
    const bool alternative = kHalfConversion && env.mode.alternative_half();
    if (field <= F::kMaxField) {
        // A normal number's leading one adds one to the exponent field; so does a carry.
        const u64 magnitude =
            (static_cast<u64>(field == 0 ? 0 : field - 1) << F::kFraction) + integer + (up ? 1 : 0);
        const u64 limit =
            alternative ? u64{F::kInfinity} + (u64{1} << F::kFraction) : u64{F::kInfinity};
        if (magnitude < limit) {
            if (fraction != 0) env.flags |= field == 0 ? kFpUnderflow | kFpInexact : kFpInexact;
            return F::with_sign(sign, static_cast<Bits>(magnitude));
        }
    }
    if (alternative) {
        env.flags |= kFpInvalid;
        return F::with_sign(sign, static_cast<Bits>(~F::kSign));
    }
    env.flags |= kFpOverflow | kFpInexact;
    return F::with_sign(sign, overflows_to_infinity(rounding, sign) ? F::kInfinity : F::kMaxNormal);
}

/// FPProcessNaN.
template <typename F>
[[nodiscard]] constexpr typename F::Bits process_nan(FpEnv &env, const Operand<F> &nan) {
    if (nan.kind == Kind::SignallingNaN) env.flags |= kFpInvalid;
    if (env.mode.default_nan()) return F::kDefaultNaN;
    return static_cast<typename F::Bits>(nan.bits | F::kQuiet);
}

template <typename F>
[[nodiscard]] constexpr typename F::Bits invalid(FpEnv &env) {
    env.flags |= kFpInvalid;
    return F::kDefaultNaN;
}

/// FPProcessNaNs and FPProcessNaNs3: if an operand is a NaN, stores the result and returns true.
/// Signalling NaNs go before quiet ones, then the first operand wins.
template <typename F, typename... Rest>
[[nodiscard]] constexpr bool propagate_nan(FpEnv &env, typename F::Bits &result,
                                           const Operand<F> &first, const Rest &...rest) {
    if (!(first.is_nan() || ... || rest.is_nan())) [[likely]]
        return false;
    for (const Kind kind : {Kind::SignallingNaN, Kind::QuietNaN}) {
        for (const Operand<F> *operand : {&first, &rest...}) {
            if (operand->kind == kind) {
                result = process_nan(env, *operand);
                return true;
            }
        }
    }
    return false;
}

/// A value in the making: mantissa * 2^(exponent - (bits of Mantissa - 1)); zero if mantissa is 0.
template <typename Mantissa>
struct Term {
    bool sign = false;
    int exponent = 0;
    Mantissa mantissa = 0;
};

[[nodiscard]] constexpr unsigned leading_zeros(u64 value) {
    return static_cast<unsigned>(std::countl_zero(value));
}
[[nodiscard]] constexpr unsigned leading_zeros(u128 value) {
    const u64 high = static_cast<u64>(value >> 64);
    return high != 0 ? leading_zeros(high) : 64 + leading_zeros(static_cast<u64>(value));
}

/// The sum of two terms that are not zero, normalised, with its end jammed. Exact but for that as
/// long as the mantissas' lowest bits are clear (u64: 10 bits; u128: 22 bits), since then nothing
/// is lost whenever more than one leading bit cancels.
template <typename M>
[[nodiscard]] constexpr Term<M> sum(Term<M> a, Term<M> b) {
    if (a.exponent < b.exponent || (a.exponent == b.exponent && a.mantissa < b.mantissa)) {
        const Term<M> swapped = a;
        a = b;
        b = swapped;
    }
    const unsigned distance = static_cast<unsigned>(a.exponent - b.exponent);
    // One bit of headroom for the carry.
    const M x = static_cast<M>(a.mantissa >> 1);
    const M y = shift_right_jam(b.mantissa, distance + 1);
    const M total = a.sign == b.sign ? static_cast<M>(x + y) : static_cast<M>(x - y);
    if (total == 0) return {};
    const unsigned shift = leading_zeros(total);
    return {a.sign, a.exponent + 1 - static_cast<int>(shift), static_cast<M>(total << shift)};
}

/// The exact product of two finite numbers.
[[nodiscard]] constexpr Term<u128> product(const Unpacked &a, const Unpacked &b) {
    const u128 wide = u128{a.mantissa} * b.mantissa;
    const bool carried = (wide >> 127) != 0;
    return {a.sign != b.sign, a.exponent + b.exponent + (carried ? 1 : 0),
            carried ? wide : wide << 1};
}

[[nodiscard]] constexpr Term<u64> narrow(const Term<u128> &term) {
    return {term.sign, term.exponent,
            static_cast<u64>(term.mantissa >> 64) |
                (static_cast<u64>(term.mantissa) != 0 ? u64{1} : u64{0})};
}

} // namespace tandem::ir::softfloat
