#include "ir/softfloat/softfloat.h"
#include "ir/softfloat/unpacked.h"

namespace tandem::ir::softfloat {
namespace {

/// A number's place in the order of numbers; both zeros, and what is flushed to them, are 0.
template <typename F>
i64 order(const Operand<F> &a) {
    if (a.is_zero()) return 0;
    const i64 magnitude = static_cast<i64>(F::absolute(a.bits));
    return a.sign ? -magnitude : magnitude;
}

template <typename F>
Bits<F> extremum(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits, bool want_max) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    Bits<F> nan;
    if (propagate_nan(env, nan, a, b)) return nan;
    const bool take_a = want_max ? order(a) > order(b) : order(a) < order(b);
    const auto &chosen = take_a ? a : b;
    // FPMax, FPMin: a zero's sign follows from both operands, so that +0 is above -0.
    if (chosen.is_zero()) return F::with_sign(want_max ? a.sign && b.sign : a.sign || b.sign, 0);
    return chosen.bits;
}

/// FPMaxNum, FPMinNum: a lone quiet NaN is replaced by the identity of the operation.
template <typename F>
Bits<F> extremum_number(FpEnv &env, Bits<F> a, Bits<F> b, bool want_max) {
    const Bits<F> identity = F::with_sign(want_max, F::kInfinity);
    const bool a_quiet = unpack<F>(env, a).kind == Kind::QuietNaN;
    const bool b_quiet = unpack<F>(env, b).kind == Kind::QuietNaN;
    if (a_quiet && !b_quiet) a = identity;
    if (b_quiet && !a_quiet) b = identity;
    return extremum<F>(env, a, b, want_max);
}

template <typename F>
bool ordered(FpEnv &env, const Operand<F> &a, const Operand<F> &b, bool signal_quiet_nans) {
    if (!a.is_nan() && !b.is_nan()) return true;
    if (signal_quiet_nans || a.kind == Kind::SignallingNaN || b.kind == Kind::SignallingNaN) {
        env.flags |= kFpInvalid;
    }
    return false;
}

} // namespace

template <typename F>
Bits<F> max(FpEnv &env, Bits<F> a, Bits<F> b) {
    return extremum<F>(env, a, b, true);
}
template <typename F>
Bits<F> min(FpEnv &env, Bits<F> a, Bits<F> b) {
    return extremum<F>(env, a, b, false);
}
template <typename F>
Bits<F> max_num(FpEnv &env, Bits<F> a, Bits<F> b) {
    return extremum_number<F>(env, a, b, true);
}
template <typename F>
Bits<F> min_num(FpEnv &env, Bits<F> a, Bits<F> b) {
    return extremum_number<F>(env, a, b, false);
}

template <typename F>
u32 compare(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits, bool signal_quiet_nans) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    if (!ordered(env, a, b, signal_quiet_nans)) return kFlagC | kFlagV;
    const i64 x = order(a);
    const i64 y = order(b);
    if (x == y) return kFlagZ | kFlagC;
    return x < y ? kFlagN : kFlagC;
}
template <typename F>
bool compare_equal(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    return ordered(env, a, b, false) && order(a) == order(b);
}
template <typename F>
bool compare_greater_equal(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    return ordered(env, a, b, true) && order(a) >= order(b);
}
template <typename F>
bool compare_greater(FpEnv &env, Bits<F> a_bits, Bits<F> b_bits) {
    const auto a = unpack<F>(env, a_bits);
    const auto b = unpack<F>(env, b_bits);
    return ordered(env, a, b, true) && order(a) > order(b);
}

#define INSTANTIATE(F)                                                                             \
    template Bits<F> max<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> min<F>(FpEnv &, Bits<F>, Bits<F>);                                            \
    template Bits<F> max_num<F>(FpEnv &, Bits<F>, Bits<F>);                                        \
    template Bits<F> min_num<F>(FpEnv &, Bits<F>, Bits<F>);                                        \
    template u32 compare<F>(FpEnv &, Bits<F>, Bits<F>, bool);                                      \
    template bool compare_equal<F>(FpEnv &, Bits<F>, Bits<F>);                                     \
    template bool compare_greater_equal<F>(FpEnv &, Bits<F>, Bits<F>);                             \
    template bool compare_greater<F>(FpEnv &, Bits<F>, Bits<F>);
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

} // namespace tandem::ir::softfloat
