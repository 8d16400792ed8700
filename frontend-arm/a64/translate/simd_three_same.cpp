// Advanced SIMD: three registers of the same type, integer.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// A pairwise operation takes its pairs from Vm:Vn; of 64-bit vectors, from their low halves.
bool pairwise(Translator &t, Vector f, const Lanes2 &op) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    if (f.q) {
        t.set_v(f.d, (t.b.*op[f.size])(t.v(f.n), t.v(f.m), 0));
    } else {
        const ir::V128 pairs = t.b.VMergeHigh64(t.v(f.n), t.v(f.m));
        t.set_v(f.d, (t.b.*op[f.size])(pairs, pairs, 0), false);
    }
    return true;
}

/// Vd = combine(Vd, op(Vn, Vm)).
bool accumulate(Translator &t, Vector f, const Lanes2 &combine, const Lanes2 &op) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    const ir::V128 value = (t.b.*op[f.size])(t.v(f.n), t.v(f.m), 0);
    t.set_v(f.d, (t.b.*combine[f.size])(t.v(f.d), value, 0), f.q);
    return true;
}

bool multiply_add_high(Translator &t, Vector f, const Lanes3 &op) {
    if (op[f.size] == nullptr) return false;
    t.set_v(f.d,
            (t.b.*op[f.size])(vector_operand(t, f.d, f.q), vector_operand(t, f.n, f.q),
                              vector_operand(t, f.m, f.q), t.fp_mode()),
            f.q);
    return true;
}

/// Dot products and matrix multiplications: Vd += op(Vn, Vm).
bool dot_product(Translator &t, Vector f, Op3 op, u64 imm = 0) {
    t.set_v(f.d, (t.b.*op)(t.v(f.d), t.v(f.n), t.v(f.m), imm), f.q);
    return true;
}

} // namespace

#define PURE_OP(row, ops)                                                                          \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return vector_op(*this, vector(f), Lanes2 ops);                                            \
    }
PURE_OP(SHADD_vec, OPS_TO_32(VHalvingAddS))
PURE_OP(UHADD_vec, OPS_TO_32(VHalvingAddU))
PURE_OP(SRHADD_vec, OPS_TO_32(VRoundHalvingAddS))
PURE_OP(URHADD_vec, OPS_TO_32(VRoundHalvingAddU))
PURE_OP(SHSUB_vec, OPS_TO_32(VHalvingSubS))
PURE_OP(UHSUB_vec, OPS_TO_32(VHalvingSubU))
PURE_OP(CMGT_reg_vec, OPS(VCompareGreaterS))
PURE_OP(CMGE_reg_vec, OPS(VCompareGreaterEqualS))
PURE_OP(CMHI_reg_vec, OPS(VCompareGreaterU))
PURE_OP(CMHS_reg_vec, OPS(VCompareGreaterEqualU))
PURE_OP(CMEQ_reg_vec, OPS(VCompareEqual))
PURE_OP(CMTST_vec, OPS(VCompareTest))
PURE_OP(SSHL_vec, OPS(VShlS))
PURE_OP(USHL_vec, OPS(VShlU))
PURE_OP(SRSHL_vec, OPS(VRoundShlS))
PURE_OP(URSHL_vec, OPS(VRoundShlU))
PURE_OP(SMAX_vec, OPS_TO_32(VMaxS))
PURE_OP(UMAX_vec, OPS_TO_32(VMaxU))
PURE_OP(SMIN_vec, OPS_TO_32(VMinS))
PURE_OP(UMIN_vec, OPS_TO_32(VMinU))
PURE_OP(SABD_vec, OPS_TO_32(VAbsDiffS))
PURE_OP(UABD_vec, OPS_TO_32(VAbsDiffU))
PURE_OP(ADD_vec, OPS(VAdd))
PURE_OP(SUB_vec, OPS(VSub))
PURE_OP(MUL_vec, OPS_TO_32(VMul))
PURE_OP(PMUL_vec, OPS_8(VPolyMul))
#undef PURE_OP

#define SATURATING(row, ops)                                                                       \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return vector_fp_op(*this, vector(f), Lanes2 ops, fp_mode());                              \
    }
SATURATING(SQADD_vec, OPS(VSatAddS))
SATURATING(UQADD_vec, OPS(VSatAddU))
SATURATING(SQSUB_vec, OPS(VSatSubS))
SATURATING(UQSUB_vec, OPS(VSatSubU))
SATURATING(SQSHL_reg_vec, OPS(VSatShlS))
SATURATING(UQSHL_reg_vec, OPS(VSatShlU))
SATURATING(SQRSHL_vec, OPS(VSatRoundShlS))
SATURATING(UQRSHL_vec, OPS(VSatRoundShlU))
SATURATING(SQDMULH_vec, OPS_16_32(VSatDoubleMulHigh))
SATURATING(SQRDMULH_vec, OPS_16_32(VSatRoundDoubleMulHigh))
#undef SATURATING

#define PAIRWISE(row, ops)                                                                         \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return pairwise(*this, vector(f), Lanes2 ops);                                             \
    }
PAIRWISE(ADDP_vec, OPS(VAddPairwise))
PAIRWISE(SMAXP_vec, OPS_TO_32(VMaxPairwiseS))
PAIRWISE(UMAXP_vec, OPS_TO_32(VMaxPairwiseU))
PAIRWISE(SMINP_vec, OPS_TO_32(VMinPairwiseS))
PAIRWISE(UMINP_vec, OPS_TO_32(VMinPairwiseU))
#undef PAIRWISE

#define ACCUMULATE(row, combine, ops)                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return accumulate(*this, vector(f), Lanes2 OPS(combine), Lanes2 ops);                      \
    }
ACCUMULATE(SABA_vec, VAdd, OPS_TO_32(VAbsDiffS))
ACCUMULATE(UABA_vec, VAdd, OPS_TO_32(VAbsDiffU))
ACCUMULATE(MLA_vec, VAdd, OPS_TO_32(VMul))
ACCUMULATE(MLS_vec, VSub, OPS_TO_32(VMul))
#undef ACCUMULATE

bool Translator::AND_vec(Fields<Row::AND_vec> f) {
    set_v(f.d(), b.VAnd(v(f.n()), v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::BIC_reg_vec(Fields<Row::BIC_reg_vec> f) {
    set_v(f.d(), b.VAndNot(v(f.n()), v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::ORR_reg_vec(Fields<Row::ORR_reg_vec> f) {
    // MOV (vector) is the form with equal operands.
    const ir::V128 n = v(f.n());
    set_v(f.d(), f.n() == f.m() ? n : b.VOr(n, v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::ORN_vec(Fields<Row::ORN_vec> f) {
    set_v(f.d(), b.VOrNot(v(f.n()), v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::EOR_vec(Fields<Row::EOR_vec> f) {
    set_v(f.d(), b.VXor(v(f.n()), v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::BSL_vec(Fields<Row::BSL_vec> f) {
    set_v(f.d(), b.VSelect(v(f.n()), v(f.m()), v(f.d())), f.Q() != 0);
    return true;
}
bool Translator::BIT_vec(Fields<Row::BIT_vec> f) {
    set_v(f.d(), b.VSelect(v(f.n()), v(f.d()), v(f.m())), f.Q() != 0);
    return true;
}
bool Translator::BIF_vec(Fields<Row::BIF_vec> f) {
    set_v(f.d(), b.VSelect(v(f.d()), v(f.n()), v(f.m())), f.Q() != 0);
    return true;
}

bool Translator::SQRDMLAH_vec(Fields<Row::SQRDMLAH_vec> f) {
    return multiply_add_high(*this, vector(f), OPS_16_32(VSatRoundDoubleMulAddHigh));
}
bool Translator::SQRDMLSH_vec(Fields<Row::SQRDMLSH_vec> f) {
    return multiply_add_high(*this, vector(f), OPS_16_32(VSatRoundDoubleMulSubHigh));
}

#define DOT(row, op, ...)                                                                          \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return dot_product(*this, vector(f), &ir::Builder::op __VA_OPT__(, ) __VA_ARGS__);         \
    }
DOT(SDOT_vec, VDotS)
DOT(UDOT_vec, VDotU)
DOT(USDOT_vec, VDotUS)
DOT(SMMLA_vec, VMatMulS)
DOT(UMMLA_vec, VMatMulU)
DOT(USMMLA_vec, VMatMulUS)
DOT(BFDOT_vec, VFDotBF16, fp_mode())
DOT(BFMMLA_vec, VFMatMulBF16, fp_mode())
#undef DOT

} // namespace tandem::arm::a64
