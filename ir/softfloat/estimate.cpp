#include "ir/softfloat/softfloat.h"
#include "ir/softfloat/unpacked.h"

namespace tandem::ir::softfloat {
namespace {

/// RecipEstimate: a of 256 to 511 stands for [0.5, 1.0), the result for [1.0, 2.0) in 256ths.
constexpr u32 recip_of(u32 a) {
    return ((1u << 19) / (a * 2 + 1) + 1) / 2;
}

/// RecipSqrtEstimate: a of 128 to 511 stands for [0.25, 1.0), the result for [1.0, 2.0).
consteval std::array<u16, 384> make_rsqrt_table() {
    std::array<u16, 384> table{};
    for (u64 i = 128; i < 512; ++i) {
        const u64 a = i < 256 ? i * 2 + 1 : ((i & ~u64{1}) + 1) * 2;
        u64 b = 512;
        while (a * (b + 1) * (b + 1) < u64{1} << 28) ++b;
        table[i - 128] = static_cast<u16>((b + 1) / 2);
    }
    return table;
}
constexpr std::array<u16, 384> kRsqrtTable = make_rsqrt_table();

} // namespace

template <typename F>
Bits<F> recip_estimate(FpEnv &env, Bits<F> a_bits) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) return process_nan(env, a);
    if (a.is_infinity()) return F::with_sign(a.sign, 0);
    if (a.is_zero()) {
        env.flags |= kFpDivZero;
        return F::with_sign(a.sign, F::kInfinity);
    }
    if (a.exponent < -F::kBias - 1) {
        // The reciprocal of less than 2^-(bias + 1) is too large.
        env.flags |= kFpOverflow | kFpInexact;
        return F::with_sign(a.sign, overflows_to_infinity(current_rounding(env), a.sign)
                                        ? F::kInfinity
                                        : F::kMaxNormal);
    }
    if (flushes<F>(env.mode) && a.exponent >= F::kBias - 1) {
        env.flags |= kFpUnderflow;
        return F::with_sign(a.sign, 0);
    }
    const u32 scaled = static_cast<u32>(a.mantissa >> 55);
    // A significand of 9 bits, 1.xxxxxxxx, times 2^exponent; as subnormal if need be.
    const u64 estimate = u64{recip_of(scaled)} << 44;
    const int field = F::kBias - 1 - a.exponent;
    u64 fraction = estimate & ones(52);
    if (field == 0) {
        fraction = estimate >> 1;
    } else if (field == -1) {
        fraction = estimate >> 2;
    }
    const u64 magnitude = (static_cast<u64>(field > 0 ? field : 0) << F::kFraction) |
                          (fraction >> (52 - F::kFraction));
    return F::with_sign(a.sign, static_cast<Bits<F>>(magnitude));
}

template <typename F>
Bits<F> rsqrt_estimate(FpEnv &env, Bits<F> a_bits) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) return process_nan(env, a);
    if (a.is_zero()) {
        env.flags |= kFpDivZero;
        return F::with_sign(a.sign, F::kInfinity);
    }
    if (a.sign) return invalid<F>(env);
    if (a.is_infinity()) return 0;
    // Bring the number into [0.25, 1.0) by an even power of two.
    const bool odd = (a.exponent & 1) != 0;
    const u32 scaled = static_cast<u32>(a.mantissa >> (odd ? 55 : 56));
    const u64 estimate = kRsqrtTable[scaled - 128];
    const int exponent = -(a.exponent + (odd ? 1 : 2)) / 2;
    const u64 fraction = (estimate & 0xff) << 44;
    const u64 magnitude =
        (static_cast<u64>(exponent + F::kBias) << F::kFraction) | (fraction >> (52 - F::kFraction));
    return static_cast<Bits<F>>(magnitude);
}

template <typename F>
Bits<F> recip_exponent(FpEnv &env, Bits<F> a_bits) {
    const auto a = unpack<F>(env, a_bits);
    if (a.is_nan()) return process_nan(env, a);
    const int field = F::exponent_field(a_bits);
    const int result = field == 0 ? F::kMaxField - 1 : ~field & F::kMaxField;
    return F::with_sign(a.sign, static_cast<Bits<F>>(static_cast<u64>(result) << F::kFraction));
}

u32 unsigned_recip_estimate(u32 a) {
    return bit(a, 31) ? recip_of(a >> 23) << 23 : ~u32{0};
}
u32 unsigned_rsqrt_estimate(u32 a) {
    return (a >> 30) != 0 ? u32{kRsqrtTable[(a >> 23) - 128]} << 23 : ~u32{0};
}

#define INSTANTIATE(F)                                                                             \
    template Bits<F> recip_estimate<F>(FpEnv &, Bits<F>);                                          \
    template Bits<F> rsqrt_estimate<F>(FpEnv &, Bits<F>);                                          \
    template Bits<F> recip_exponent<F>(FpEnv &, Bits<F>);
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

} // namespace tandem::ir::softfloat
