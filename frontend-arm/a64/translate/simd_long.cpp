// Advanced SIMD: three registers of different types, vector and scalar.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

constexpr Lanes2 kAdd = OPS(VAdd);
constexpr Lanes2 kSub = OPS(VSub);

/// Vd = combine(widened half of Vn, widened half of Vm).
bool add_long(Translator &t, Vector f, const Lanes1 &widen, const Lanes2 &combine) {
    if (f.size == 3) return false;
    const ir::V128 n = (t.b.*widen[f.size])(half_operand(t, f.n, f.q), 0);
    const ir::V128 m = (t.b.*widen[f.size])(half_operand(t, f.m, f.q), 0);
    t.set_v(f.d, (t.b.*combine[f.size + 1])(n, m, 0));
    return true;
}

/// Vd = combine(Vn, widened half of Vm).
bool add_wide(Translator &t, Vector f, const Lanes1 &widen, const Lanes2 &combine) {
    if (f.size == 3) return false;
    const ir::V128 m = (t.b.*widen[f.size])(half_operand(t, f.m, f.q), 0);
    t.set_v(f.d, (t.b.*combine[f.size + 1])(t.v(f.n), m, 0));
    return true;
}

/// ADDHN and its relatives: the high half of every sum, rounded or not.
bool add_high_narrow(Translator &t, Vector f, const Lanes2 &combine, bool round) {
    if (f.size == 3) return false;
    constexpr Lanes1 narrow = OPS_TO_32(VShrNarrow);
    const ir::V128 sum = (t.b.*combine[f.size + 1])(t.v(f.n), t.v(f.m), 0);
    const u64 imm = u64{8u << f.size} << 8 | (round ? u64{1} << 16 : 0);
    set_narrowed(t, f.d, f.q, (t.b.*narrow[f.size])(sum, imm));
    return true;
}

enum class Accumulate : u8 { No, Add, Subtract };

bool set_accumulated(Translator &t, Vector f, ir::V128 value, Accumulate accumulate) {
    if (accumulate == Accumulate::Add) value = (t.b.*kAdd[f.size + 1])(t.v(f.d), value, 0);
    if (accumulate == Accumulate::Subtract) value = (t.b.*kSub[f.size + 1])(t.v(f.d), value, 0);
    t.set_v(f.d, value);
    return true;
}

bool vector_multiply_long(Translator &t, Vector f, const Lanes2 &op, Accumulate accumulate) {
    if (f.size == 3) return false;
    const ir::V128 n = half_operand(t, f.n, f.q);
    const ir::V128 m = half_operand(t, f.m, f.q);
    return set_accumulated(t, f, (t.b.*op[f.size])(n, m, 0), accumulate);
}

/// An absolute difference fits the narrow width as an unsigned number.
bool abs_diff_long(Translator &t, Vector f, const Lanes2 &op, Accumulate accumulate) {
    if (f.size == 3) return false;
    constexpr Lanes1 widen = OPS_TO_32(VWidenU);
    const ir::V128 difference =
        (t.b.*op[f.size])(half_operand(t, f.n, f.q), half_operand(t, f.m, f.q), 0);
    return set_accumulated(t, f, (t.b.*widen[f.size])(difference, 0), accumulate);
}

/// SQDMULL, SQDMLAL, SQDMLSL: the product saturates, then the sum.
bool saturating_multiply_long(Translator &t, Vector f, bool scalar, Accumulate accumulate) {
    constexpr Lanes2 op = OPS_16_32(VSatDoubleMulLong);
    constexpr Lanes2 add = OPS(VSatAddS);
    constexpr Lanes2 subtract = OPS(VSatSubS);
    if (op[f.size] == nullptr) return false;
    const auto operand = [&](u32 reg) {
        return scalar ? scalar_operand(t, reg, f.size) : half_operand(t, reg, f.q);
    };
    ir::V128 value = (t.b.*op[f.size])(operand(f.n), operand(f.m), t.fp_mode());
    if (accumulate != Accumulate::No) {
        const ir::V128 sum = scalar ? scalar_operand(t, f.d, f.size + 1) : t.v(f.d);
        const Lanes2 &combine = accumulate == Accumulate::Add ? add : subtract;
        value = (t.b.*combine[f.size + 1])(sum, value, t.fp_mode());
    }
    t.set_v(f.d, value);
    return true;
}

} // namespace

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }
ROW(SADDL_vec, add_long(*this, vector(f), OPS_TO_32(VWidenS), kAdd))
ROW(UADDL_vec, add_long(*this, vector(f), OPS_TO_32(VWidenU), kAdd))
ROW(SSUBL_vec, add_long(*this, vector(f), OPS_TO_32(VWidenS), kSub))
ROW(USUBL_vec, add_long(*this, vector(f), OPS_TO_32(VWidenU), kSub))
ROW(SADDW_vec, add_wide(*this, vector(f), OPS_TO_32(VWidenS), kAdd))
ROW(UADDW_vec, add_wide(*this, vector(f), OPS_TO_32(VWidenU), kAdd))
ROW(SSUBW_vec, add_wide(*this, vector(f), OPS_TO_32(VWidenS), kSub))
ROW(USUBW_vec, add_wide(*this, vector(f), OPS_TO_32(VWidenU), kSub))
ROW(ADDHN_vec, add_high_narrow(*this, vector(f), kAdd, false))
ROW(RADDHN_vec, add_high_narrow(*this, vector(f), kAdd, true))
ROW(SUBHN_vec, add_high_narrow(*this, vector(f), kSub, false))
ROW(RSUBHN_vec, add_high_narrow(*this, vector(f), kSub, true))
ROW(SMULL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongS), Accumulate::No))
ROW(UMULL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongU), Accumulate::No))
ROW(SMLAL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongS), Accumulate::Add))
ROW(UMLAL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongU), Accumulate::Add))
ROW(SMLSL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongS), Accumulate::Subtract))
ROW(UMLSL_vec, vector_multiply_long(*this, vector(f), OPS_TO_32(VMulLongU), Accumulate::Subtract))
ROW(SABDL_vec, abs_diff_long(*this, vector(f), OPS_TO_32(VAbsDiffS), Accumulate::No))
ROW(UABDL_vec, abs_diff_long(*this, vector(f), OPS_TO_32(VAbsDiffU), Accumulate::No))
ROW(SABAL_vec, abs_diff_long(*this, vector(f), OPS_TO_32(VAbsDiffS), Accumulate::Add))
ROW(UABAL_vec, abs_diff_long(*this, vector(f), OPS_TO_32(VAbsDiffU), Accumulate::Add))
ROW(SQDMULL_vec, saturating_multiply_long(*this, vector(f), false, Accumulate::No))
ROW(SQDMLAL_vec, saturating_multiply_long(*this, vector(f), false, Accumulate::Add))
ROW(SQDMLSL_vec, saturating_multiply_long(*this, vector(f), false, Accumulate::Subtract))
ROW(SQDMULL_sisd, saturating_multiply_long(*this, vector(f), true, Accumulate::No))
ROW(SQDMLAL_sisd, saturating_multiply_long(*this, vector(f), true, Accumulate::Add))
ROW(SQDMLSL_sisd, saturating_multiply_long(*this, vector(f), true, Accumulate::Subtract))
#undef ROW

bool Translator::PMULL_8_vec(Fields<Row::PMULL_8_vec> f) {
    const bool high = f.Q() != 0;
    set_v(f.d(),
          b.VPolyMulLong8(half_operand(*this, f.n(), high), half_operand(*this, f.m(), high)));
    return true;
}
bool Translator::PMULL_64_vec(Fields<Row::PMULL_64_vec> f) {
    const bool high = f.Q() != 0;
    set_v(f.d(),
          b.VPolyMulLong64(half_operand(*this, f.n(), high), half_operand(*this, f.m(), high)));
    return true;
}

} // namespace tandem::arm::a64
