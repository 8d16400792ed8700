#pragma once
/// The architecture's floating point in integer arithmetic: never the host's FPU, whose control
/// register may hold guest state while these run. Values are bit patterns. Functions follow the
/// Arm ARM's shared pseudocode (J1.3, aarch64/functions and shared/functions/float) without
/// FEAT_AFP and FEAT_EBF16: named in lower case after its FPxxx functions, they obey env.mode and
/// accumulate exceptions in env.flags. Instantiated for Half, Single and Double.
#include "ir/softfloat/format.h"
#include "ir/types.h"

namespace tandem::ir::softfloat {

template <typename F>
using Bits = typename F::Bits;

// --- arithmetic --------------------------------------------------------------------------------
template <typename F>
[[nodiscard]] Bits<F> add(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> sub(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> mul(FpEnv &env, Bits<F> a, Bits<F> b);
/// FPMulX: zero times infinity is two.
template <typename F>
[[nodiscard]] Bits<F> mulx(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> div(FpEnv &env, Bits<F> a, Bits<F> b);
/// addend + a * b, rounded once.
template <typename F>
[[nodiscard]] Bits<F> mul_add(FpEnv &env, Bits<F> addend, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> sqrt(FpEnv &env, Bits<F> a);
/// FPRecipStepFused: 2 - a * b.
template <typename F>
[[nodiscard]] Bits<F> recip_step(FpEnv &env, Bits<F> a, Bits<F> b);
/// FPRSqrtStepFused: (3 - a * b) / 2.
template <typename F>
[[nodiscard]] Bits<F> rsqrt_step(FpEnv &env, Bits<F> a, Bits<F> b);
/// FPMulAddH: a single plus the product of two halves.
[[nodiscard]] u32 mul_add_half(FpEnv &env, u32 addend, u16 a, u16 b);

// --- comparison ----------------------------------------------------------------------------------
template <typename F>
[[nodiscard]] Bits<F> max(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> min(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> max_num(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] Bits<F> min_num(FpEnv &env, Bits<F> a, Bits<F> b);
/// FPCompare: flags in the layout of kFlag*.
template <typename F>
[[nodiscard]] u32 compare(FpEnv &env, Bits<F> a, Bits<F> b, bool signal_quiet_nans);
template <typename F>
[[nodiscard]] bool compare_equal(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] bool compare_greater_equal(FpEnv &env, Bits<F> a, Bits<F> b);
template <typename F>
[[nodiscard]] bool compare_greater(FpEnv &env, Bits<F> a, Bits<F> b);

// --- conversion ----------------------------------------------------------------------------------
/// FPConvert between two formats, or FPConvertBF when To is BFloat16. Instantiated for every
/// pair of Half, Single and Double, and from Single to BFloat16.
template <typename From, typename To>
[[nodiscard]] Bits<To> convert(FpEnv &env, Bits<From> a, Rounding rounding);
/// To an integral value in the same format; raises Inexact only if `exact`.
template <typename F>
[[nodiscard]] Bits<F> round_int(FpEnv &env, Bits<F> a, Rounding rounding, bool exact);
/// FPRoundIntN: to a value that fits a signed integer of `width` bits (32 or 64).
template <typename F>
[[nodiscard]] Bits<F> round_int_n(FpEnv &env, Bits<F> a, Rounding rounding, unsigned width);
/// FPToFixed: an integer of `width` (16, 32, 64) bits, zero-extended.
template <typename F>
[[nodiscard]] u64 to_fixed(FpEnv &env, Bits<F> a, unsigned width, bool is_signed,
                           unsigned fraction_bits, Rounding rounding);
/// FixedToFP of (-1)^sign * magnitude / 2^fraction_bits.
template <typename F>
[[nodiscard]] Bits<F> from_fixed(FpEnv &env, bool sign, u64 magnitude, unsigned fraction_bits,
                                 Rounding rounding);
/// FPToFixedJS: the result in bits 31:0, in bit 32 whether the conversion was exact.
[[nodiscard]] u64 to_fixed_javascript(FpEnv &env, u64 a);

// --- estimates
// -------------------------------------------------------------------------------------
template <typename F>
[[nodiscard]] Bits<F> recip_estimate(FpEnv &env, Bits<F> a);
template <typename F>
[[nodiscard]] Bits<F> rsqrt_estimate(FpEnv &env, Bits<F> a);
/// FPRecpX.
template <typename F>
[[nodiscard]] Bits<F> recip_exponent(FpEnv &env, Bits<F> a);
[[nodiscard]] u32 unsigned_recip_estimate(u32 a);
[[nodiscard]] u32 unsigned_rsqrt_estimate(u32 a);

// --- bfloat16
// ----------------------------------------------------------------------------------------
/// BFDotAdd of FEAT_BF16 alone: fixed round-to-odd, flushing and default NaNs, no exceptions.
[[nodiscard]] u32 bfloat_dot_add(u32 addend, u16 a0, u16 a1, u16 b0, u16 b1);

} // namespace tandem::ir::softfloat
