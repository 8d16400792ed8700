// Scalar floating point: data processing, comparison, selection, moves.
#include "frontend-arm/a64/translate/fp.h"

namespace tandem::arm::a64 {

bool float_op(Translator &t, unsigned size, u32 d, u32 n, Float1 op, u64 imm) {
    switch (size) {
    case 1: t.set_h(d, (t.b.*op.half)(t.h(n), imm)); return true;
    case 2: t.set_s(d, (t.b.*op.single)(t.s(n), imm)); return true;
    case 3: t.set_d(d, (t.b.*op.double_)(t.d(n), imm)); return true;
    default: return false;
    }
}

bool float_op(Translator &t, unsigned size, u32 d, u32 n, u32 m, Float2 op, u64 imm) {
    switch (size) {
    case 1: t.set_h(d, (t.b.*op.half)(t.h(n), t.h(m), imm)); return true;
    case 2: t.set_s(d, (t.b.*op.single)(t.s(n), t.s(m), imm)); return true;
    case 3: t.set_d(d, (t.b.*op.double_)(t.d(n), t.d(m), imm)); return true;
    default: return false;
    }
}

namespace {

enum class NegateAddend : bool { No, Yes };
enum class NegateProduct : bool { No, Yes };

/// FMADD and its relatives: the negations come first, as FPNeg (NaNs change sign too).
bool multiply_add(Translator &t, u32 ftype, u32 d, u32 n, u32 m, u32 a, NegateAddend negate_addend,
                  NegateProduct negate_product) {
    const auto emit = [&](auto addend, auto factor, auto other, auto negate, auto fused) {
        if (negate_addend == NegateAddend::Yes) addend = (t.b.*negate)(addend, 0);
        if (negate_product == NegateProduct::Yes) factor = (t.b.*negate)(factor, 0);
        return (t.b.*fused)(addend, factor, other, t.fp_mode());
    };
    constexpr Float1 negate = FLOAT_OPS(FNeg);
    constexpr Float3 fused = FLOAT_OPS(FMulAdd);
    switch (float_size(t, ftype)) {
    case 1: t.set_h(d, emit(t.h(a), t.h(n), t.h(m), negate.half, fused.half)); return true;
    case 2: t.set_s(d, emit(t.s(a), t.s(n), t.s(m), negate.single, fused.single)); return true;
    case 3: t.set_d(d, emit(t.d(a), t.d(n), t.d(m), negate.double_, fused.double_)); return true;
    default: return false;
    }
}

/// FCMP and FCMPE; `with_zero` compares with +0.0.
bool float_compare(Translator &t, u32 ftype, u32 n, u32 m, bool with_zero, u64 signal) {
    const u64 imm = t.fp_mode() | signal;
    ir::Builder &b = t.b;
    switch (float_size(t, ftype)) {
    case 1:
        t.set_flags(b.FCompare16(t.h(n), with_zero ? b.ToF16(b.Const64(0)) : t.h(m), imm));
        return true;
    case 2:
        t.set_flags(b.FCompare32(t.s(n), with_zero ? b.ToF32(b.Const32(0)) : t.s(m), imm));
        return true;
    case 3:
        t.set_flags(b.FCompare64(t.d(n), with_zero ? b.ToF64(b.Const64(0)) : t.d(m), imm));
        return true;
    default: return false;
    }
}

/// FCCMP and FCCMPE. Exceptions are raised only if the condition holds, so otherwise zero is
/// compared with zero.
bool float_conditional_compare(Translator &t, u32 ftype, u32 n, u32 m, u32 cond, u32 nzcv,
                               u64 signal) {
    const unsigned size = float_size(t, ftype);
    if (size == 0) return false;
    const u64 imm = t.fp_mode() | signal;
    const ir::I1 holds = t.condition(cond);
    ir::Builder &b = t.b;
    const auto emit = [&](auto left, auto right, auto zero, auto select, auto compare) {
        return (b.*compare)((b.*select)(holds, left, zero, 0), (b.*select)(holds, right, zero, 0),
                            imm);
    };
    using ir::Builder;
    ir::Flags flags;
    if (size == 1)
        flags =
            emit(t.h(n), t.h(m), b.ToF16(b.Const64(0)), &Builder::FSelect16, &Builder::FCompare16);
    else if (size == 2)
        flags =
            emit(t.s(n), t.s(m), b.ToF32(b.Const32(0)), &Builder::FSelect32, &Builder::FCompare32);
    else
        flags =
            emit(t.d(n), t.d(m), b.ToF64(b.Const64(0)), &Builder::FSelect64, &Builder::FCompare64);
    t.set_flags(b.SelectFlags(holds, flags, b.ConstFlags(ir::flags_from_nzcv(nzcv))));
    return true;
}

} // namespace

#define ONE_SOURCE(row, op, imm)                                                                   \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return float_op(*this, float_size(*this, f.y()), f.d(), f.n(), Float1 FLOAT_OPS(op), imm); \
    }
ONE_SOURCE(FABS_scalar, FAbs, 0)
ONE_SOURCE(FNEG_scalar, FNeg, 0)
ONE_SOURCE(FSQRT_scalar, FSqrt, fp_mode())
ONE_SOURCE(FRINTN_scalar, FRound, rounding_imm(*this, Rounding::NearestEven))
ONE_SOURCE(FRINTP_scalar, FRound, rounding_imm(*this, Rounding::PlusInf))
ONE_SOURCE(FRINTM_scalar, FRound, rounding_imm(*this, Rounding::MinusInf))
ONE_SOURCE(FRINTZ_scalar, FRound, rounding_imm(*this, Rounding::Zero))
ONE_SOURCE(FRINTA_scalar, FRound, rounding_imm(*this, Rounding::NearestAway))
ONE_SOURCE(FRINTX_scalar, FRound, rounding_imm(*this, current_rounding(*this)) | kRaiseInexact)
ONE_SOURCE(FRINTI_scalar, FRound, rounding_imm(*this, current_rounding(*this)))
ONE_SOURCE(FRINT32Z_scalar, FRoundInt, rounding_imm(*this, Rounding::Zero))
ONE_SOURCE(FRINT32X_scalar, FRoundInt, rounding_imm(*this, current_rounding(*this)))
ONE_SOURCE(FRINT64Z_scalar, FRoundInt, rounding_imm(*this, Rounding::Zero) | kRoundTo64Bits)
ONE_SOURCE(FRINT64X_scalar, FRoundInt,
           rounding_imm(*this, current_rounding(*this)) | kRoundTo64Bits)
#undef ONE_SOURCE

#define TWO_SOURCES(row, op)                                                                       \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return float_op(*this, float_size(*this, f.y()), f.d(), f.n(), f.m(),                      \
                        Float2 FLOAT_OPS(op), fp_mode());                                          \
    }
TWO_SOURCES(FMUL_scalar, FMul)
TWO_SOURCES(FDIV_scalar, FDiv)
TWO_SOURCES(FADD_scalar, FAdd)
TWO_SOURCES(FSUB_scalar, FSub)
TWO_SOURCES(FMAX_scalar, FMax)
TWO_SOURCES(FMIN_scalar, FMin)
TWO_SOURCES(FMAXNM_scalar, FMaxNum)
TWO_SOURCES(FMINNM_scalar, FMinNum)
#undef TWO_SOURCES

bool Translator::FNMUL_scalar(Fields<Row::FNMUL_scalar> f) {
    switch (float_size(*this, f.y())) {
    case 1: set_h(f.d(), b.FNeg16(b.FMul16(h(f.n()), h(f.m()), fp_mode()))); return true;
    case 2: set_s(f.d(), b.FNeg32(b.FMul32(s(f.n()), s(f.m()), fp_mode()))); return true;
    case 3: set_d(f.d(), b.FNeg64(b.FMul64(d(f.n()), d(f.m()), fp_mode()))); return true;
    default: return false;
    }
}

#define THREE_SOURCES(row, addend, product)                                                        \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return multiply_add(*this, f.y(), f.d(), f.n(), f.m(), f.a(), NegateAddend::addend,        \
                            NegateProduct::product);                                               \
    }
THREE_SOURCES(FMADD_scalar, No, No)
THREE_SOURCES(FMSUB_scalar, No, Yes)
THREE_SOURCES(FNMADD_scalar, Yes, Yes)
THREE_SOURCES(FNMSUB_scalar, Yes, No)
#undef THREE_SOURCES

bool Translator::FCMP(Fields<Row::FCMP> f) {
    return float_compare(*this, f.y(), f.n(), f.m(), false, 0);
}
bool Translator::FCMP_zero(Fields<Row::FCMP_zero> f) {
    return float_compare(*this, f.y(), f.n(), 0, true, 0);
}
bool Translator::FCMPE(Fields<Row::FCMPE> f) {
    return float_compare(*this, f.y(), f.n(), f.m(), false, kSignalQuietNans);
}
bool Translator::FCMPE_zero(Fields<Row::FCMPE_zero> f) {
    return float_compare(*this, f.y(), f.n(), 0, true, kSignalQuietNans);
}
bool Translator::FCCMP(Fields<Row::FCCMP> f) {
    return float_conditional_compare(*this, f.y(), f.n(), f.m(), f.c(), f.f(), 0);
}
bool Translator::FCCMPE(Fields<Row::FCCMPE> f) {
    return float_conditional_compare(*this, f.y(), f.n(), f.m(), f.c(), f.f(), kSignalQuietNans);
}

bool Translator::FCSEL(Fields<Row::FCSEL> f) {
    const unsigned size = float_size(*this, f.y());
    if (size == 0) return false;
    const ir::I1 holds = condition(f.c());
    if (size == 1)
        set_h(f.d(), b.FSelect16(holds, h(f.n()), h(f.m())));
    else if (size == 2)
        set_s(f.d(), b.FSelect32(holds, s(f.n()), s(f.m())));
    else
        set_d(f.d(), b.FSelect64(holds, d(f.n()), d(f.m())));
    return true;
}

bool Translator::FMOV_reg(Fields<Row::FMOV_reg> f) {
    switch (float_size(*this, f.y())) {
    case 1: set_h(f.d(), h(f.n())); return true;
    case 2: set_s(f.d(), s(f.n())); return true;
    case 3: set_d(f.d(), d(f.n())); return true;
    default: return false;
    }
}

bool Translator::FMOV_imm(Fields<Row::FMOV_imm> f) {
    const unsigned size = float_size(*this, f.y());
    if (size == 0) return false;
    set_v(f.d(), b.VFromI64(b.Const64(expand_float_imm(f.i(), size))));
    return true;
}

bool Translator::FMOV_to_gpr(Fields<Row::FMOV_to_gpr> f) {
    const unsigned size = float_size(*this, f.y());
    const bool is_64_bit = f.z() != 0;
    if (size == 1) { // a 64-bit destination gets the same zero-extended bits
        set_x(f.d(), b.FromF16(h(f.n())));
    } else if (size == 2 && !is_64_bit) {
        set_w(f.d(), b.FromF32(s(f.n())));
    } else if (size == 3 && is_64_bit) {
        set_x(f.d(), b.FromF64(d(f.n())));
    } else {
        return false;
    }
    return true;
}

bool Translator::FMOV_from_gpr(Fields<Row::FMOV_from_gpr> f) {
    const unsigned size = float_size(*this, f.y());
    const bool is_64_bit = f.z() != 0;
    if (size == 1) {
        set_h(f.d(), b.ToF16(x(f.n())));
    } else if (size == 2 && !is_64_bit) {
        set_s(f.d(), b.ToF32(w(f.n())));
    } else if (size == 3 && is_64_bit) {
        set_d(f.d(), b.ToF64(x(f.n())));
    } else {
        return false;
    }
    return true;
}

bool Translator::FMOV_top_to_gpr(Fields<Row::FMOV_top_to_gpr> f) {
    set_x(f.d(), b.VGet64(v(f.n()), 1));
    return true;
}

bool Translator::FMOV_top_from_gpr(Fields<Row::FMOV_top_from_gpr> f) {
    set_v(f.d(), b.VSet64(v(f.d()), x(f.n()), 1));
    return true;
}

} // namespace tandem::arm::a64
