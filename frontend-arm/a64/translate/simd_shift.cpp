// Advanced SIMD: shift by immediate, vector and scalar.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// immh:immb: the highest set bit of immh gives the element size. immh = 0 is another class.
struct ShiftImm {
    unsigned size;  ///< 4 if immh is 0
    unsigned left;  ///< amount of a left shift, 0 to element width - 1
    unsigned right; ///< amount of a right shift, 1 to element width
    explicit ShiftImm(u32 imm7)
        : size(imm7 < 8 ? 4 : static_cast<unsigned>(std::bit_width(imm7)) - 4),
          left(imm7 - (8u << size)), right((16u << size) - imm7) {}
};

/// A vector's or scalar's operands and shift.
struct Shift {
    bool scalar;
    bool q;
    u32 d, n;
    ShiftImm imm;
};
template <class F>
Shift shift(F f) {
    if constexpr (F::template has<'Q'>())
        return {false, f.Q() != 0, f.d(), f.n(), ShiftImm(f.i())};
    else
        return {true, true, f.d(), f.n(), ShiftImm(f.i())};
}

/// Same-width shifts exist for all vector arrangements but 1D; as scalars for D alone.
bool is_plain(const Shift &f) {
    if (f.imm.size > 3) return false;
    return f.scalar ? f.imm.size == 3 : is_arrangement(f.q, f.imm.size);
}
/// Result of a plain shift.
bool set_plain(Translator &t, const Shift &f, ir::V128 value) {
    t.set_v(f.d, value, !f.scalar && f.q);
    return true;
}

bool plain(Translator &t, const Shift &f, const Lanes1 &op, unsigned amount) {
    return is_plain(f) && set_plain(t, f, (t.b.*op[f.imm.size])(t.v(f.n), amount));
}

/// SSRA and its relatives.
bool accumulate(Translator &t, const Shift &f, const Lanes1 &op) {
    if (!is_plain(f)) return false;
    constexpr Lanes2 add = OPS(VAdd);
    const ir::V128 value = (t.b.*op[f.imm.size])(t.v(f.n), f.imm.right);
    return set_plain(t, f, (t.b.*add[f.imm.size])(t.v(f.d), value, 0));
}

/// SLI, SRI.
bool insert(Translator &t, const Shift &f, const Lanes2 &op, unsigned amount) {
    return is_plain(f) && set_plain(t, f, (t.b.*op[f.imm.size])(t.v(f.d), t.v(f.n), amount));
}

ir::V128 saturating_operand(Translator &t, const Shift &f) {
    return f.scalar ? scalar_operand(t, f.n, f.imm.size) : vector_operand(t, f.n, f.q);
}

/// SQSHL, UQSHL: as by register, all sizes of scalars.
bool saturating_left(Translator &t, const Shift &f, const Lanes2 &op) {
    if (f.imm.size > 3 || !is_arrangement(f.q, f.imm.size)) return false;
    const ir::V128 amount = dup_constant(t, f.imm.size, f.imm.left);
    t.set_v(f.d, (t.b.*op[f.imm.size])(saturating_operand(t, f), amount, t.fp_mode()), f.q);
    return true;
}

/// SQSHLU.
bool saturating_left_unsigned(Translator &t, const Shift &f) {
    if (f.imm.size > 3 || !is_arrangement(f.q, f.imm.size)) return false;
    constexpr Lanes1 op = OPS(VSatShlImmSU);
    const u64 imm = t.fp_mode() | u64{f.imm.left} << 8;
    t.set_v(f.d, (t.b.*op[f.imm.size])(saturating_operand(t, f), imm), f.q);
    return true;
}

enum class Round : bool { No, Yes };

/// Right shifts that halve the width; size is that of the result.
bool narrow(Translator &t, const Shift &f, const Lanes1 &op, Round round, u64 mode) {
    if (f.imm.size > 2) return false;
    const u64 imm = mode | u64{f.imm.right} << 8 | (round == Round::Yes ? u64{1} << 16 : 0);
    if (f.scalar) {
        const ir::V128 n = scalar_operand(t, f.n, f.imm.size + 1);
        t.set_v(f.d, (t.b.*op[f.imm.size])(n, imm));
    } else {
        set_narrowed(t, f.d, f.q, (t.b.*op[f.imm.size])(t.v(f.n), imm));
    }
    return true;
}

/// SSHLL, USHLL.
bool widen(Translator &t, const Shift &f, const Lanes1 &op) {
    if (f.imm.size > 2) return false;
    constexpr Lanes1 shift_left = OPS(VShlImm);
    ir::V128 value = (t.b.*op[f.imm.size])(half_operand(t, f.n, f.q), 0);
    if (f.imm.left != 0) value = (t.b.*shift_left[f.imm.size + 1])(value, f.imm.left);
    t.set_v(f.d, value);
    return true;
}

/// Conversions to and from fixed point: bytes are reserved, halves need FEAT_FP16.
bool is_fixed_point(const Translator &t, const Shift &f) {
    const unsigned size = f.imm.size;
    return size >= 1 && size <= 3 && is_arrangement(f.q, size) &&
           (size != 1 || t.has(Feature::FP16));
}
bool fixed_point(Translator &t, const Shift &f, const Lanes1 &op, Rounding rounding) {
    if (!is_fixed_point(t, f)) return false;
    const u64 imm = rounding_imm(t, rounding, f.imm.right);
    const ir::V128 value = (t.b.*op[f.imm.size])(saturating_operand(t, f), imm);
    t.set_v(f.d, value, f.q);
    return true;
}

} // namespace

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        const Shift regs = shift(f);                                                               \
        return __VA_ARGS__;                                                                        \
    }
// Nearly every row has a vector and a scalar form.
#define BOTH(row, ...)                                                                             \
    ROW(row##_vec, __VA_ARGS__)                                                                    \
    ROW(row##_sisd, __VA_ARGS__)

BOTH(SSHR, plain(*this, regs, OPS(VAsrImm), regs.imm.right))
BOTH(USHR, plain(*this, regs, OPS(VLsrImm), regs.imm.right))
BOTH(SRSHR, plain(*this, regs, OPS(VRoundAsrImm), regs.imm.right))
BOTH(URSHR, plain(*this, regs, OPS(VRoundLsrImm), regs.imm.right))
BOTH(SHL, plain(*this, regs, OPS(VShlImm), regs.imm.left))
BOTH(SSRA, accumulate(*this, regs, OPS(VAsrImm)))
BOTH(USRA, accumulate(*this, regs, OPS(VLsrImm)))
BOTH(SRSRA, accumulate(*this, regs, OPS(VRoundAsrImm)))
BOTH(URSRA, accumulate(*this, regs, OPS(VRoundLsrImm)))
BOTH(SRI, insert(*this, regs, OPS(VShrInsert), regs.imm.right))
BOTH(SLI, insert(*this, regs, OPS(VShlInsert), regs.imm.left))
BOTH(SQSHL_imm, saturating_left(*this, regs, OPS(VSatShlS)))
BOTH(UQSHL_imm, saturating_left(*this, regs, OPS(VSatShlU)))
BOTH(SQSHLU, saturating_left_unsigned(*this, regs))
BOTH(SQSHRN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatS), Round::No, fp_mode()))
BOTH(SQRSHRN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatS), Round::Yes, fp_mode()))
BOTH(UQSHRN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatU), Round::No, fp_mode()))
BOTH(UQRSHRN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatU), Round::Yes, fp_mode()))
BOTH(SQSHRUN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatSU), Round::No, fp_mode()))
BOTH(SQRSHRUN, narrow(*this, regs, OPS_TO_32(VShrNarrowSatSU), Round::Yes, fp_mode()))
ROW(SHRN_vec, narrow(*this, regs, OPS_TO_32(VShrNarrow), Round::No, 0))
ROW(RSHRN_vec, narrow(*this, regs, OPS_TO_32(VShrNarrow), Round::Yes, 0))
ROW(SSHLL_vec, widen(*this, regs, OPS_TO_32(VWidenS)))
ROW(USHLL_vec, widen(*this, regs, OPS_TO_32(VWidenU)))

// A scalar's other lanes are zero and convert to zero without exceptions.
BOTH(SCVTF_fixed, fixed_point(*this, regs, OPS_FLOAT(VSToF), Rounding::NearestEven))
BOTH(UCVTF_fixed, fixed_point(*this, regs, OPS_FLOAT(VUToF), Rounding::NearestEven))
BOTH(FCVTZS_fixed, fixed_point(*this, regs, OPS_FLOAT(VFToS), Rounding::Zero))
BOTH(FCVTZU_fixed, fixed_point(*this, regs, OPS_FLOAT(VFToU), Rounding::Zero))
#undef BOTH
#undef ROW

} // namespace tandem::arm::a64
