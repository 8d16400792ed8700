// Advanced SIMD: two registers, miscellaneous, and across lanes; integer.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

bool compare_zero(Translator &t, Vector f, const Lanes2 &op, bool swapped) {
    if (!is_arrangement(f.q, f.size)) return false;
    const ir::V128 n = t.v(f.n);
    const ir::V128 zero = t.b.VZero();
    t.set_v(f.d, (t.b.*op[f.size])(swapped ? zero : n, swapped ? n : zero, 0), f.q);
    return true;
}

bool pairwise_add_long(Translator &t, Vector f, const Lanes1 &op, bool accumulate) {
    if (op[f.size] == nullptr) return false;
    constexpr Lanes2 add = OPS(VAdd);
    ir::V128 value = (t.b.*op[f.size])(t.v(f.n), 0);
    if (accumulate) value = (t.b.*add[f.size + 1])(t.v(f.d), value, 0);
    t.set_v(f.d, value, f.q);
    return true;
}

/// SUQADD, USQADD: the accumulator is the first operand.
bool accumulate_saturating(Translator &t, Vector f, const Lanes2 &op) {
    return vector_fp_op(t, {f.q, f.size, f.d, f.d, f.n}, op, t.fp_mode());
}

bool narrow(Translator &t, Vector f, const Lanes1 &op, u64 imm) {
    if (op[f.size] == nullptr) return false;
    set_narrowed(t, f.d, f.q, (t.b.*op[f.size])(t.v(f.n), imm));
    return true;
}

bool across(Translator &t, Vector f, const Lanes1 &op) {
    if (f.size == 3 || (f.size == 2 && !f.q)) return false;
    t.set_v(f.d, (t.b.*op[f.size])(t.v(f.n), (f.q ? 16u : 8u) >> f.size));
    return true;
}

} // namespace

#define PURE_OP(row, ...)                                                                          \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return vector_op(*this, vector(f), Lanes1 __VA_ARGS__);                                    \
    }
PURE_OP(CLS_vec, OPS_TO_32(VCountLeadingSigns))
PURE_OP(CLZ_vec, OPS_TO_32(VCountLeadingZeros))
PURE_OP(CNT_vec, OPS_8(VPopulation))
PURE_OP(ABS_vec, OPS(VAbs))
PURE_OP(NEG_vec, OPS(VNeg))
PURE_OP(REV16_vec, OPS_8(VReverse16_))
PURE_OP(REV32_vec, {&ir::Builder::VReverse32_8, &ir::Builder::VReverse32_16, nullptr, nullptr})
PURE_OP(REV64_vec, OPS_TO_32(VReverse64_))
#undef PURE_OP

bool Translator::URECPE_vec(Fields<Row::URECPE_vec> f) {
    if (f.z() != 0) return false;
    set_v(f.d(), b.VRecipEstimateU32(v(f.n())), f.Q() != 0);
    return true;
}
bool Translator::URSQRTE_vec(Fields<Row::URSQRTE_vec> f) {
    if (f.z() != 0) return false;
    set_v(f.d(), b.VRSqrtEstimateU32(v(f.n())), f.Q() != 0);
    return true;
}
bool Translator::NOT_vec(Fields<Row::NOT_vec> f) {
    set_v(f.d(), b.VNot(v(f.n())), f.Q() != 0);
    return true;
}
bool Translator::RBIT_vec(Fields<Row::RBIT_vec> f) {
    set_v(f.d(), b.VReverseBits8(v(f.n())), f.Q() != 0);
    return true;
}

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }
ROW(CMGT_zero_vec, compare_zero(*this, vector(f), OPS(VCompareGreaterS), false))
ROW(CMGE_zero_vec, compare_zero(*this, vector(f), OPS(VCompareGreaterEqualS), false))
ROW(CMEQ_zero_vec, compare_zero(*this, vector(f), OPS(VCompareEqual), false))
ROW(CMLE_zero_vec, compare_zero(*this, vector(f), OPS(VCompareGreaterEqualS), true))
ROW(CMLT_zero_vec, compare_zero(*this, vector(f), OPS(VCompareGreaterS), true))

ROW(SADDLP_vec, pairwise_add_long(*this, vector(f), OPS_TO_32(VPairwiseAddLongS), false))
ROW(UADDLP_vec, pairwise_add_long(*this, vector(f), OPS_TO_32(VPairwiseAddLongU), false))
ROW(SADALP_vec, pairwise_add_long(*this, vector(f), OPS_TO_32(VPairwiseAddLongS), true))
ROW(UADALP_vec, pairwise_add_long(*this, vector(f), OPS_TO_32(VPairwiseAddLongU), true))

ROW(SUQADD_vec, accumulate_saturating(*this, vector(f), OPS(VSatAddSU)))
ROW(USQADD_vec, accumulate_saturating(*this, vector(f), OPS(VSatAddUS)))
ROW(SQABS_vec, vector_fp_op(*this, vector(f), Lanes1 OPS(VSatAbs), fp_mode()))
ROW(SQNEG_vec, vector_fp_op(*this, vector(f), Lanes1 OPS(VSatNeg), fp_mode()))

ROW(XTN_vec, narrow(*this, vector(f), OPS_TO_32(VNarrow), 0))
ROW(SQXTN_vec, narrow(*this, vector(f), OPS_TO_32(VNarrowSatS), fp_mode()))
ROW(UQXTN_vec, narrow(*this, vector(f), OPS_TO_32(VNarrowSatU), fp_mode()))
ROW(SQXTUN_vec, narrow(*this, vector(f), OPS_TO_32(VNarrowSatSU), fp_mode()))

ROW(ADDV, across(*this, vector(f), OPS_TO_32(VAcrossAdd)))
ROW(SADDLV, across(*this, vector(f), OPS_TO_32(VAcrossAddLongS)))
ROW(UADDLV, across(*this, vector(f), OPS_TO_32(VAcrossAddLongU)))
ROW(SMAXV, across(*this, vector(f), OPS_TO_32(VAcrossMaxS)))
ROW(UMAXV, across(*this, vector(f), OPS_TO_32(VAcrossMaxU)))
ROW(SMINV, across(*this, vector(f), OPS_TO_32(VAcrossMinS)))
ROW(UMINV, across(*this, vector(f), OPS_TO_32(VAcrossMinU)))
#undef ROW

bool Translator::SHLL_vec(Fields<Row::SHLL_vec> f) {
    const unsigned size = f.z();
    if (size == 3) return false;
    constexpr Lanes1 widen = OPS_TO_32(VWidenU);
    constexpr Lanes1 shift = OPS(VShlImm);
    const ir::V128 wide = (b.*widen[size])(half_operand(*this, f.n(), f.Q() != 0), 0);
    set_v(f.d(), (b.*shift[size + 1])(wide, 8u << size));
    return true;
}

} // namespace tandem::arm::a64
