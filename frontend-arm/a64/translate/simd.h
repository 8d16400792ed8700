#pragma once
/// What the bodies of Advanced SIMD rows share. A lane's `size` is log2 of its bytes.
#include "frontend-arm/a64/translate/fp.h"

#include <array>

namespace tandem::arm::a64 {

/// An operation for lanes of 8, 16, 32 and 64 bits; null where it does not exist (unallocated).
using Op1 = ir::V128 (ir::Builder::*)(ir::V128, u64);
using Op2 = ir::V128 (ir::Builder::*)(ir::V128, ir::V128, u64);
using Op3 = ir::V128 (ir::Builder::*)(ir::V128, ir::V128, ir::V128, u64);
using Lanes1 = std::array<Op1, 4>;
using Lanes2 = std::array<Op2, 4>;
using Lanes3 = std::array<Op3, 4>;
#define OPS(name)                                                                                  \
    {&ir::Builder::name##8, &ir::Builder::name##16, &ir::Builder::name##32, &ir::Builder::name##64}
#define OPS_TO_32(name)                                                                            \
    {&ir::Builder::name##8, &ir::Builder::name##16, &ir::Builder::name##32, nullptr}
#define OPS_16_32(name) {nullptr, &ir::Builder::name##16, &ir::Builder::name##32, nullptr}
#define OPS_8(name) {&ir::Builder::name##8, nullptr, nullptr, nullptr}
#define OPS_FLOAT(name)                                                                            \
    {nullptr, &ir::Builder::name##16, &ir::Builder::name##32, &ir::Builder::name##64}

/// 1D is reserved in nearly every vector instruction.
[[nodiscard]] constexpr bool is_arrangement(bool q, unsigned size) {
    return q || size != 3;
}

/// A vector operand of an operation that raises FP exceptions or saturates: the part of the
/// register beyond the vector's length must not, so it reads as zero.
inline ir::V128 vector_operand(Translator &t, u32 n, bool q) {
    return q ? t.v(n) : t.b.VZeroUpper64(t.v(n));
}
/// The same where zero would raise an exception (0 / 0): both halves are the low one.
inline ir::V128 doubled_operand(Translator &t, u32 n, bool q) {
    return q ? t.v(n) : t.b.VDupLane64(t.v(n), 0);
}
/// Element 0 of a register, zero-extended.
ir::V128 scalar_operand(Translator &t, u32 n, unsigned size);
/// Vd = element 0 of the value, zero-extended.
void set_scalar(Translator &t, u32 d, unsigned size, ir::V128 value);
/// The half of Vn that long, wide and narrow operations work on: low, or high for the "2" forms.
inline ir::V128 half_operand(Translator &t, u32 n, bool high) {
    return high ? t.b.VDupLane64(t.v(n), 1) : t.v(n);
}
/// Result of a narrowing operation: the "2" forms keep Vd's low half.
inline void set_narrowed(Translator &t, u32 d, bool high, ir::V128 narrowed) {
    t.set_v(d, high ? t.b.VMergeHigh64(t.v(d), narrowed) : narrowed);
}
/// `value` in every lane.
inline ir::V128 dup_constant(Translator &t, unsigned size, u64 value) {
    u64 lanes = value & ones(8u << size);
    for (unsigned width = 8u << size; width < 64; width *= 2) lanes |= lanes << width;
    return lanes == 0 ? t.b.VZero() : t.b.VConst64(lanes);
}
/// Lane `index` of Vm in every lane.
ir::V128 dup_element(Translator &t, u32 m, unsigned size, unsigned index);

/// The operand fields of a vector instruction.
struct Vector {
    bool q;
    unsigned size;
    u32 d, n, m;
};
/// From a row's fields; a one-bit z is sz (0 single, 1 double).
template <class F>
[[nodiscard]] Vector vector(F f) {
    Vector result{true, 1, f.d(), f.n(), 0};
    if constexpr (F::template has<'Q'>()) result.q = f.Q() != 0;
    if constexpr (F::template has<'z'>())
        result.size = F::template width<'z'>() == 1 ? 2 + f.z() : f.z();
    if constexpr (F::template has<'m'>()) result.m = f.m();
    return result;
}

/// Vd = op(Vn) or op(Vn, Vm) lane by lane, without FP exceptions and saturation.
bool vector_op(Translator &t, Vector f, const Lanes1 &op, u64 imm = 0);
bool vector_op(Translator &t, Vector f, const Lanes2 &op);
/// The same with them; imm includes FpMode.
bool vector_fp_op(Translator &t, Vector f, const Lanes1 &op, u64 imm);
bool vector_fp_op(Translator &t, Vector f, const Lanes2 &op, u64 imm);

} // namespace tandem::arm::a64
