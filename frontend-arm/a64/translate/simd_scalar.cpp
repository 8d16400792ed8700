// Advanced SIMD scalar: three registers of the same type, two registers, pairwise.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// Operations on D registers: lane 0 of the vector operation.
bool doubleword(Translator &t, Vector f, Op2 op) {
    if (f.size != 3) return false;
    t.set_v(f.d, (t.b.*op)(t.v(f.n), t.v(f.m), 0), false);
    return true;
}
bool doubleword(Translator &t, Vector f, Op1 op) {
    if (f.size != 3) return false;
    t.set_v(f.d, (t.b.*op)(t.v(f.n), 0), false);
    return true;
}
bool compare_zero(Translator &t, Vector f, Op2 op, bool swapped) {
    if (f.size != 3) return false;
    const ir::V128 n = t.v(f.n);
    const ir::V128 zero = t.b.VZero();
    t.set_v(f.d, (t.b.*op)(swapped ? zero : n, swapped ? n : zero, 0), false);
    return true;
}

/// Saturating operations; the lanes beyond the scalar are zero, stay zero and do not saturate.
bool saturating(Translator &t, Vector f, const Lanes2 &op) {
    if (op[f.size] == nullptr) return false;
    t.set_v(f.d, (t.b.*op[f.size])(scalar_operand(t, f.n, f.size), scalar_operand(t, f.m, f.size),
                                   t.fp_mode()));
    return true;
}
bool saturating(Translator &t, Vector f, const Lanes1 &op) {
    t.set_v(f.d, (t.b.*op[f.size])(scalar_operand(t, f.n, f.size), t.fp_mode()));
    return true;
}
/// SUQADD, USQADD: the accumulator is the first operand.
bool saturating_accumulate(Translator &t, Vector f, const Lanes2 &op) {
    return saturating(t, {true, f.size, f.d, f.d, f.n}, op);
}
bool multiply_add_high(Translator &t, Vector f, const Lanes3 &op) {
    if (op[f.size] == nullptr) return false;
    t.set_v(f.d, (t.b.*op[f.size])(scalar_operand(t, f.d, f.size), scalar_operand(t, f.n, f.size),
                                   scalar_operand(t, f.m, f.size), t.fp_mode()));
    return true;
}
bool narrow(Translator &t, Vector f, const Lanes1 &op) {
    if (op[f.size] == nullptr) return false;
    t.set_v(f.d, (t.b.*op[f.size])(scalar_operand(t, f.n, f.size + 1), t.fp_mode()));
    return true;
}

/// Comparisons give a mask, so the vector operation serves; its other lanes compare zeros.
bool compare(Translator &t, Vector f, const Lanes2 &op) {
    set_scalar(t, f.d, f.size,
               (t.b.*op[f.size])(scalar_operand(t, f.n, f.size), scalar_operand(t, f.m, f.size),
                                 t.fp_mode()));
    return true;
}
bool float_compare_zero(Translator &t, Vector f, const Lanes2 &op, bool swapped) {
    const ir::V128 n = scalar_operand(t, f.n, f.size);
    const ir::V128 zero = t.b.VZero();
    set_scalar(t, f.d, f.size,
               (t.b.*op[f.size])(swapped ? zero : n, swapped ? n : zero, t.fp_mode()));
    return true;
}

enum class Signedness : bool { Unsigned, Signed };

/// FCVT* between registers of the same width.
bool to_int(Translator &t, Vector f, Signedness sign, Rounding rounding) {
    const u64 imm = rounding_imm(t, rounding);
    const bool is_signed = sign == Signedness::Signed;
    ir::Builder &b = t.b;
    if (f.size == 1) {
        const ir::F16 n = t.h(f.n);
        t.set_h(f.d, b.ToF16(is_signed ? b.FToS16Half(n, imm) : b.FToU16Half(n, imm)));
    } else if (f.size == 2) {
        const ir::F32 n = t.s(f.n);
        t.set_s(f.d, b.ToF32(is_signed ? b.FToS3232(n, imm) : b.FToU3232(n, imm)));
    } else {
        const ir::F64 n = t.d(f.n);
        t.set_d(f.d, b.ToF64(is_signed ? b.FToS6464(n, imm) : b.FToU6464(n, imm)));
    }
    return true;
}

/// SCVTF, UCVTF.
bool from_int(Translator &t, Vector f, Signedness sign) {
    const u64 imm = t.fp_mode();
    const bool is_signed = sign == Signedness::Signed;
    ir::Builder &b = t.b;
    if (f.size == 1) {
        const ir::I64 n = b.FromF16(t.h(f.n));
        t.set_h(f.d, is_signed ? b.S16ToHalf(n, imm) : b.U16ToHalf(n, imm));
    } else if (f.size == 2) {
        const ir::I32 n = b.FromF32(t.s(f.n));
        t.set_s(f.d, is_signed ? b.S32ToF32(n, imm) : b.U32ToF32(n, imm));
    } else {
        const ir::I64 n = b.FromF64(t.d(f.n));
        t.set_d(f.d, is_signed ? b.S64ToF64(n, imm) : b.U64ToF64(n, imm));
    }
    return true;
}

/// Vd = op(element 0 of Vn, element 1 of Vn).
bool pairwise(Translator &t, Vector f, Float2 op) {
    const ir::V128 n = t.v(f.n);
    const u64 imm = t.fp_mode();
    ir::Builder &b = t.b;
    if (f.size == 1)
        t.set_h(f.d, (b.*op.half)(b.VToF16(n, 0), b.VToF16(n, 1), imm));
    else if (f.size == 2)
        t.set_s(f.d, (b.*op.single)(b.VToF32(n, 0), b.VToF32(n, 1), imm));
    else
        t.set_d(f.d, (b.*op.double_)(b.VToF64(n, 0), b.VToF64(n, 1), imm));
    return true;
}

} // namespace

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }
#define DOUBLEWORD(row, op) ROW(row, doubleword(*this, vector(f), &ir::Builder::op))
DOUBLEWORD(ADD_sisd, VAdd64)
DOUBLEWORD(SUB_sisd, VSub64)
DOUBLEWORD(CMGT_reg_sisd, VCompareGreaterS64)
DOUBLEWORD(CMGE_reg_sisd, VCompareGreaterEqualS64)
DOUBLEWORD(CMHI_reg_sisd, VCompareGreaterU64)
DOUBLEWORD(CMHS_reg_sisd, VCompareGreaterEqualU64)
DOUBLEWORD(CMEQ_reg_sisd, VCompareEqual64)
DOUBLEWORD(CMTST_sisd, VCompareTest64)
DOUBLEWORD(SSHL_sisd, VShlS64)
DOUBLEWORD(USHL_sisd, VShlU64)
DOUBLEWORD(SRSHL_sisd, VRoundShlS64)
DOUBLEWORD(URSHL_sisd, VRoundShlU64)
DOUBLEWORD(ABS_sisd, VAbs64)
DOUBLEWORD(NEG_sisd, VNeg64)
#undef DOUBLEWORD
ROW(CMGT_zero_sisd, compare_zero(*this, vector(f), &ir::Builder::VCompareGreaterS64, false))
ROW(CMGE_zero_sisd, compare_zero(*this, vector(f), &ir::Builder::VCompareGreaterEqualS64, false))
ROW(CMEQ_zero_sisd, compare_zero(*this, vector(f), &ir::Builder::VCompareEqual64, false))
ROW(CMLE_zero_sisd, compare_zero(*this, vector(f), &ir::Builder::VCompareGreaterEqualS64, true))
ROW(CMLT_zero_sisd, compare_zero(*this, vector(f), &ir::Builder::VCompareGreaterS64, true))

ROW(SQADD_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatAddS)))
ROW(UQADD_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatAddU)))
ROW(SQSUB_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatSubS)))
ROW(UQSUB_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatSubU)))
ROW(SQSHL_reg_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatShlS)))
ROW(UQSHL_reg_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatShlU)))
ROW(SQRSHL_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatRoundShlS)))
ROW(UQRSHL_sisd, saturating(*this, vector(f), Lanes2 OPS(VSatRoundShlU)))
ROW(SQDMULH_sisd, saturating(*this, vector(f), Lanes2 OPS_16_32(VSatDoubleMulHigh)))
ROW(SQRDMULH_sisd, saturating(*this, vector(f), Lanes2 OPS_16_32(VSatRoundDoubleMulHigh)))
ROW(SQRDMLAH_sisd, multiply_add_high(*this, vector(f), OPS_16_32(VSatRoundDoubleMulAddHigh)))
ROW(SQRDMLSH_sisd, multiply_add_high(*this, vector(f), OPS_16_32(VSatRoundDoubleMulSubHigh)))
ROW(SQABS_sisd, saturating(*this, vector(f), Lanes1 OPS(VSatAbs)))
ROW(SQNEG_sisd, saturating(*this, vector(f), Lanes1 OPS(VSatNeg)))
ROW(SUQADD_sisd, saturating_accumulate(*this, vector(f), OPS(VSatAddSU)))
ROW(USQADD_sisd, saturating_accumulate(*this, vector(f), OPS(VSatAddUS)))
ROW(SQXTN_sisd, narrow(*this, vector(f), OPS_TO_32(VNarrowSatS)))
ROW(UQXTN_sisd, narrow(*this, vector(f), OPS_TO_32(VNarrowSatU)))
ROW(SQXTUN_sisd, narrow(*this, vector(f), OPS_TO_32(VNarrowSatSU)))

// Floating-point operations have a row for singles and doubles and one for halves.
#define FLOAT(row, ...)                                                                            \
    ROW(row, __VA_ARGS__)                                                                          \
    ROW(row##_half, __VA_ARGS__)
#define TWO_OPERANDS(row, op)                                                                      \
    FLOAT(row,                                                                                     \
          float_op(*this, vector(f).size, f.d(), f.n(), f.m(), Float2 FLOAT_OPS(op), fp_mode()))
TWO_OPERANDS(FMULX_sisd, FMulX)
TWO_OPERANDS(FABD_sisd, FAbsDiff)
TWO_OPERANDS(FRECPS_sisd, FRecipStep)
TWO_OPERANDS(FRSQRTS_sisd, FRSqrtStep)
#undef TWO_OPERANDS
#define ONE_OPERAND(row, op)                                                                       \
    FLOAT(row, float_op(*this, vector(f).size, f.d(), f.n(), Float1 FLOAT_OPS(op), fp_mode()))
ONE_OPERAND(FRECPE_sisd, FRecipEstimate)
ONE_OPERAND(FRECPX_sisd, FRecipExponent)
ONE_OPERAND(FRSQRTE_sisd, FRSqrtEstimate)
#undef ONE_OPERAND
FLOAT(FCMEQ_reg_sisd, compare(*this, vector(f), OPS_FLOAT(VFCompareEqual)))
FLOAT(FCMGE_reg_sisd, compare(*this, vector(f), OPS_FLOAT(VFCompareGreaterEqual)))
FLOAT(FCMGT_reg_sisd, compare(*this, vector(f), OPS_FLOAT(VFCompareGreater)))
FLOAT(FACGE_sisd, compare(*this, vector(f), OPS_FLOAT(VFCompareAbsGreaterEqual)))
FLOAT(FACGT_sisd, compare(*this, vector(f), OPS_FLOAT(VFCompareAbsGreater)))
FLOAT(FCMEQ_zero_sisd, float_compare_zero(*this, vector(f), OPS_FLOAT(VFCompareEqual), false))
FLOAT(FCMGE_zero_sisd,
      float_compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreaterEqual), false))
FLOAT(FCMGT_zero_sisd, float_compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreater), false))
FLOAT(FCMLE_zero_sisd, float_compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreaterEqual), true))
FLOAT(FCMLT_zero_sisd, float_compare_zero(*this, vector(f), OPS_FLOAT(VFCompareGreater), true))
FLOAT(FCVTNS_sisd, to_int(*this, vector(f), Signedness::Signed, Rounding::NearestEven))
FLOAT(FCVTNU_sisd, to_int(*this, vector(f), Signedness::Unsigned, Rounding::NearestEven))
FLOAT(FCVTAS_sisd, to_int(*this, vector(f), Signedness::Signed, Rounding::NearestAway))
FLOAT(FCVTAU_sisd, to_int(*this, vector(f), Signedness::Unsigned, Rounding::NearestAway))
FLOAT(FCVTPS_sisd, to_int(*this, vector(f), Signedness::Signed, Rounding::PlusInf))
FLOAT(FCVTPU_sisd, to_int(*this, vector(f), Signedness::Unsigned, Rounding::PlusInf))
FLOAT(FCVTMS_sisd, to_int(*this, vector(f), Signedness::Signed, Rounding::MinusInf))
FLOAT(FCVTMU_sisd, to_int(*this, vector(f), Signedness::Unsigned, Rounding::MinusInf))
FLOAT(FCVTZS_int_sisd, to_int(*this, vector(f), Signedness::Signed, Rounding::Zero))
FLOAT(FCVTZU_int_sisd, to_int(*this, vector(f), Signedness::Unsigned, Rounding::Zero))
FLOAT(SCVTF_int_sisd, from_int(*this, vector(f), Signedness::Signed))
FLOAT(UCVTF_int_sisd, from_int(*this, vector(f), Signedness::Unsigned))

FLOAT(FADDP_pair, pairwise(*this, vector(f), FLOAT_OPS(FAdd)))
FLOAT(FMAXP_pair, pairwise(*this, vector(f), FLOAT_OPS(FMax)))
FLOAT(FMINP_pair, pairwise(*this, vector(f), FLOAT_OPS(FMin)))
FLOAT(FMAXNMP_pair, pairwise(*this, vector(f), FLOAT_OPS(FMaxNum)))
FLOAT(FMINNMP_pair, pairwise(*this, vector(f), FLOAT_OPS(FMinNum)))
#undef FLOAT
#undef ROW

bool Translator::FCVTXN_sisd(Fields<Row::FCVTXN_sisd> f) {
    if (f.z() == 0) return false;
    set_s(f.d(), b.F64ToF32Odd(d(f.n()), fp_mode()));
    return true;
}

bool Translator::ADDP_pair(Fields<Row::ADDP_pair> f) {
    if (f.z() != 3) return false;
    const ir::V128 n = v(f.n());
    set_v(f.d(), b.VAddPairwise64(n, n), false);
    return true;
}

} // namespace tandem::arm::a64
