// Scalar floating point: conversions between formats, to and from integers and fixed point.
#include "frontend-arm/a64/translate/fp.h"

namespace tandem::arm::a64 {

namespace {

enum class Signedness : bool { Unsigned, Signed };

/// FCVT*: rounds the float times 2^fraction_bits to an integer in a general register.
bool float_to_int(Translator &t, u32 sf, u32 ftype, u32 d, u32 n, Signedness sign,
                  Rounding rounding, unsigned fraction_bits = 0) {
    const unsigned size = float_size(t, ftype);
    if (size == 0) return false;
    const u64 imm = rounding_imm(t, rounding, fraction_bits);
    const auto emit = [&](auto value, auto to_s32, auto to_u32, auto to_s64, auto to_u64) {
        if (sf == 0)
            t.set_w(d, (t.b.*(sign == Signedness::Signed ? to_s32 : to_u32))(value, imm));
        else
            t.set_x(d, (t.b.*(sign == Signedness::Signed ? to_s64 : to_u64))(value, imm));
    };
#define CONVERSIONS(T)                                                                             \
    &ir::Builder::FToS32##T, &ir::Builder::FToU32##T, &ir::Builder::FToS64##T,                     \
        &ir::Builder::FToU64##T
    if (size == 1)
        emit(t.h(n), CONVERSIONS(16));
    else if (size == 2)
        emit(t.s(n), CONVERSIONS(32));
    else
        emit(t.d(n), CONVERSIONS(64));
#undef CONVERSIONS
    return true;
}

/// SCVTF, UCVTF: the integer in a general register, divided by 2^fraction_bits.
bool int_to_float(Translator &t, u32 sf, u32 ftype, u32 d, u32 n, Signedness sign,
                  unsigned fraction_bits = 0) {
    const unsigned size = float_size(t, ftype);
    if (size == 0) return false;
    const u64 imm = t.fp_mode() | u64{fraction_bits} << 16;
    const auto emit = [&](auto from_s32, auto from_u32, auto from_s64, auto from_u64) {
        if (sf == 0) return (t.b.*(sign == Signedness::Signed ? from_s32 : from_u32))(t.w(n), imm);
        return (t.b.*(sign == Signedness::Signed ? from_s64 : from_u64))(t.x(n), imm);
    };
#define CONVERSIONS(T)                                                                             \
    &ir::Builder::S32ToF##T, &ir::Builder::U32ToF##T, &ir::Builder::S64ToF##T,                     \
        &ir::Builder::U64ToF##T
    if (size == 1)
        t.set_h(d, emit(CONVERSIONS(16)));
    else if (size == 2)
        t.set_s(d, emit(CONVERSIONS(32)));
    else
        t.set_d(d, emit(CONVERSIONS(64)));
#undef CONVERSIONS
    return true;
}

} // namespace

#define TO_INT(row, sign, rounding)                                                                \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return float_to_int(*this, f.z(), f.y(), f.d(), f.n(), Signedness::sign,                   \
                            Rounding::rounding);                                                   \
    }
TO_INT(FCVTNS_int, Signed, NearestEven)
TO_INT(FCVTNU_int, Unsigned, NearestEven)
TO_INT(FCVTAS_int, Signed, NearestAway)
TO_INT(FCVTAU_int, Unsigned, NearestAway)
TO_INT(FCVTPS_int, Signed, PlusInf)
TO_INT(FCVTPU_int, Unsigned, PlusInf)
TO_INT(FCVTMS_int, Signed, MinusInf)
TO_INT(FCVTMU_int, Unsigned, MinusInf)
TO_INT(FCVTZS_int, Signed, Zero)
TO_INT(FCVTZU_int, Unsigned, Zero)
#undef TO_INT

bool Translator::SCVTF_int(Fields<Row::SCVTF_int> f) {
    return int_to_float(*this, f.z(), f.y(), f.d(), f.n(), Signedness::Signed);
}
bool Translator::UCVTF_int(Fields<Row::UCVTF_int> f) {
    return int_to_float(*this, f.z(), f.y(), f.d(), f.n(), Signedness::Unsigned);
}

// The fixed-point forms have 64 - scale fraction bits, at most as many as the register has bits.
#define FIXED_POINT(row, convert, ...)                                                             \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        if (f.z() == 0 && f.s() < 32) return false;                                                \
        return convert(*this, f.z(), f.y(), f.d(), f.n(), __VA_ARGS__, 64 - f.s());                \
    }
FIXED_POINT(SCVTF_fixed, int_to_float, Signedness::Signed)
FIXED_POINT(UCVTF_fixed, int_to_float, Signedness::Unsigned)
FIXED_POINT(FCVTZS_fixed, float_to_int, Signedness::Signed, Rounding::Zero)
FIXED_POINT(FCVTZU_fixed, float_to_int, Signedness::Unsigned, Rounding::Zero)
#undef FIXED_POINT

bool Translator::FJCVTZS(Fields<Row::FJCVTZS> f) {
    const ir::I64 result = b.FToJavaS32(d(f.n()), fp_mode());
    set_w(f.d(), b.Low32(result));
    // Bit 32 (the conversion was exact) becomes Z at its place in NZCV; N, C and V are 0.
    const ir::I64 z = b.And64(b.Lsr64(result, b.Const64(2)), b.Const64(u64{1} << 30));
    set_flags(b.FlagsFromNzcv(b.Low32(z)));
    return true;
}

bool Translator::FCVT(Fields<Row::FCVT> f) {
    // ftype and opc agree on 00 single, 01 double, 11 half; half needs no FEAT_FP16 here.
    const u64 imm = fp_mode();
    switch (f.y() << 2 | f.o()) {
    case 0b00'01: set_d(f.d(), b.F32ToF64(s(f.n()), imm)); return true;
    case 0b00'11: set_h(f.d(), b.F32ToF16(s(f.n()), imm)); return true;
    case 0b01'00: set_s(f.d(), b.F64ToF32(d(f.n()), imm)); return true;
    case 0b01'11: set_h(f.d(), b.F64ToF16(d(f.n()), imm)); return true;
    case 0b11'00: set_s(f.d(), b.F16ToF32(h(f.n()), imm)); return true;
    case 0b11'01: set_d(f.d(), b.F16ToF64(h(f.n()), imm)); return true;
    default: return false;
    }
}

bool Translator::BFCVT(Fields<Row::BFCVT> f) {
    set_h(f.d(), b.F32ToBF16(s(f.n()), fp_mode()));
    return true;
}

} // namespace tandem::arm::a64
