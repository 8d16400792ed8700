// Advanced SIMD: vector floating point, but for the forms by indexed element.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// For operations of two operands of which 0 op 0 raises an exception.
bool doubled_op(Translator &t, Vector f, const Lanes2 &op) {
    if (!is_arrangement(f.q, f.size)) return false;
    t.set_v(
        f.d,
        (t.b.*op[f.size])(doubled_operand(t, f.n, f.q), doubled_operand(t, f.m, f.q), t.fp_mode()),
        f.q);
    return true;
}
bool doubled_op(Translator &t, Vector f, const Lanes1 &op) {
    if (!is_arrangement(f.q, f.size)) return false;
    t.set_v(f.d, (t.b.*op[f.size])(doubled_operand(t, f.n, f.q), t.fp_mode()), f.q);
    return true;
}

/// FMLA, FMLS (which negates Vn first).
bool multiply_add(Translator &t, Vector f, bool subtract) {
    if (!is_arrangement(f.q, f.size)) return false;
    constexpr Lanes3 fused = OPS_FLOAT(VFMulAdd);
    constexpr Lanes1 negate = OPS_FLOAT(VFNeg);
    ir::V128 n = vector_operand(t, f.n, f.q);
    if (subtract) n = (t.b.*negate[f.size])(n, 0);
    t.set_v(f.d,
            (t.b.*fused[f.size])(vector_operand(t, f.d, f.q), n, vector_operand(t, f.m, f.q),
                                 t.fp_mode()),
            f.q);
    return true;
}

/// Pairs of Vm:Vn; of 64-bit vectors the result is computed twice.
bool pairwise(Translator &t, Vector f, const Lanes2 &op) {
    if (!is_arrangement(f.q, f.size)) return false;
    if (f.q) {
        t.set_v(f.d, (t.b.*op[f.size])(t.v(f.n), t.v(f.m), t.fp_mode()));
    } else {
        const ir::V128 pairs = t.b.VMergeHigh64(t.v(f.n), t.v(f.m));
        t.set_v(f.d, (t.b.*op[f.size])(pairs, pairs, t.fp_mode()), false);
    }
    return true;
}

/// Comparisons with +0.0; `swapped` makes zero the first operand.
bool compare_zero(Translator &t, Vector f, const Lanes2 &op, bool swapped) {
    if (!is_arrangement(f.q, f.size)) return false;
    const ir::V128 n = vector_operand(t, f.n, f.q);
    const ir::V128 zero = t.b.VZero();
    t.set_v(f.d, (t.b.*op[f.size])(swapped ? zero : n, swapped ? n : zero, t.fp_mode()), f.q);
    return true;
}

/// FMAXV and its relatives. Reduce() of the shared pseudocode halves recursively, which is a
/// sequence of pairwise operations; lanes that repeat others raise no further exceptions.
bool across(Translator &t, Vector f, const Lanes2 &op) {
    if (f.size == 3 || (f.size == 2 && !f.q)) return false;
    ir::V128 value = doubled_operand(t, f.n, f.q);
    for (unsigned lanes = (f.q ? 16u : 8u) >> f.size; lanes > 1; lanes /= 2)
        value = (t.b.*op[f.size])(value, value, t.fp_mode());
    set_scalar(t, f.d, f.size, value);
    return true;
}

/// FMLAL, FMLSL and the forms for the second half of the sources.
bool multiply_add_long(Translator &t, Vector f, bool subtract, bool second_part) {
    ir::V128 n, m;
    if (f.q) {
        n = half_operand(t, f.n, second_part);
        m = half_operand(t, f.m, second_part);
    } else { // two halves of each source, zero-extended
        n = t.b.VFromF32(t.b.VToF32(t.v(f.n), second_part ? 1 : 0));
        m = t.b.VFromF32(t.b.VToF32(t.v(f.m), second_part ? 1 : 0));
    }
    if (subtract) n = t.b.VFNeg16(n);
    t.set_v(f.d, t.b.VFMulAddLong(vector_operand(t, f.d, f.q), n, m, t.fp_mode()), f.q);
    return true;
}

/// FCMLA and FCADD: reserved sizes, and FEAT_FP16 for halves.
bool is_complex_arrangement(const Translator &t, Vector f) {
    return f.size != 0 && is_arrangement(f.q, f.size) && (f.size != 1 || t.has(Feature::FP16));
}

} // namespace

// Every operation has a row for singles and doubles and one for halves.
#define BOTH(row, ...)                                                                             \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }                                                                                              \
    bool Translator::row##_half(Fields<Row::row##_half> f) {                                       \
        return __VA_ARGS__;                                                                        \
    }

#define TWO_OPERANDS(row, op)                                                                      \
    BOTH(row, vector_fp_op(*this, vector(f), Lanes2 OPS_FLOAT(op), fp_mode()))
TWO_OPERANDS(FADD_vec, VFAdd)
TWO_OPERANDS(FSUB_vec, VFSub)
TWO_OPERANDS(FMUL_vec, VFMul)
TWO_OPERANDS(FMULX_vec, VFMulX)
TWO_OPERANDS(FABD_vec, VFAbsDiff)
TWO_OPERANDS(FMAX_vec, VFMax)
TWO_OPERANDS(FMIN_vec, VFMin)
TWO_OPERANDS(FMAXNM_vec, VFMaxNum)
TWO_OPERANDS(FMINNM_vec, VFMinNum)
TWO_OPERANDS(FRECPS_vec, VFRecipStep)
TWO_OPERANDS(FRSQRTS_vec, VFRSqrtStep)
TWO_OPERANDS(FCMEQ_reg_vec, VFCompareEqual)
TWO_OPERANDS(FCMGE_reg_vec, VFCompareGreaterEqual)
TWO_OPERANDS(FCMGT_reg_vec, VFCompareGreater)
TWO_OPERANDS(FACGE_vec, VFCompareAbsGreaterEqual)
TWO_OPERANDS(FACGT_vec, VFCompareAbsGreater)
#undef TWO_OPERANDS

BOTH(FDIV_vec, doubled_op(*this, vector(f), Lanes2 OPS_FLOAT(VFDiv)))
BOTH(FRECPE_vec, doubled_op(*this, vector(f), Lanes1 OPS_FLOAT(VFRecipEstimate)))
BOTH(FRSQRTE_vec, doubled_op(*this, vector(f), Lanes1 OPS_FLOAT(VFRSqrtEstimate)))
BOTH(FMLA_vec, multiply_add(*this, vector(f), false))
BOTH(FMLS_vec, multiply_add(*this, vector(f), true))
BOTH(FADDP_vec, pairwise(*this, vector(f), OPS_FLOAT(VFAddPairwise)))
BOTH(FMAXP_vec, pairwise(*this, vector(f), OPS_FLOAT(VFMaxPairwise)))
BOTH(FMINP_vec, pairwise(*this, vector(f), OPS_FLOAT(VFMinPairwise)))
BOTH(FMAXNMP_vec, pairwise(*this, vector(f), OPS_FLOAT(VFMaxNumPairwise)))
BOTH(FMINNMP_vec, pairwise(*this, vector(f), OPS_FLOAT(VFMinNumPairwise)))
BOTH(FMAXV, across(*this, vector(f), OPS_FLOAT(VFMaxPairwise)))
BOTH(FMINV, across(*this, vector(f), OPS_FLOAT(VFMinPairwise)))
BOTH(FMAXNMV, across(*this, vector(f), OPS_FLOAT(VFMaxNumPairwise)))
BOTH(FMINNMV, across(*this, vector(f), OPS_FLOAT(VFMinNumPairwise)))
BOTH(FCMEQ_zero_vec, compare_zero(*this, vector(f), OPS_FLOAT(VFCompareEqual), false))
BOTH(FCMGE_zero_vec, compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreaterEqual), false))
BOTH(FCMGT_zero_vec, compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreater), false))
BOTH(FCMLE_zero_vec, compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreaterEqual), true))
BOTH(FCMLT_zero_vec, compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreater), true))
BOTH(FABS_vec, vector_op(*this, vector(f), Lanes1 OPS_FLOAT(VFAbs)))
BOTH(FNEG_vec, vector_op(*this, vector(f), Lanes1 OPS_FLOAT(VFNeg)))

#define ONE_OPERAND(row, op, imm)                                                                  \
    BOTH(row, vector_fp_op(*this, vector(f), Lanes1 OPS_FLOAT(op), imm))
ONE_OPERAND(FSQRT_vec, VFSqrt, fp_mode())
ONE_OPERAND(FRINTN_vec, VFRound, rounding_imm(*this, Rounding::NearestEven))
ONE_OPERAND(FRINTP_vec, VFRound, rounding_imm(*this, Rounding::PlusInf))
ONE_OPERAND(FRINTM_vec, VFRound, rounding_imm(*this, Rounding::MinusInf))
ONE_OPERAND(FRINTZ_vec, VFRound, rounding_imm(*this, Rounding::Zero))
ONE_OPERAND(FRINTA_vec, VFRound, rounding_imm(*this, Rounding::NearestAway))
ONE_OPERAND(FRINTX_vec, VFRound, rounding_imm(*this, current_rounding(*this)) | kRaiseInexact)
ONE_OPERAND(FRINTI_vec, VFRound, rounding_imm(*this, current_rounding(*this)))
ONE_OPERAND(FCVTNS_vec, VFToS, rounding_imm(*this, Rounding::NearestEven))
ONE_OPERAND(FCVTNU_vec, VFToU, rounding_imm(*this, Rounding::NearestEven))
ONE_OPERAND(FCVTAS_vec, VFToS, rounding_imm(*this, Rounding::NearestAway))
ONE_OPERAND(FCVTAU_vec, VFToU, rounding_imm(*this, Rounding::NearestAway))
ONE_OPERAND(FCVTPS_vec, VFToS, rounding_imm(*this, Rounding::PlusInf))
ONE_OPERAND(FCVTPU_vec, VFToU, rounding_imm(*this, Rounding::PlusInf))
ONE_OPERAND(FCVTMS_vec, VFToS, rounding_imm(*this, Rounding::MinusInf))
ONE_OPERAND(FCVTMU_vec, VFToU, rounding_imm(*this, Rounding::MinusInf))
ONE_OPERAND(FCVTZS_int_vec, VFToS, rounding_imm(*this, Rounding::Zero))
ONE_OPERAND(FCVTZU_int_vec, VFToU, rounding_imm(*this, Rounding::Zero))
ONE_OPERAND(SCVTF_int_vec, VSToF, fp_mode())
ONE_OPERAND(UCVTF_int_vec, VUToF, fp_mode())
#undef ONE_OPERAND
#undef BOTH

#define ROUND_INT(row, imm)                                                                        \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return vector_fp_op(*this, vector(f), Lanes1 OPS_FLOAT(VFRoundInt), imm);                  \
    }
ROUND_INT(FRINT32Z_vec, rounding_imm(*this, Rounding::Zero))
ROUND_INT(FRINT32X_vec, rounding_imm(*this, current_rounding(*this)))
ROUND_INT(FRINT64Z_vec, rounding_imm(*this, Rounding::Zero) | kRoundTo64Bits)
ROUND_INT(FRINT64X_vec, rounding_imm(*this, current_rounding(*this)) | kRoundTo64Bits)
#undef ROUND_INT

#define MULTIPLY_ADD_LONG(row, subtract, second_part)                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return multiply_add_long(*this, vector(f), subtract, second_part);                         \
    }
MULTIPLY_ADD_LONG(FMLAL_vec, false, false)
MULTIPLY_ADD_LONG(FMLSL_vec, true, false)
MULTIPLY_ADD_LONG(FMLAL2_vec, false, true)
MULTIPLY_ADD_LONG(FMLSL2_vec, true, true)
#undef MULTIPLY_ADD_LONG

bool Translator::BFMLAL_vec(Fields<Row::BFMLAL_vec> f) {
    // Q chooses the even (BFMLALB) or the odd (BFMLALT) elements.
    set_v(f.d(), b.VFMulAddLongBF16(v(f.d()), v(f.n()), v(f.m()), fp_mode() | u64{f.Q()} << 8));
    return true;
}

bool Translator::FCMLA_vec(Fields<Row::FCMLA_vec> f) {
    const Vector regs = vector(f);
    if (!is_complex_arrangement(*this, regs)) return false;
    constexpr Lanes3 op = OPS_FLOAT(VFComplexMulAdd);
    set_v(regs.d,
          (b.*op[regs.size])(vector_operand(*this, regs.d, regs.q),
                             vector_operand(*this, regs.n, regs.q),
                             vector_operand(*this, regs.m, regs.q), fp_mode() | u64{f.r()} << 8),
          regs.q);
    return true;
}
bool Translator::FCADD_vec(Fields<Row::FCADD_vec> f) {
    const Vector regs = vector(f);
    return is_complex_arrangement(*this, regs) &&
           vector_fp_op(*this, regs, Lanes2 OPS_FLOAT(VFComplexAdd), fp_mode() | u64{f.r()} << 8);
}

bool Translator::FCVTL_vec(Fields<Row::FCVTL_vec> f) {
    const ir::V128 n = half_operand(*this, f.n(), f.Q() != 0);
    set_v(f.d(), f.z() == 0 ? b.VFWiden16(n, fp_mode()) : b.VFWiden32(n, fp_mode()));
    return true;
}
bool Translator::FCVTN_vec(Fields<Row::FCVTN_vec> f) {
    const ir::V128 n = v(f.n());
    set_narrowed(*this, f.d(), f.Q() != 0,
                 f.z() == 0 ? b.VFNarrow16(n, fp_mode()) : b.VFNarrow32(n, fp_mode()));
    return true;
}
bool Translator::FCVTXN_vec(Fields<Row::FCVTXN_vec> f) {
    if (f.z() == 0) return false;
    set_narrowed(*this, f.d(), f.Q() != 0, b.VFNarrowOdd32(v(f.n()), fp_mode()));
    return true;
}
bool Translator::BFCVTN_vec(Fields<Row::BFCVTN_vec> f) {
    set_narrowed(*this, f.d(), f.Q() != 0, b.VFNarrowBF16(v(f.n()), fp_mode()));
    return true;
}

} // namespace tandem::arm::a64
