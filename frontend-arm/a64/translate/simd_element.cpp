// Advanced SIMD: vector or scalar by indexed element.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// Operands of a row by element; size is that of the element.
struct ByElement {
    bool scalar;
    bool q;
    unsigned size;
    u32 d, n, m;
    unsigned index;
    bool allocated;
};

/// Bits L, M and H say which register and which element, depending on the element's size: with 16
/// bits index H:L:M of V0-V15, with 32 bits H:L, with 64 bits H (and L is 0).
template <class F>
ByElement by_element(F f, unsigned size) {
    bool q = true;
    if constexpr (F::template has<'Q'>()) q = f.Q() != 0;
    const bool scalar = !F::template has<'Q'>();
    const u32 m = f.M() << 4 | f.m();
    switch (size) {
    case 1: return {scalar, q, 1, f.d(), f.n(), f.m(), f.H() << 2 | f.L() << 1 | f.M(), true};
    case 2: return {scalar, q, 2, f.d(), f.n(), m, f.H() << 1 | f.L(), true};
    case 3: return {scalar, q, 3, f.d(), f.n(), m, f.H(), f.L() == 0 && q};
    default: return {scalar, q, 0, f.d(), f.n(), m, 0, false};
    }
}
/// Integer rows: zz is the size, 01 or 10.
template <class F>
ByElement integer_element(F f) {
    ByElement result = by_element(f, f.z());
    if (f.z() == 3) result.allocated = false;
    return result;
}
/// Floating-point rows: z is sz; rows without it are for halves.
template <class F>
ByElement float_element(F f) {
    if constexpr (F::template has<'z'>())
        return by_element(f, 2 + f.z());
    else
        return by_element(f, 1);
}

/// The element in every lane. For operations that raise exceptions on 64-bit vectors.
ir::V128 fp_element(Translator &t, const ByElement &f) {
    const ir::V128 m = dup_element(t, f.m, f.size, f.index);
    return f.q ? m : t.b.VZeroUpper64(m);
}
/// The element in lane 0 alone, of a scalar's operand.
ir::V128 scalar_element(Translator &t, const ByElement &f) {
    return f.size == 1 ? t.b.VFromF16(t.b.VToF16(t.v(f.m), f.index))
                       : t.b.VFromF32(t.b.VToF32(t.v(f.m), f.index));
}

enum class Accumulate : u8 { No, Add, Subtract };

bool multiply(Translator &t, const ByElement &f, Accumulate accumulate) {
    if (!f.allocated) return false;
    constexpr Lanes2 mul = OPS_TO_32(VMul);
    constexpr Lanes2 add = OPS(VAdd);
    constexpr Lanes2 sub = OPS(VSub);
    ir::V128 value = (t.b.*mul[f.size])(t.v(f.n), dup_element(t, f.m, f.size, f.index), 0);
    if (accumulate == Accumulate::Add) value = (t.b.*add[f.size])(t.v(f.d), value, 0);
    if (accumulate == Accumulate::Subtract) value = (t.b.*sub[f.size])(t.v(f.d), value, 0);
    t.set_v(f.d, value, f.q);
    return true;
}

bool vector_multiply_long(Translator &t, const ByElement &f, const Lanes2 &op,
                          Accumulate accumulate) {
    if (!f.allocated) return false;
    constexpr Lanes2 add = OPS(VAdd);
    constexpr Lanes2 sub = OPS(VSub);
    const ir::V128 n = half_operand(t, f.n, f.q);
    ir::V128 value = (t.b.*op[f.size])(n, dup_element(t, f.m, f.size, f.index), 0);
    if (accumulate == Accumulate::Add) value = (t.b.*add[f.size + 1])(t.v(f.d), value, 0);
    if (accumulate == Accumulate::Subtract) value = (t.b.*sub[f.size + 1])(t.v(f.d), value, 0);
    t.set_v(f.d, value);
    return true;
}

/// SQDMULL, SQDMLAL, SQDMLSL.
bool saturating_multiply_long(Translator &t, const ByElement &f, Accumulate accumulate) {
    if (!f.allocated) return false;
    constexpr Lanes2 op = OPS_16_32(VSatDoubleMulLong);
    constexpr Lanes2 add = OPS(VSatAddS);
    constexpr Lanes2 sub = OPS(VSatSubS);
    const ir::V128 n = f.scalar ? scalar_operand(t, f.n, f.size) : half_operand(t, f.n, f.q);
    const ir::V128 m = f.scalar ? scalar_element(t, f) : dup_element(t, f.m, f.size, f.index);
    ir::V128 value = (t.b.*op[f.size])(n, m, t.fp_mode());
    if (accumulate != Accumulate::No) {
        const ir::V128 sum = f.scalar ? scalar_operand(t, f.d, f.size + 1) : t.v(f.d);
        const Lanes2 &combine = accumulate == Accumulate::Add ? add : sub;
        value = (t.b.*combine[f.size + 1])(sum, value, t.fp_mode());
    }
    t.set_v(f.d, value);
    return true;
}

/// SQDMULH, SQRDMULH.
bool multiply_high(Translator &t, const ByElement &f, const Lanes2 &op) {
    if (!f.allocated) return false;
    const ir::V128 n = f.scalar ? scalar_operand(t, f.n, f.size) : vector_operand(t, f.n, f.q);
    const ir::V128 m = f.scalar ? scalar_element(t, f) : fp_element(t, f);
    t.set_v(f.d, (t.b.*op[f.size])(n, m, t.fp_mode()), f.q);
    return true;
}

/// SQRDMLAH, SQRDMLSH.
bool multiply_add_high(Translator &t, const ByElement &f, const Lanes3 &op) {
    if (!f.allocated) return false;
    const auto operand = [&](u32 reg) {
        return f.scalar ? scalar_operand(t, reg, f.size) : vector_operand(t, reg, f.q);
    };
    const ir::V128 m = f.scalar ? scalar_element(t, f) : fp_element(t, f);
    t.set_v(f.d, (t.b.*op[f.size])(operand(f.d), operand(f.n), m, t.fp_mode()), f.q);
    return true;
}

/// FMUL, FMULX.
bool float_multiply(Translator &t, const ByElement &f, const Lanes2 &op, Float2 scalar_op) {
    if (!f.allocated) return false;
    const u64 imm = t.fp_mode();
    ir::Builder &b = t.b;
    if (!f.scalar) {
        t.set_v(f.d, (b.*op[f.size])(vector_operand(t, f.n, f.q), fp_element(t, f), imm), f.q);
    } else if (f.size == 1) {
        t.set_h(f.d, (b.*scalar_op.half)(t.h(f.n), b.VToF16(t.v(f.m), f.index), imm));
    } else if (f.size == 2) {
        t.set_s(f.d, (b.*scalar_op.single)(t.s(f.n), b.VToF32(t.v(f.m), f.index), imm));
    } else {
        t.set_d(f.d, (b.*scalar_op.double_)(t.d(f.n), b.VToF64(t.v(f.m), f.index), imm));
    }
    return true;
}

/// FMLA, FMLS (which negates Vn first).
bool float_multiply_add(Translator &t, const ByElement &f, bool subtract) {
    if (!f.allocated) return false;
    const u64 imm = t.fp_mode();
    ir::Builder &b = t.b;
    if (!f.scalar) {
        constexpr Lanes3 fused = OPS_FLOAT(VFMulAdd);
        constexpr Lanes1 negate = OPS_FLOAT(VFNeg);
        ir::V128 n = vector_operand(t, f.n, f.q);
        if (subtract) n = (b.*negate[f.size])(n, 0);
        t.set_v(f.d, (b.*fused[f.size])(vector_operand(t, f.d, f.q), n, fp_element(t, f), imm),
                f.q);
    } else if (f.size == 1) {
        const ir::F16 n = subtract ? b.FNeg16(t.h(f.n)) : t.h(f.n);
        t.set_h(f.d, b.FMulAdd16(t.h(f.d), n, b.VToF16(t.v(f.m), f.index), imm));
    } else if (f.size == 2) {
        const ir::F32 n = subtract ? b.FNeg32(t.s(f.n)) : t.s(f.n);
        t.set_s(f.d, b.FMulAdd32(t.s(f.d), n, b.VToF32(t.v(f.m), f.index), imm));
    } else {
        const ir::F64 n = subtract ? b.FNeg64(t.d(f.n)) : t.d(f.n);
        t.set_d(f.d, b.FMulAdd64(t.d(f.d), n, b.VToF64(t.v(f.m), f.index), imm));
    }
    return true;
}

/// FMLAL, FMLSL and the forms for the second half of Vn.
bool multiply_add_long(Translator &t, const ByElement &f, bool subtract, bool second_part) {
    ir::V128 n, m;
    if (f.q) {
        n = half_operand(t, f.n, second_part);
        m = dup_element(t, f.m, 1, f.index);
    } else { // two halves of each source, zero-extended
        n = t.b.VFromF32(t.b.VToF32(t.v(f.n), second_part ? 1 : 0));
        m = t.b.VFromF32(t.b.VToF32(dup_element(t, f.m, 1, f.index), 0));
    }
    if (subtract) n = t.b.VFNeg16(n);
    t.set_v(f.d, t.b.VFMulAddLong(vector_operand(t, f.d, f.q), n, m, t.fp_mode()), f.q);
    return true;
}

/// SDOT and its relatives: the element is 32 bits wide, four bytes or two BF16.
bool dot_product(Translator &t, const ByElement &f, Op3 op, u64 imm = 0) {
    const ir::V128 m = dup_element(t, f.m, 2, f.index);
    t.set_v(f.d, (t.b.*op)(t.v(f.d), t.v(f.n), m, imm), f.q);
    return true;
}

/// FCMLA; the element is a pair of floats of 1 << size bytes.
bool complex_multiply_add(Translator &t, const ByElement &pair, unsigned size, u32 rotation) {
    constexpr Lanes3 op = OPS_FLOAT(VFComplexMulAdd);
    t.set_v(pair.d,
            (t.b.*op[size])(vector_operand(t, pair.d, pair.q), vector_operand(t, pair.n, pair.q),
                            fp_element(t, pair), t.fp_mode() | u64{rotation} << 8),
            pair.q);
    return true;
}

} // namespace

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }
ROW(MUL_elem, multiply(*this, integer_element(f), Accumulate::No))
ROW(MLA_elem, multiply(*this, integer_element(f), Accumulate::Add))
ROW(MLS_elem, multiply(*this, integer_element(f), Accumulate::Subtract))

#define LONG(row, op, accumulate)                                                                  \
    ROW(row, vector_multiply_long(*this, integer_element(f), OPS_TO_32(op), Accumulate::accumulate))
LONG(SMULL_elem, VMulLongS, No)
LONG(UMULL_elem, VMulLongU, No)
LONG(SMLAL_elem, VMulLongS, Add)
LONG(UMLAL_elem, VMulLongU, Add)
LONG(SMLSL_elem, VMulLongS, Subtract)
LONG(UMLSL_elem, VMulLongU, Subtract)
#undef LONG

// Rows with a vector and a scalar form.
#define BOTH(row, ...)                                                                             \
    ROW(row##_elem, __VA_ARGS__)                                                                   \
    ROW(row##_sisd_elem, __VA_ARGS__)
BOTH(SQDMULL, saturating_multiply_long(*this, integer_element(f), Accumulate::No))
BOTH(SQDMLAL, saturating_multiply_long(*this, integer_element(f), Accumulate::Add))
BOTH(SQDMLSL, saturating_multiply_long(*this, integer_element(f), Accumulate::Subtract))
BOTH(SQDMULH, multiply_high(*this, integer_element(f), OPS_16_32(VSatDoubleMulHigh)))
BOTH(SQRDMULH, multiply_high(*this, integer_element(f), OPS_16_32(VSatRoundDoubleMulHigh)))
BOTH(SQRDMLAH, multiply_add_high(*this, integer_element(f), OPS_16_32(VSatRoundDoubleMulAddHigh)))
BOTH(SQRDMLSH, multiply_add_high(*this, integer_element(f), OPS_16_32(VSatRoundDoubleMulSubHigh)))

#define FLOAT(row, ...)                                                                            \
    BOTH(row, __VA_ARGS__)                                                                         \
    ROW(row##_elem_half, __VA_ARGS__)                                                              \
    ROW(row##_sisd_elem_half, __VA_ARGS__)
FLOAT(FMLA, float_multiply_add(*this, float_element(f), false))
FLOAT(FMLS, float_multiply_add(*this, float_element(f), true))
FLOAT(FMUL, float_multiply(*this, float_element(f), OPS_FLOAT(VFMul), FLOAT_OPS(FMul)))
FLOAT(FMULX, float_multiply(*this, float_element(f), OPS_FLOAT(VFMulX), FLOAT_OPS(FMulX)))
#undef FLOAT
#undef BOTH

ROW(FMLAL_elem, multiply_add_long(*this, by_element(f, 1), false, false))
ROW(FMLSL_elem, multiply_add_long(*this, by_element(f, 1), true, false))
ROW(FMLAL2_elem, multiply_add_long(*this, by_element(f, 1), false, true))
ROW(FMLSL2_elem, multiply_add_long(*this, by_element(f, 1), true, true))
ROW(SDOT_elem, dot_product(*this, by_element(f, 2), &ir::Builder::VDotS))
ROW(UDOT_elem, dot_product(*this, by_element(f, 2), &ir::Builder::VDotU))
ROW(USDOT_elem, dot_product(*this, by_element(f, 2), &ir::Builder::VDotUS))
ROW(BFDOT_elem, dot_product(*this, by_element(f, 2), &ir::Builder::VFDotBF16, fp_mode()))
#undef ROW

bool Translator::SUDOT_elem(Fields<Row::SUDOT_elem> f) {
    // Vn is signed, the element unsigned.
    const ByElement regs = by_element(f, 2);
    set_v(regs.d, b.VDotUS(v(regs.d), dup_element(*this, regs.m, 2, regs.index), v(regs.n)),
          regs.q);
    return true;
}

bool Translator::BFMLAL_elem(Fields<Row::BFMLAL_elem> f) {
    // Q chooses the even (BFMLALB) or the odd (BFMLALT) elements of Vn.
    const ByElement regs = by_element(f, 1);
    set_v(regs.d,
          b.VFMulAddLongBF16(v(regs.d), v(regs.n), dup_element(*this, regs.m, 1, regs.index),
                             fp_mode() | u64{f.Q()} << 8));
    return true;
}

bool Translator::FCMLA_half_elem(Fields<Row::FCMLA_half_elem> f) {
    if (!has(Feature::FP16) || (f.H() == 1 && f.Q() == 0)) return false;
    return complex_multiply_add(*this, by_element(f, 2), 1, f.r());
}
bool Translator::FCMLA_single_elem(Fields<Row::FCMLA_single_elem> f) {
    const ByElement pair = by_element(f, 3);
    return pair.allocated && complex_multiply_add(*this, pair, 2, f.r());
}

} // namespace tandem::arm::a64
