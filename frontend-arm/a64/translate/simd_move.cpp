// Advanced SIMD: copy, permute, extract, table lookup, modified immediates.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

namespace {

/// The lowest set bit of imm5 gives the element size, the bits above it the index.
struct Element {
    unsigned size;
    unsigned index;
    explicit Element(u32 imm5)
        : size(static_cast<unsigned>(std::countr_zero(imm5 | 0x10))), index(imm5 >> (size + 1)) {}
    [[nodiscard]] bool exists() const { return size <= 3; }
};

ir::I64 get_element(Translator &t, u32 n, Element element) {
    const ir::V128 n_value = t.v(n);
    switch (element.size) {
    case 0: return t.b.VGet8(n_value, element.index);
    case 1: return t.b.VGet16(n_value, element.index);
    case 2: return t.b.VGet32(n_value, element.index);
    default: return t.b.VGet64(n_value, element.index);
    }
}

/// UZP of 64-bit vectors: as if the sources' low halves were one vector.
bool unzip(Translator &t, Vector f, const Lanes2 &op) {
    if (f.q) return vector_op(t, f, op);
    if (!is_arrangement(f.q, f.size)) return false;
    const ir::V128 both = t.b.VMergeHigh64(t.v(f.n), t.v(f.m));
    t.set_v(f.d, (t.b.*op[f.size])(both, both, 0), false);
    return true;
}

/// ZIP2 of 64-bit vectors is the upper half of ZIP1's 128-bit result.
bool zip_second(Translator &t, Vector f) {
    constexpr Lanes2 zip1 = OPS(VZip1_);
    constexpr Lanes2 zip2 = OPS(VZip2_);
    if (f.q) return vector_op(t, f, zip2);
    if (!is_arrangement(f.q, f.size)) return false;
    const ir::V128 zipped = (t.b.*zip1[f.size])(t.v(f.n), t.v(f.m), 0);
    t.set_v(f.d, t.b.VDupLane64(zipped, 1), false);
    return true;
}

/// The table registers follow Vn, wrapping from V31 to V0. A table register sees the indices less
/// those of the registers before it; what is below wraps to beyond 16 and so is out of range.
ir::V128 indices_of_register(Translator &t, ir::V128 indices, unsigned i) {
    return i == 0 ? indices : t.b.VSub8(indices, dup_constant(t, 0, 16 * i));
}

/// An immediate of AdvSIMDExpandImm, which holds for each half.
bool set_immediate(Translator &t, u32 d, u32 q, u64 imm64) {
    if (imm64 == 0)
        t.set_v(d, t.b.VZero());
    else if (q == 0)
        t.set_v(d, t.b.VFromI64(t.b.Const64(imm64)));
    else
        t.set_v(d, t.b.VConst64(imm64));
    return true;
}

constexpr u64 repeat32(u64 value) {
    return value | value << 32;
}
constexpr u64 repeat16(u64 value) {
    return repeat32(value | value << 16);
}

/// The immediates shifted left by a multiple of 8, and shifted left with ones filled in.
constexpr u64 shifted32(u32 imm8, u32 amount) {
    return repeat32(u64{imm8} << (8 * amount));
}
constexpr u64 shifted16(u32 imm8, u32 amount) {
    return repeat16(u64{imm8} << (8 * amount));
}
constexpr u64 shifted_ones(u32 imm8, u32 cmode0) {
    return repeat32(cmode0 == 0 ? u64{imm8} << 8 | 0xff : u64{imm8} << 16 | 0xffff);
}

bool or_immediate(Translator &t, u32 d, u32 q, u64 imm64) {
    t.set_v(d, t.b.VOr(t.v(d), t.b.VConst64(imm64)), q != 0);
    return true;
}
bool clear_immediate(Translator &t, u32 d, u32 q, u64 imm64) {
    t.set_v(d, t.b.VAnd(t.v(d), t.b.VConst64(~imm64)), q != 0);
    return true;
}

} // namespace

bool Translator::DUP_elem_vec(Fields<Row::DUP_elem_vec> f) {
    const Element element(f.i());
    const bool q = f.Q() != 0;
    if (!element.exists() || !is_arrangement(q, element.size)) return false;
    set_v(f.d(), dup_element(*this, f.n(), element.size, element.index), q);
    return true;
}

bool Translator::DUP_elem_sisd(Fields<Row::DUP_elem_sisd> f) {
    const Element element(f.i());
    switch (element.size) {
    case 0: set_v(f.d(), b.VFromI64(b.VGet8(v(f.n()), element.index))); return true;
    case 1: set_h(f.d(), b.VToF16(v(f.n()), element.index)); return true;
    case 2: set_s(f.d(), b.VToF32(v(f.n()), element.index)); return true;
    case 3: set_d(f.d(), b.VToF64(v(f.n()), element.index)); return true;
    default: return false;
    }
}

bool Translator::DUP_general(Fields<Row::DUP_general> f) {
    const Element element(f.i());
    const bool q = f.Q() != 0;
    if (!element.exists() || !is_arrangement(q, element.size)) return false;
    const ir::I64 value = x(f.n());
    switch (element.size) {
    case 0: set_v(f.d(), b.VDup8(value), q); break;
    case 1: set_v(f.d(), b.VDup16(value), q); break;
    case 2: set_v(f.d(), b.VDup32(value), q); break;
    default: set_v(f.d(), b.VDup64(value), q); break;
    }
    return true;
}

bool Translator::SMOV(Fields<Row::SMOV> f) {
    const Element element(f.i());
    const bool to_64_bits = f.Q() != 0;
    if (element.size > (to_64_bits ? 2u : 1u)) return false;
    const ir::I64 value = get_element(*this, f.n(), element);
    const ir::I64 extended = element.size == 0   ? b.SignExtend8(value)
                             : element.size == 1 ? b.SignExtend16(value)
                                                 : b.SignExtend32(b.Low32(value));
    if (to_64_bits)
        set_x(f.d(), extended);
    else
        set_w(f.d(), b.Low32(extended));
    return true;
}

bool Translator::UMOV(Fields<Row::UMOV> f) {
    const Element element(f.i());
    const bool to_64_bits = f.Q() != 0;
    if (to_64_bits ? element.size != 3 : element.size > 2) return false;
    set_x(f.d(), get_element(*this, f.n(), element));
    return true;
}

bool Translator::INS_general(Fields<Row::INS_general> f) {
    const Element element(f.i());
    const ir::V128 old = v(f.d());
    const ir::I64 value = x(f.n());
    switch (element.size) {
    case 0: set_v(f.d(), b.VSet8(old, value, element.index)); return true;
    case 1: set_v(f.d(), b.VSet16(old, value, element.index)); return true;
    case 2: set_v(f.d(), b.VSet32(old, value, element.index)); return true;
    case 3: set_v(f.d(), b.VSet64(old, value, element.index)); return true;
    default: return false;
    }
}

bool Translator::INS_elem(Fields<Row::INS_elem> f) {
    const Element element(f.i());
    if (!element.exists()) return false;
    constexpr Lanes2 insert = OPS(VInsertLane);
    const u64 source_index = f.j() >> element.size;
    set_v(f.d(), (b.*insert[element.size])(v(f.d()), v(f.n()), element.index | source_index << 8));
    return true;
}

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        return __VA_ARGS__;                                                                        \
    }
ROW(ZIP1, vector_op(*this, vector(f), Lanes2 OPS(VZip1_)))
ROW(ZIP2, zip_second(*this, vector(f)))
ROW(UZP1, unzip(*this, vector(f), OPS(VUzp1_)))
ROW(UZP2, unzip(*this, vector(f), OPS(VUzp2_)))
ROW(TRN1, vector_op(*this, vector(f), Lanes2 OPS(VTrn1_)))
ROW(TRN2, vector_op(*this, vector(f), Lanes2 OPS(VTrn2_)))

bool Translator::EXT(Fields<Row::EXT> f) {
    const unsigned position = f.i();
    if (f.Q() != 0) {
        set_v(f.d(), b.VExtract(v(f.n()), v(f.m()), position));
        return true;
    }
    if (position > 7) return false;
    const ir::V128 both = b.VMergeHigh64(v(f.n()), v(f.m()));
    set_v(f.d(), b.VExtract(both, both, position), false);
    return true;
}

bool Translator::TBL(Fields<Row::TBL> f) {
    const ir::V128 indices = v(f.m());
    ir::V128 result = b.VTable(v(f.n()), indices);
    for (unsigned i = 1; i <= f.l(); ++i)
        result =
            b.VTableExtend(result, v((f.n() + i) % 32), indices_of_register(*this, indices, i));
    set_v(f.d(), result, f.Q() != 0);
    return true;
}

bool Translator::TBX(Fields<Row::TBX> f) {
    const ir::V128 indices = v(f.m());
    ir::V128 result = v(f.d());
    for (unsigned i = 0; i <= f.l(); ++i)
        result =
            b.VTableExtend(result, v((f.n() + i) % 32), indices_of_register(*this, indices, i));
    set_v(f.d(), result, f.Q() != 0);
    return true;
}

ROW(MOVI_shift32, set_immediate(*this, f.d(), f.Q(), shifted32(f.i(), f.c())))
ROW(MOVI_shift16, set_immediate(*this, f.d(), f.Q(), shifted16(f.i(), f.c())))
ROW(MOVI_ones, set_immediate(*this, f.d(), f.Q(), shifted_ones(f.i(), f.c())))
ROW(MVNI_shift32, set_immediate(*this, f.d(), f.Q(), ~shifted32(f.i(), f.c())))
ROW(MVNI_shift16, set_immediate(*this, f.d(), f.Q(), ~shifted16(f.i(), f.c())))
ROW(MVNI_ones, set_immediate(*this, f.d(), f.Q(), ~shifted_ones(f.i(), f.c())))
ROW(MOVI_bytes, set_immediate(*this, f.d(), f.Q(), repeat16(f.i() | f.i() << 8)))
ROW(ORR_imm32_vec, or_immediate(*this, f.d(), f.Q(), shifted32(f.i(), f.c())))
ROW(ORR_imm16_vec, or_immediate(*this, f.d(), f.Q(), shifted16(f.i(), f.c())))
ROW(BIC_imm32_vec, clear_immediate(*this, f.d(), f.Q(), shifted32(f.i(), f.c())))
ROW(BIC_imm16_vec, clear_immediate(*this, f.d(), f.Q(), shifted16(f.i(), f.c())))
ROW(FMOV_half_vec, set_immediate(*this, f.d(), f.Q(), repeat16(expand_float_imm(f.i(), 1))))
ROW(FMOV_single_vec, set_immediate(*this, f.d(), f.Q(), repeat32(expand_float_imm(f.i(), 2))))
ROW(FMOV_double_vec, set_immediate(*this, f.d(), 1, expand_float_imm(f.i(), 3)))
#undef ROW

bool Translator::MOVI_mask(Fields<Row::MOVI_mask> f) {
    u64 mask = 0; // every bit of the immediate is a byte
    for (unsigned i = 0; i < 8; ++i)
        if (bit(f.i(), i)) mask |= u64{0xff} << (8 * i);
    return set_immediate(*this, f.d(), f.Q(), mask);
}

} // namespace tandem::arm::a64
