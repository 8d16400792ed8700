// Moving vector lanes about.
#include "jit/baseline/vector_moves.h"
#include "jit/baseline/vector_ops.h"

namespace tandem::jit {
namespace vec {

void unzip(BlockCompiler &c, unsigned lane, bool is_odd, const Xmm &d, const Xmm &a, const Xmm &b,
           const Xmm &scratch) {
    switch (lane) {
    case 8:
    case 16: {
        // Each pair's wanted half alone, as a number that packing with saturation leaves alone.
        const unsigned wide = lane * 2;
        const auto half = [&](const Xmm &to, const Xmm &from) {
            if (!is_odd) shift(c, Shift::Left, wide, to, from, lane);
            shift(c, Shift::Right, wide, to, is_odd ? from : to, lane);
        };
        half(scratch, b);
        half(d, a);
        if (lane == 8)
            c.packuswb(d, scratch);
        else
            c.packusdw(d, scratch);
        break;
    }
    case 32:
        if (d.getIdx() != a.getIdx()) c.movaps(d, a);
        c.shufps(d, b, is_odd ? 0xdd : 0x88);
        break;
    default:
        if (is_odd)
            punpckhqdq(c, d, a, b);
        else
            punpcklqdq(c, d, a, b);
        break;
    }
}

} // namespace vec

namespace {
using namespace vec;

void vzero(BlockCompiler &c, const Inst &, ValueId id) {
    const Xmm d = c.def_x(id);
    c.pxor(d, d);
    c.keep_host_flags();
}
void vconst(BlockCompiler &c, const Inst &in, ValueId id) {
    splat(c, c.def_x(id), in.imm);
    c.keep_host_flags();
}
void from_i64(BlockCompiler &c, const Inst &in, ValueId id) {
    const Reg64 a = c.use64(in.args[0]);
    c.consume();
    c.movq(c.def_x(id), a);
}
void combine(BlockCompiler &c, const Inst &in, ValueId id) {
    const Reg64 low = c.use64(in.args[0]);
    const Reg64 high = c.use64(in.args[1]);
    c.consume();
    const Xmm d = c.def_x(id);
    c.movq(d, low);
    c.pinsrq(d, high, 1);
}
void zero_upper(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    c.movq(c.def_x(id, index_of(a)), a);
}

/// A narrow FP value as a vector. If it only goes to state, the store does it.
template <unsigned width>
void from_fp(BlockCompiler &c, const Inst &in, ValueId id) {
    if (c.value(id).view != View::Full) return c.alias(id, in.args[0]);
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    switch (width) {
    case 64: c.movq(d, a); break;
    case 32: c.insertps(d, a, 0x0e); break;
    default:
        c.pextrw(c.eax, a, 0);
        c.movd(d, c.eax);
        break;
    }
}
template <unsigned width>
void to_fp(BlockCompiler &c, const Inst &in, ValueId id) {
    if (in.imm == 0) return c.alias(id, in.args[0]);
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    switch (width) {
    case 64: c.pshufd(d, a, 0xee); break;
    case 32: c.pshufd(d, a, static_cast<u8>(in.imm)); break;
    default:
        c.pextrw(c.eax, a, static_cast<u8>(in.imm));
        c.movd(d, c.eax);
        break;
    }
}

template <unsigned lane>
void get(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const HostReg d = c.def(id);
    const auto index = static_cast<u8>(in.imm);
    switch (lane) {
    case 8: c.pextrb(Reg32(d), a, index); break;
    case 16: c.pextrw(Reg32(d), a, index); break;
    case 32:
        if (index == 0)
            c.movd(Reg32(d), a);
        else
            c.pextrd(Reg32(d), a, index);
        break;
    default:
        if (index == 0)
            c.movq(Reg64(d), a);
        else
            c.pextrq(Reg64(d), a, index);
        break;
    }
    c.value(id).has_zero_upper = lane < 64;
}
template <unsigned lane>
void set(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const HostReg b = c.use(in.args[1]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.move(index_of(d), index_of(a));
    const auto index = static_cast<u8>(in.imm);
    switch (lane) {
    case 8: c.pinsrb(d, Reg32(b), index); break;
    case 16: c.pinsrw(d, Reg32(b), index); break;
    case 32: c.pinsrd(d, Reg32(b), index); break;
    default: c.pinsrq(d, Reg64(b), index); break;
    }
}
template <unsigned lane>
void dup(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id);
    if (lane == 64) {
        c.movq(d, Reg64(a));
        c.punpcklqdq(d, d);
        return;
    }
    c.movd(d, Reg32(a));
    switch (lane) {
    case 8:
        if (c.host().avx2) {
            c.vpbroadcastb(d, d);
        } else {
            c.pxor(s0(), s0());
            c.pshufb(d, s0());
        }
        break;
    case 16:
        c.pshuflw(d, d, 0);
        c.punpcklqdq(d, d);
        break;
    default: c.pshufd(d, d, 0); break;
    }
}
template <unsigned lane>
void dup_lane(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    const auto index = static_cast<unsigned>(in.imm);
    switch (lane) {
    case 8:
        splat(c, s0(), repeat(8, index));
        pshufb(c, d, a, s0());
        break;
    case 16:
        if (index < 4) {
            c.pshuflw(d, a, static_cast<u8>(index * 0x55));
            c.punpcklqdq(d, d);
        } else {
            c.pshufhw(d, a, static_cast<u8>((index - 4) * 0x55));
            c.punpckhqdq(d, d);
        }
        break;
    case 32: c.pshufd(d, a, static_cast<u8>(index * 0x55)); break;
    default: c.pshufd(d, a, index == 0 ? 0x44 : 0xee); break;
    }
}
template <unsigned lane>
void insert_lane(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const unsigned to = static_cast<unsigned>(in.imm & 15);
    const unsigned from = static_cast<unsigned>((in.imm >> 8) & 15);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    switch (lane) {
    case 8:
        c.pextrb(c.eax, b, static_cast<u8>(from));
        c.move(index_of(d), index_of(a));
        c.pinsrb(d, c.eax, static_cast<u8>(to));
        break;
    case 16:
        c.pextrw(c.eax, b, static_cast<u8>(from));
        c.move(index_of(d), index_of(a));
        c.pinsrw(d, c.eax, static_cast<u8>(to));
        break;
    case 32:
        c.move(index_of(d), index_of(a));
        c.insertps(d, b, static_cast<u8>(from << 6 | to << 4));
        break;
    default:
        if (to == 1) {
            c.move(index_of(d), index_of(a));
            c.shufpd(d, b, static_cast<u8>(from << 1));
        } else {
            c.movaps(s0(), b);
            c.shufpd(s0(), a, static_cast<u8>(from | 2));
            c.movaps(d, s0());
        }
        break;
    }
}

#define BINARY(name, op)                                                                           \
    void name(BlockCompiler &c, const Inst &in, ValueId id) {                                      \
        binary(c, in, id, op);                                                                     \
    }
BINARY(zip1_8, punpcklbw)
BINARY(zip1_16, punpcklwd)
BINARY(zip1_32, punpckldq)
BINARY(zip1_64, punpcklqdq)
BINARY(zip2_8, punpckhbw)
BINARY(zip2_16, punpckhwd)
BINARY(zip2_32, punpckhdq)
BINARY(zip2_64, punpckhqdq)
BINARY(vand, pand)
BINARY(vor, por)
BINARY(vxor, pxor)
#undef BINARY

void and_not(BlockCompiler &c, const Inst &in, ValueId id) {
    binary_swapped(c, in, id, pandn);
}

template <unsigned lane, bool is_odd>
void uzp(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    unzip(c, lane, is_odd, d, a, b, s0());
}

template <unsigned lane, bool is_odd>
void trn(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if constexpr (lane == 32) {
        // The wanted lanes of one argument where the other's are in place.
        if (is_odd) {
            c.pshufd(d, a, 0xf5);
            c.pblendw(d, b, 0xcc);
        } else {
            c.pshufd(s0(), b, 0xa0);
            c.movaps(d, a);
            c.pblendw(d, s0(), 0xcc);
        }
    } else if constexpr (lane == 16) {
        if (is_odd) {
            shift(c, Shift::Right, 32, d, a, 16);
            c.pblendw(d, b, 0xaa);
        } else {
            shift(c, Shift::Left, 32, s0(), b, 16);
            c.movaps(d, a);
            c.pblendw(d, s0(), 0xaa);
        }
    } else {
        if (is_odd) {
            shift(c, Shift::Right, 16, d, a, 8);
            c.movaps(s0(), c.CONSTANT(words_00ff));
            c.pandn(s0(), b);
        } else {
            shift(c, Shift::Left, 16, s0(), b, 8);
            c.movaps(d, a);
            c.pand(d, c.CONSTANT(words_00ff));
        }
        c.por(d, s0());
    }
}

void extract(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const auto count = static_cast<u8>(in.imm);
    c.consume();
    if (c.host().avx) {
        c.unlock();
        c.vpalignr(c.def_x(id, index_of(b)), b, a, count);
        return;
    }
    const Xmm d = c.def_x(id, index_of(b));
    c.move(index_of(d), index_of(b));
    c.palignr(d, a, count);
}

/// PSHUFB looks at bits 7 and 3:0 of an index: adding 0x70 with saturation sets bit 7 of all that
/// are out of range.
void table(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.movaps(s0(), b);
    c.paddusb(s0(), c.CONSTANT(table_limit));
    c.consume();
    c.unlock();
    pshufb(c, c.def_x(id, index_of(a)), a, s0());
}
void table_extend(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm indices = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    c.movaps(s0(), indices);
    c.paddusb(s0(), c.CONSTANT(table_limit));
    pshufb(c, d, b, s0());
    c.pxor(s1(), s1());
    c.pcmpgtb(s1(), s0());
    c.pand(s1(), a);
    c.por(d, s1());
}

template <std::size_t constant>
void shuffle_bytes(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    pshufb(c, d, a, c.constant_operand(constant));
}
template <u8 order>
void reverse_words(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.pshuflw(d, a, order);
    c.pshufhw(d, d, order);
}
void reverse64_32(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.pshufd(c.def_x(id, index_of(a)), a, 0xb1);
}

void select(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm mask = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    if (c.host().avx512) {
        c.vmovdqa(d, mask);
        c.vpternlogd(d, a, b, 0xca);
        return;
    }
    pxor(c, d, a, b);
    pand(c, d, d, mask);
    pxor(c, d, d, b);
}

void or_not(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.pcmpeqd(s0(), s0());
    c.pxor(s0(), b);
    c.consume();
    c.unlock();
    por(c, c.def_x(id, index_of(a)), a, s0());
}
void vnot(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    c.pcmpeqd(s0(), s0());
    pxor(c, c.def_x(id, index_of(a)), a, s0());
}

/// A table of 16 for the low and one for the high nibble of every byte, joined.
template <std::size_t low, std::size_t high, bool adds>
void by_nibbles(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movaps(s0(), c.CONSTANT(bytes_0f));
    pand(c, s1(), a, s0());
    c.movaps(d, c.constant_operand(low));
    c.pshufb(d, s1());
    shift(c, Shift::Right, 16, s1(), a, 4);
    c.pand(s1(), s0());
    c.movaps(s0(), c.constant_operand(high));
    c.pshufb(s0(), s1());
    if (adds)
        c.paddb(d, s0());
    else
        c.por(d, s0());
}

} // namespace

BlockCompiler::Emitter vector_move_emitter(Opcode op) {
#define LANES(name, function)                                                                      \
    case Opcode::name##8: return function<8>;                                                      \
    case Opcode::name##16: return function<16>;                                                    \
    case Opcode::name##32: return function<32>;                                                    \
    case Opcode::name##64: return function<64>;
#define TABLE(member) offsetof(RuntimeConstants, member)
    // clang-format off
    switch (op) {
        LANES(VGet, get)
        LANES(VSet, set)
        LANES(VDup, dup)
        LANES(VDupLane, dup_lane)
        LANES(VInsertLane, insert_lane)
    case Opcode::VZero: return vzero;
    case Opcode::VConst64: return vconst;
    case Opcode::VFromI64: return from_i64;
    case Opcode::VCombine: return combine;
    case Opcode::VZeroUpper64: return zero_upper;
    case Opcode::VFromF16: return from_fp<16>;
    case Opcode::VFromF32: return from_fp<32>;
    case Opcode::VFromF64: return from_fp<64>;
    case Opcode::VToF16: return to_fp<16>;
    case Opcode::VToF32: return to_fp<32>;
    case Opcode::VToF64: return to_fp<64>;
    case Opcode::VZip1_8: return zip1_8;
    case Opcode::VZip1_16: return zip1_16;
    case Opcode::VZip1_32: return zip1_32;
    case Opcode::VMergeHigh64:
    case Opcode::VUzp1_64:
    case Opcode::VTrn1_64:
    case Opcode::VZip1_64: return zip1_64;
    case Opcode::VZip2_8: return zip2_8;
    case Opcode::VZip2_16: return zip2_16;
    case Opcode::VZip2_32: return zip2_32;
    case Opcode::VUzp2_64:
    case Opcode::VTrn2_64:
    case Opcode::VZip2_64: return zip2_64;
    case Opcode::VUzp1_8: return uzp<8, false>;
    case Opcode::VUzp1_16: return uzp<16, false>;
    case Opcode::VUzp1_32: return uzp<32, false>;
    case Opcode::VUzp2_8: return uzp<8, true>;
    case Opcode::VUzp2_16: return uzp<16, true>;
    case Opcode::VUzp2_32: return uzp<32, true>;
    case Opcode::VTrn1_8: return trn<8, false>;
    case Opcode::VTrn1_16: return trn<16, false>;
    case Opcode::VTrn1_32: return trn<32, false>;
    case Opcode::VTrn2_8: return trn<8, true>;
    case Opcode::VTrn2_16: return trn<16, true>;
    case Opcode::VTrn2_32: return trn<32, true>;
    case Opcode::VExtract: return extract;
    case Opcode::VTable: return table;
    case Opcode::VTableExtend: return table_extend;
    case Opcode::VReverse16_8: return shuffle_bytes<TABLE(reverse16_8)>;
    case Opcode::VReverse32_8: return shuffle_bytes<TABLE(reverse32_8)>;
    case Opcode::VReverse64_8: return shuffle_bytes<TABLE(reverse64_8)>;
    case Opcode::VReverse32_16: return reverse_words<0xb1>;
    case Opcode::VReverse64_16: return reverse_words<0x1b>;
    case Opcode::VReverse64_32: return reverse64_32;
    case Opcode::VSelect: return select;
    case Opcode::VAnd: return vand;
    case Opcode::VOr: return vor;
    case Opcode::VXor: return vxor;
    case Opcode::VAndNot: return and_not;
    case Opcode::VOrNot: return or_not;
    case Opcode::VNot: return vnot;
    case Opcode::VReverseBits8:
        return by_nibbles<TABLE(reverse_low_nibbles), TABLE(reverse_high_nibbles), false>;
    case Opcode::VPopulation8:
        return by_nibbles<TABLE(popcount_nibbles), TABLE(popcount_nibbles), true>;
    default: return nullptr;
    }
    // clang-format on
#undef LANES
#undef TABLE
}

} // namespace tandem::jit
