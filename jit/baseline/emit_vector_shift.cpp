// Vector shifts, and narrowing.
#include "jit/baseline/vector_ops.h"

namespace tandem::jit {
namespace {
using namespace vec;

/// d = a << n or a >> n, zeros coming in; n may be the lane's width.
template <unsigned lane>
void emit_logical(BlockCompiler &c, bool is_left, const Xmm &d, const Xmm &a, unsigned n) {
    const Shift kind = is_left ? Shift::Left : Shift::Right;
    if constexpr (lane == 8) {
        // x86 has no byte shifts: shift words, drop what came from the neighbour. Uses s0.
        if (n >= 8) return c.pxor(d, d);
        shift(c, kind, 16, d, a, n);
        if (n == 0) return;
        splat(c, s0(), repeat(8, is_left ? u64{0xff} << n : u64{0xff} >> n));
        c.pand(d, s0());
    } else {
        shift(c, kind, lane, d, a, n);
    }
}
/// d = a >> n, copies of the sign coming in; n is 1 to the lane's width. Uses s0 and s1; d is not
/// a.
template <unsigned lane>
void emit_arithmetic(BlockCompiler &c, const Xmm &d, const Xmm &a, unsigned n) {
    if constexpr (lane == 8) {
        // ((x >> n) ^ m) - m, where m is the sign's new place.
        if (n > 7) n = 7;
        emit_logical<8>(c, false, d, a, n);
        splat(c, s0(), repeat(8, u64{0x80} >> n));
        c.pxor(d, s0());
        c.psubb(d, s0());
    } else if constexpr (lane == 64) {
        c.pxor(s0(), s0());
        c.pcmpgtq(s0(), a);
        if (n >= 64) return c.movaps(d, s0());
        c.psllq(s0(), static_cast<int>(64 - n));
        shift(c, Shift::Right, 64, d, a, n);
        c.por(d, s0());
    } else {
        shift(c, Shift::RightSigned, lane, d, a, n);
    }
}

template <unsigned lane, bool is_left>
void logical(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    emit_logical<lane>(c, is_left, d, a, static_cast<unsigned>(in.imm));
}
template <unsigned lane>
void shift_left(BlockCompiler &c, const Inst &in, ValueId id) {
    logical<lane, true>(c, in, id);
}
template <unsigned lane>
void shift_right(BlockCompiler &c, const Inst &in, ValueId id) {
    logical<lane, false>(c, in, id);
}
template <unsigned lane>
void shift_right_signed(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    emit_arithmetic<lane>(c, d, a, static_cast<unsigned>(in.imm));
}

/// x = the last bit shifted out by n, in bit 0.
template <unsigned lane>
void emit_round_bit(BlockCompiler &c, const Xmm &x, const Xmm &a, unsigned n) {
    if constexpr (lane == 8) {
        shift(c, Shift::Right, 16, x, a, n - 1);
        c.pand(x, c.CONSTANT(bytes_01));
    } else {
        shift(c, Shift::Left, lane, x, a, lane - n);
        shift(c, Shift::Right, lane, x, x, lane - 1);
    }
}
/// (a >> n) + the last bit shifted out.
template <unsigned lane, bool is_signed>
void round_right(BlockCompiler &c, const Inst &in, ValueId id) {
    const auto n = static_cast<unsigned>(in.imm);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    if constexpr (is_signed)
        emit_arithmetic<lane>(c, d, a, n);
    else
        emit_logical<lane>(c, false, d, a, n);
    emit_round_bit<lane>(c, s0(), a, n);
    if constexpr (lane == 8)
        c.paddb(d, s0());
    else if constexpr (lane == 16)
        c.paddw(d, s0());
    else if constexpr (lane == 32)
        c.paddd(d, s0());
    else
        c.paddq(d, s0());
}
template <unsigned lane>
void round_right_signed(BlockCompiler &c, const Inst &in, ValueId id) {
    round_right<lane, true>(c, in, id);
}
template <unsigned lane>
void round_right_unsigned(BlockCompiler &c, const Inst &in, ValueId id) {
    round_right<lane, false>(c, in, id);
}

/// SLI and SRI: b shifted, and of a the bits where zeros came in.
template <unsigned lane, bool is_left>
void insert(BlockCompiler &c, const Inst &in, ValueId id) {
    const auto n = static_cast<unsigned>(in.imm);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    emit_logical<lane>(c, is_left, d, b, n);
    const u64 kept = is_left ? ones(n) : ones(lane) & ~ones(lane - n);
    splat(c, s0(), repeat(lane, kept));
    c.pand(s0(), a);
    c.por(d, s0());
}
template <unsigned lane>
void insert_left(BlockCompiler &c, const Inst &in, ValueId id) {
    insert<lane, true>(c, in, id);
}
template <unsigned lane>
void insert_right(BlockCompiler &c, const Inst &in, ValueId id) {
    insert<lane, false>(c, in, id);
}

/// USHL and SSHL by AVX2's variable shifts, whose counts beyond the width give zeros (or signs).
template <unsigned lane, bool is_signed>
void by_register(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    const Xmm left = c.temporary_x();
    if constexpr (lane == 32) {
        c.vpslld(s0(), b, 24);
        c.vpsrad(s0(), s0(), 24);
        c.vpxor(s1(), s1(), s1());
        c.vpsubd(s1(), s1(), s0());
        c.vpsllvd(left, a, s0());
        if (is_signed) {
            c.vpsravd(d, a, s1());
            c.vblendvps(d, left, d, s0());
        } else {
            c.vpsrlvd(d, a, s1());
            c.vpor(d, d, left);
        }
    } else if constexpr (lane == 64) {
        // Counts as unsigned bytes: those of the other direction are too large.
        c.vpsllq(s0(), b, 56);
        c.vpxor(s1(), s1(), s1());
        c.vpsubq(s1(), s1(), s0());
        c.vpsrlq(s1(), s1(), 56);
        c.vpsrlq(left, s0(), 56);
        c.vpsllvq(left, a, left);
        if (is_signed) {
            c.vpsravq(d, a, s1());
            c.vblendvpd(d, left, d, s0());
        } else {
            c.vpsrlvq(d, a, s1());
            c.vpor(d, d, left);
        }
    } else {
        // Words, as above with 16-bit instructions of AVX-512BW.
        c.vpsllw(s0(), b, 8);
        c.vpsraw(s0(), s0(), 8);
        c.vpxor(s1(), s1(), s1());
        c.vpsubw(s1(), s1(), s0());
        c.vpsllvw(left, a, s0());
        if (is_signed) {
            c.vpsravw(d, a, s1());
            c.vpblendvb(d, left, d, s0());
            // VPBLENDVB looks at each byte's sign: both bytes of a count have the same.
        } else {
            c.vpsrlvw(d, a, s1());
            c.vpor(d, d, left);
        }
    }
}

/// The low halves of the lanes, packed.
template <unsigned lane>
void emit_narrow(BlockCompiler &c, const Xmm &d, const Xmm &a) {
    if constexpr (lane == 8) {
        pshufb(c, d, a, c.CONSTANT(even_bytes));
    } else if constexpr (lane == 16) {
        pshufb(c, d, a, c.CONSTANT(even_words));
    } else {
        c.pshufd(d, a, 0x08);
        c.movq(d, d);
    }
}
template <unsigned lane>
void narrow(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    emit_narrow<lane>(c, c.def_x(id, index_of(a)), a);
}
/// Adding half of the last place may carry out of the lane: of a bit that narrowing drops.
template <unsigned lane>
void shift_narrow(BlockCompiler &c, const Inst &in, ValueId id) {
    const auto n = static_cast<unsigned>(bits(in.imm, 15, 8));
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    Xmm source = a;
    if (bit(in.imm, 16)) {
        splat(c, d, repeat(2 * lane, u64{1} << (n - 1)));
        if constexpr (lane == 8)
            c.paddw(d, a);
        else if constexpr (lane == 16)
            c.paddd(d, a);
        else
            c.paddq(d, a);
        source = d;
    }
    shift(c, Shift::Right, 2 * lane, d, source, n);
    emit_narrow<lane>(c, d, d);
}

} // namespace

BlockCompiler::Emitter vector_shift_emitter(Opcode op, const HostFeatures &host) {
#define LANES_32(name, function)                                                                   \
    case Opcode::name##8: return function<8>;                                                      \
    case Opcode::name##16: return function<16>;                                                    \
    case Opcode::name##32: return function<32>;
#define LANES(name, function)                                                                      \
    LANES_32(name, function)                                                                       \
    case Opcode::name##64: return function<64>;
    // clang-format off
    switch (op) {
        LANES(VShlImm, shift_left)
        LANES(VLsrImm, shift_right)
        LANES(VAsrImm, shift_right_signed)
        LANES(VRoundLsrImm, round_right_unsigned)
        LANES(VRoundAsrImm, round_right_signed)
        LANES(VShlInsert, insert_left)
        LANES(VShrInsert, insert_right)
        LANES_32(VNarrow, narrow)
        LANES_32(VShrNarrow, shift_narrow)
    case Opcode::VShlU16: return host.avx512 ? by_register<16, false> : nullptr;
    case Opcode::VShlS16: return host.avx512 ? by_register<16, true> : nullptr;
    case Opcode::VShlU32: return host.avx2 ? by_register<32, false> : nullptr;
    case Opcode::VShlS32: return host.avx2 ? by_register<32, true> : nullptr;
    case Opcode::VShlU64: return host.avx2 ? by_register<64, false> : nullptr;
    case Opcode::VShlS64: return host.avx512 ? by_register<64, true> : nullptr;
    default: return nullptr;
    }
    // clang-format on
#undef LANES
#undef LANES_32
}

} // namespace tandem::jit
