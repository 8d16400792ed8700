// Vector integer arithmetic and comparison.
#include "jit/baseline/vector_moves.h"
#include "jit/baseline/vector_ops.h"
#include "support/check.h"

namespace tandem::jit {
namespace {
using namespace vec;

/// The instruction of a lane width.
template <unsigned lane, typename A, typename B, typename C, typename D>
constexpr auto by_lane(A a, B b, C c, D d) {
    if constexpr (lane == 8)
        return a;
    else if constexpr (lane == 16)
        return b;
    else if constexpr (lane == 32)
        return c;
    else
        return d;
}
template <unsigned lane>
constexpr auto kAdd = by_lane<lane>(paddb, paddw, paddd, paddq);
template <unsigned lane>
constexpr auto kSub = by_lane<lane>(psubb, psubw, psubd, psubq);
template <unsigned lane>
constexpr auto kEqual = by_lane<lane>(pcmpeqb, pcmpeqw, pcmpeqd, pcmpeqq);
template <unsigned lane>
constexpr auto kGreater = by_lane<lane>(pcmpgtb, pcmpgtw, pcmpgtd, pcmpgtq);
template <unsigned lane>
constexpr auto kMaxS = by_lane<lane>(pmaxsb, pmaxsw, pmaxsd, nullptr);
template <unsigned lane>
constexpr auto kMaxU = by_lane<lane>(pmaxub, pmaxuw, pmaxud, nullptr);
template <unsigned lane>
constexpr auto kMinS = by_lane<lane>(pminsb, pminsw, pminsd, nullptr);
template <unsigned lane>
constexpr auto kMinU = by_lane<lane>(pminub, pminuw, pminud, nullptr);

template <auto op>
void simple(BlockCompiler &c, const Inst &in, ValueId id) {
    binary(c, in, id, op);
}

/// d = ~d
void invert(BlockCompiler &c, const Xmm &d) {
    c.pcmpeqd(s0(), s0());
    c.pxor(d, s0());
}

template <unsigned lane>
void negate(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.pxor(s0(), s0());
    c.consume();
    c.unlock();
    kSub<lane>(c, c.def_x(id, index_of(a)), s0(), a);
}
template <unsigned lane>
void absolute(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    switch (lane) {
    case 8: return c.pabsb(d, a);
    case 16: return c.pabsw(d, a);
    case 32: return c.pabsd(d, a);
    default:
        c.pxor(s0(), s0());
        c.pcmpgtq(s0(), a);
        pxor(c, d, a, s0());
        psubq(c, d, d, s0());
        return;
    }
}

/// a >= b is not b > a.
template <unsigned lane>
void greater_equal_signed(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(b));
    kGreater<lane>(c, d, b, a);
    invert(c, d);
}
/// a >= b if the larger is a; a > b if the smaller is not a.
template <unsigned lane, bool or_equal>
void greater_unsigned(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if constexpr (lane == 64) {
        // As signed numbers, the sign bits flipped.
        const Xmm x = or_equal ? b : a, y = or_equal ? a : b;
        c.movaps(s0(), c.CONSTANT(sign64));
        pxor(c, d, x, s0());
        c.pxor(s0(), y);
        c.pcmpgtq(d, s0());
        if (or_equal) invert(c, d);
    } else if constexpr (or_equal) {
        kMaxU<lane>(c, d, a, b);
        kEqual<lane>(c, d, d, a);
    } else {
        kMinU<lane>(c, d, a, b);
        kEqual<lane>(c, d, d, a);
        invert(c, d);
    }
}
template <unsigned lane>
void compare_test(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    pand(c, d, a, b);
    c.pxor(s0(), s0());
    kEqual<lane>(c, d, d, s0());
    invert(c, d);
}

template <unsigned lane, bool is_signed>
void abs_diff(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if constexpr (is_signed) {
        kMaxS<lane>(c, d, a, b);
        kMinS<lane>(c, s0(), a, b);
    } else {
        kMaxU<lane>(c, d, a, b);
        kMinU<lane>(c, s0(), a, b);
    }
    kSub<lane>(c, d, d, s0());
}

/// Adjacent pairs of both arguments.
template <unsigned lane, auto op>
void pairwise(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    const Xmm odd = c.temporary_x();
    unzip(c, lane, false, d, a, b, s0());
    unzip(c, lane, true, odd, a, b, s0());
    op(c, d, d, odd);
}

void multiply8(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    // Odd bytes by themselves in words, even ones as the low half of word products.
    shift(c, Shift::Right, 16, s0(), a, 8);
    shift(c, Shift::Right, 16, s1(), b, 8);
    c.pmullw(s0(), s1());
    c.psllw(s0(), 8);
    pmullw(c, d, a, b);
    c.pand(d, c.CONSTANT(words_00ff));
    c.por(d, s0());
}

/// floor((a + b) / 2) = (a & b) + ((a ^ b) >> 1)
void halving_add_u8(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    pxor(c, d, a, b);
    splat(c, s0(), repeat(8, 0xfe));
    c.pand(d, s0());
    c.psrlw(d, 1);
    pand(c, s0(), a, b);
    c.paddb(d, s0());
}
template <unsigned lane, bool is_signed>
void halving_add(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    pxor(c, d, a, b);
    shift(c, is_signed ? Shift::RightSigned : Shift::Right, lane, d, d, 1);
    pand(c, s0(), a, b);
    kAdd<lane>(c, d, d, s0());
}

// --- saturating: the cold path, taken when a lane has saturated, sets QC
// ---------------------------

void resume_here(BlockCompiler &c) {
    c.cold(c.last_cold()).resume = static_cast<u32>(c.getSize());
}
/// Leaves if x is not all zero.
void leave_unless_zero(BlockCompiler &c, const Inst &in, const Xmm &d, const Xmm &x) {
    c.ptest(x, x);
    const u32 jump = c.jump(CC::NE);
    BlockCompiler::add_jump(c.thunk_path(in, index_of(d)), jump);
    resume_here(c);
}

/// Saturated and plain result differ where it saturated.
template <auto saturating, auto plain>
void saturate(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    saturating(c, d, a, b);
    plain(c, s0(), a, b);
    c.pxor(s0(), d);
    leave_unless_zero(c, in, d, s0());
}

/// SQDMULH and SQRDMULH: only -1 * -1 saturates, and only it gives the minimum.
template <bool is_rounding>
void double_multiply_high16(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if (is_rounding) {
        pmulhrsw(c, d, a, b);
    } else {
        pmulhw(c, d, a, b);
        pmullw(c, s0(), a, b);
        c.psrlw(s0(), 15);
        c.psllw(d, 1);
        c.por(d, s0());
    }
    pcmpeqw(c, s0(), d, c.CONSTANT(words_80));
    leave_unless_zero(c, in, d, s0());
}

enum class Narrow : u8 { Signed, Unsigned, SignedToUnsigned };

/// From words to bytes or doublewords to words: what widens to something else has saturated.
template <unsigned lane, Narrow kind>
void narrow_saturating(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    c.pxor(s0(), s0());
    if constexpr (kind == Narrow::Unsigned) {
        if (lane == 8)
            c.pminuw(d, c.CONSTANT(words_00ff));
        else
            c.pminud(d, c.CONSTANT(dwords_ffff));
    }
    if constexpr (kind == Narrow::Signed)
        lane == 8 ? c.packsswb(d, s0()) : c.packssdw(d, s0());
    else
        lane == 8 ? c.packuswb(d, s0()) : c.packusdw(d, s0());
    if constexpr (kind == Narrow::Signed)
        lane == 8 ? c.pmovsxbw(s0(), d) : c.pmovsxwd(s0(), d);
    else
        lane == 8 ? c.pmovzxbw(s0(), d) : c.pmovzxwd(s0(), d);
    c.pxor(s0(), a);
    leave_unless_zero(c, in, d, s0());
}

// --- widening and narrowing
// --------------------------------------------------------------------------

template <unsigned lane, bool is_signed>
void emit_widen(BlockCompiler &c, const Xmm &d, const Xmm &a) {
    if constexpr (lane == 8)
        is_signed ? c.pmovsxbw(d, a) : c.pmovzxbw(d, a);
    else if constexpr (lane == 16)
        is_signed ? c.pmovsxwd(d, a) : c.pmovzxwd(d, a);
    else
        is_signed ? c.pmovsxdq(d, a) : c.pmovzxdq(d, a);
}
template <unsigned lane, bool is_signed>
void widen(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    emit_widen<lane, is_signed>(c, c.def_x(id, index_of(a)), a);
}
template <unsigned lane, bool is_signed>
void multiply_long(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if constexpr (lane == 32) {
        c.pshufd(d, a, 0x50);
        c.pshufd(s0(), b, 0x50);
        is_signed ? c.pmuldq(d, s0()) : c.pmuludq(d, s0());
    } else {
        emit_widen<lane, is_signed>(c, d, a);
        emit_widen<lane, is_signed>(c, s0(), b);
        lane == 8 ? c.pmullw(d, s0()) : c.pmulld(d, s0());
    }
}
template <unsigned lane, bool is_signed>
void add_long_pairs(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    if constexpr (lane == 8) {
        // PMADDUBSW multiplies unsigned by signed bytes.
        if (is_signed) {
            c.movaps(d, c.CONSTANT(bytes_01));
            c.pmaddubsw(d, a);
        } else {
            c.movaps(d, a);
            c.pmaddubsw(d, c.CONSTANT(bytes_01));
        }
    } else if constexpr (lane == 16 && is_signed) {
        c.movaps(d, a);
        c.pmaddwd(d, c.CONSTANT(words_01));
    } else if constexpr (lane == 16) {
        shift(c, Shift::Right, 32, d, a, 16);
        c.movaps(s0(), a);
        c.pand(s0(), c.CONSTANT(dwords_ffff));
        c.paddd(d, s0());
    } else if constexpr (is_signed) {
        // PMULDQ by one extends the even lanes.
        splat(c, s0(), 1);
        shift(c, Shift::Right, 64, d, a, 32);
        c.pmuldq(d, s0());
        c.pmuldq(s0(), a);
        c.paddq(d, s0());
    } else {
        shift(c, Shift::Right, 64, d, a, 32);
        shift(c, Shift::Left, 64, s0(), a, 32);
        c.psrlq(s0(), 32);
        c.paddq(d, s0());
    }
}

// --- across lanes
// ----------------------------------------------------------------------------------------

/// Lane 0 of x, zero-extended.
template <unsigned lane>
void emit_only_lane0(BlockCompiler &c, const Xmm &d, const Xmm &x) {
    if constexpr (lane == 8)
        c.pextrb(c.eax, x, 0);
    else if constexpr (lane == 16)
        c.pextrw(c.eax, x, 0);
    else
        c.movd(c.eax, x);
    c.movd(d, c.eax);
}
template <unsigned lane, auto op>
void across(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    const auto bytes = static_cast<unsigned>(in.imm) * lane / 8;
    c.movaps(d, a);
    for (unsigned distance = bytes / 2; distance >= lane / 8; distance /= 2) {
        c.movaps(s0(), d);
        c.psrldq(s0(), static_cast<int>(distance));
        op(c, d, d, s0());
    }
    emit_only_lane0<lane>(c, d, d);
}
/// Sums of bytes: PSADBW. UADDLV's result has 16 bits, ADDV's 8.
template <unsigned result_lane>
void across_add_bytes(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.pxor(s0(), s0());
    psadbw(c, d, a, s0());
    if (in.imm == 16) {
        c.pshufd(s0(), d, 0xee);
        c.paddw(d, s0());
    }
    emit_only_lane0<result_lane>(c, d, d);
}

// --- dot products
// --------------------------------------------------------------------------------------------

/// Sums of four products of bytes: even and odd bytes as words, multiplied and added in pairs.
template <bool b_signed, bool c_signed>
void dot(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm sum = c.use_x(in.args[0]);
    const Xmm x = c.use_x(in.args[1]);
    const Xmm y = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    const auto even = [&](const Xmm &to, const Xmm &from, bool is_signed) {
        shift(c, Shift::Left, 16, to, from, 8);
        shift(c, is_signed ? Shift::RightSigned : Shift::Right, 16, to, to, 8);
    };
    const auto odd = [&](const Xmm &to, const Xmm &from, bool is_signed) {
        shift(c, is_signed ? Shift::RightSigned : Shift::Right, 16, to, from, 8);
    };
    even(s0(), x, b_signed);
    even(s1(), y, c_signed);
    c.pmaddwd(s0(), s1());
    paddd(c, d, sum, s0());
    odd(s0(), x, b_signed);
    odd(s1(), y, c_signed);
    c.pmaddwd(s0(), s1());
    c.paddd(d, s0());
}

} // namespace

BlockCompiler::Emitter vector_integer_emitter(Opcode op, const HostFeatures &) {
    // clang-format off
#define OP(name, function, lane) case Opcode::name##lane: return function;
#define LANES_32(name, function)                                                                   \
    OP(name, function<8>, 8) OP(name, function<16>, 16) OP(name, function<32>, 32)
#define LANES(name, function) LANES_32(name, function) OP(name, function<64>, 64)
#define SIMPLE(name, lane, op) OP(name, simple<op>, lane)
    switch (op) {
        SIMPLE(VAdd, 8, paddb) SIMPLE(VAdd, 16, paddw) SIMPLE(VAdd, 32, paddd) SIMPLE(VAdd, 64, paddq)
        SIMPLE(VSub, 8, psubb) SIMPLE(VSub, 16, psubw) SIMPLE(VSub, 32, psubd) SIMPLE(VSub, 64, psubq)
        SIMPLE(VCompareEqual, 8, pcmpeqb) SIMPLE(VCompareEqual, 16, pcmpeqw)
        SIMPLE(VCompareEqual, 32, pcmpeqd) SIMPLE(VCompareEqual, 64, pcmpeqq)
        SIMPLE(VCompareGreaterS, 8, pcmpgtb) SIMPLE(VCompareGreaterS, 16, pcmpgtw)
        SIMPLE(VCompareGreaterS, 32, pcmpgtd) SIMPLE(VCompareGreaterS, 64, pcmpgtq)
        SIMPLE(VMaxS, 8, pmaxsb) SIMPLE(VMaxS, 16, pmaxsw) SIMPLE(VMaxS, 32, pmaxsd)
        SIMPLE(VMaxU, 8, pmaxub) SIMPLE(VMaxU, 16, pmaxuw) SIMPLE(VMaxU, 32, pmaxud)
        SIMPLE(VMinS, 8, pminsb) SIMPLE(VMinS, 16, pminsw) SIMPLE(VMinS, 32, pminsd)
        SIMPLE(VMinU, 8, pminub) SIMPLE(VMinU, 16, pminuw) SIMPLE(VMinU, 32, pminud)
        SIMPLE(VMul, 16, pmullw) SIMPLE(VMul, 32, pmulld)
        SIMPLE(VRoundHalvingAddU, 8, pavgb) SIMPLE(VRoundHalvingAddU, 16, pavgw)
        LANES(VNeg, negate)
        LANES(VAbs, absolute)
        LANES(VCompareGreaterEqualS, greater_equal_signed)
        LANES(VCompareTest, compare_test)
        OP(VMul, multiply8, 8)
        OP(VHalvingAddU, halving_add_u8, 8)
        OP(VHalvingAddU, (halving_add<16, false>), 16)
        OP(VHalvingAddU, (halving_add<32, false>), 32)
        OP(VHalvingAddS, (halving_add<16, true>), 16)
        OP(VHalvingAddS, (halving_add<32, true>), 32)
        OP(VSatAddS, (saturate<paddsb, paddb>), 8)
        OP(VSatAddS, (saturate<paddsw, paddw>), 16)
        OP(VSatAddU, (saturate<paddusb, paddb>), 8)
        OP(VSatAddU, (saturate<paddusw, paddw>), 16)
        OP(VSatSubS, (saturate<psubsb, psubb>), 8)
        OP(VSatSubS, (saturate<psubsw, psubw>), 16)
        OP(VSatSubU, (saturate<psubusb, psubb>), 8)
        OP(VSatSubU, (saturate<psubusw, psubw>), 16)
        OP(VSatDoubleMulHigh, double_multiply_high16<false>, 16)
        OP(VSatRoundDoubleMulHigh, double_multiply_high16<true>, 16)
        OP(VNarrowSatS, (narrow_saturating<8, Narrow::Signed>), 8)
        OP(VNarrowSatS, (narrow_saturating<16, Narrow::Signed>), 16)
        OP(VNarrowSatU, (narrow_saturating<8, Narrow::Unsigned>), 8)
        OP(VNarrowSatU, (narrow_saturating<16, Narrow::Unsigned>), 16)
        OP(VNarrowSatSU, (narrow_saturating<8, Narrow::SignedToUnsigned>), 8)
        OP(VNarrowSatSU, (narrow_saturating<16, Narrow::SignedToUnsigned>), 16)
        OP(VAddPairwise, (pairwise<8, paddb>), 8)
        OP(VAddPairwise, simple<phaddw>, 16)
        OP(VAddPairwise, simple<phaddd>, 32)
        OP(VAddPairwise, (pairwise<64, paddq>), 64)
        OP(VAcrossAdd, across_add_bytes<8>, 8)
        OP(VAcrossAddLongU, across_add_bytes<16>, 8)
#define BOTH_SIGNS(lane)                                                                           \
    OP(VCompareGreaterU, (greater_unsigned<lane, false>), lane)                                    \
    OP(VCompareGreaterEqualU, (greater_unsigned<lane, true>), lane)
        BOTH_SIGNS(8) BOTH_SIGNS(16) BOTH_SIGNS(32) BOTH_SIGNS(64)
#undef BOTH_SIGNS
#define EACH(lane, max_s, max_u, min_s, min_u)                                                     \
    OP(VAbsDiffS, (abs_diff<lane, true>), lane)                                                    \
    OP(VAbsDiffU, (abs_diff<lane, false>), lane)                                                   \
    OP(VMaxPairwiseS, (pairwise<lane, max_s>), lane)                                               \
    OP(VMaxPairwiseU, (pairwise<lane, max_u>), lane)                                               \
    OP(VMinPairwiseS, (pairwise<lane, min_s>), lane)                                               \
    OP(VMinPairwiseU, (pairwise<lane, min_u>), lane)                                               \
    OP(VWidenS, (widen<lane, true>), lane)                                                         \
    OP(VWidenU, (widen<lane, false>), lane)                                                        \
    OP(VMulLongS, (multiply_long<lane, true>), lane)                                               \
    OP(VMulLongU, (multiply_long<lane, false>), lane)                                              \
    OP(VPairwiseAddLongS, (add_long_pairs<lane, true>), lane)                                      \
    OP(VPairwiseAddLongU, (add_long_pairs<lane, false>), lane)                                     \
    OP(VAcrossMaxS, (across<lane, max_s>), lane)                                                   \
    OP(VAcrossMaxU, (across<lane, max_u>), lane)                                                   \
    OP(VAcrossMinS, (across<lane, min_s>), lane)                                                   \
    OP(VAcrossMinU, (across<lane, min_u>), lane)
        EACH(8, pmaxsb, pmaxub, pminsb, pminub)
        EACH(16, pmaxsw, pmaxuw, pminsw, pminuw)
        EACH(32, pmaxsd, pmaxud, pminsd, pminud)
#undef EACH
        OP(VAcrossAdd, (across<16, paddw>), 16)
        OP(VAcrossAdd, (across<32, paddd>), 32)
    case Opcode::VDotS: return dot<true, true>;
    case Opcode::VDotU: return dot<false, false>;
    case Opcode::VDotUS: return dot<false, true>;
    default: return nullptr;
    }
// clang-format on
#undef OP
#undef LANES
#undef LANES_32
#undef SIMPLE
}

} // namespace tandem::jit
