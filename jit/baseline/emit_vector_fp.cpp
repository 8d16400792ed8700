// Vector floating point: as emit_fp.cpp, with one check for all lanes. The cold path does the whole
// vector again.
#include "jit/baseline/fp_ops.h"
#include "jit/baseline/vector_moves.h"
#include "jit/baseline/vector_ops.h"

namespace tandem::jit {
namespace {
using namespace fp;
using namespace vec;

// clang-format off
#define OP(name) constexpr auto name = TANDEM_XMM_OP(name);
OP(addps) OP(addpd) OP(subps) OP(subpd) OP(mulps) OP(mulpd) OP(divps) OP(divpd)
OP(maxps) OP(maxpd) OP(minps) OP(minpd)
#undef OP
    // clang-format on

    void leave_unless_zero(BlockCompiler &c, const Inst &in, const Xmm &d, const Xmm &x) {
    c.ptest(x, x);
    const u32 jump = c.jump(CC::NE);
    BlockCompiler::add_jump(c.thunk_path(in, index_of(d)), jump);
}
template <unsigned width>
void compare(BlockCompiler &c, const Xmm &a, const Operand &b, u8 predicate) {
    if (width == 64)
        c.cmppd(a, b, predicate);
    else
        c.cmpps(a, b, predicate);
}
constexpr u8 kEqual = 0, kLess = 1, kLessEqual = 2, kUnordered = 3;

/// s0 = which lanes the cold path must see: NaNs, and the smallest normal number if `checks_tiny`.
template <unsigned width>
void emit_suspicious(BlockCompiler &c, const Xmm &d, bool checks_tiny) {
    const auto absolute = width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32);
    const auto minimum = width == 64 ? c.CONSTANT(min_normal64) : c.CONSTANT(min_normal32);
    if (c.host().avx) {
        constexpr u8 kEqualOrUnordered = 8; // EQ_UQ
        const auto vcompare = [&c](const Xmm &x, const Operand &y, u8 predicate) {
            if (width == 64)
                c.vcmppd(s0(), x, y, predicate);
            else
                c.vcmpps(s0(), x, y, predicate);
        };
        if (!checks_tiny) return vcompare(d, d, kUnordered);
        c.vandps(s0(), d, absolute);
        return vcompare(s0(), minimum, kEqualOrUnordered);
    }
    c.movaps(s0(), d);
    compare<width>(c, s0(), s0(), kUnordered);
    if (!checks_tiny) return;
    c.movaps(s1(), d);
    c.andps(s1(), absolute);
    compare<width>(c, s1(), minimum, kEqual);
    c.orps(s0(), s1());
}
template <unsigned width>
void check_result(BlockCompiler &c, const Inst &in, const Xmm &d, bool checks_tiny) {
    emit_suspicious<width>(c, d, checks_tiny);
    leave_unless_zero(c, in, d, s0());
}

template <unsigned width, bool checks_tiny, auto op>
void arithmetic(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    op(c, d, a, b);
    check_result<width>(c, in, d, checks_tiny);
    resume_here(c);
}

template <unsigned width>
void add_pairwise(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    if (width == 64)
        c.haddpd(d, b);
    else
        c.haddps(d, b);
    check_result<width>(c, in, d, false);
    resume_here(c);
}

template <unsigned width>
void abs_diff(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    if (width == 64)
        subpd(c, d, a, b);
    else
        subps(c, d, a, b);
    check_result<width>(c, in, d, false);
    c.andps(d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    resume_here(c);
}

template <unsigned width>
void sqrt(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    if (width == 64)
        c.sqrtpd(d, a);
    else
        c.sqrtps(d, a);
    check_result<width>(c, in, d, false);
    resume_here(c);
}

template <unsigned width>
void mul_add(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm m = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    c.vmovaps(d, a);
    if (width == 64)
        c.vfmadd231pd(d, b, m);
    else
        c.vfmadd231ps(d, b, m);
    check_result<width>(c, in, d, true);
    resume_here(c);
}

/// See min_max in emit_fp.cpp: both orders, joined; NaNs are left out before.
template <unsigned width, bool is_max>
void emit_min_max(BlockCompiler &c, const Inst &in, const Xmm &d, const Xmm &a, const Xmm &b,
                  const Xmm &scratch) {
    c.movaps(scratch, a);
    compare<width>(c, scratch, b, kUnordered);
    leave_unless_zero(c, in, d, scratch);
    const auto op = [&](const Xmm &to, const Xmm &x, const Xmm &y) {
        if constexpr (width == 64)
            is_max ? maxpd(c, to, x, y) : minpd(c, to, x, y);
        else
            is_max ? maxps(c, to, x, y) : minps(c, to, x, y);
    };
    op(scratch, b, a);
    op(d, a, b);
    if (is_max)
        c.andps(d, scratch);
    else
        c.orps(d, scratch);
}
template <unsigned width, bool is_max>
void min_max(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    emit_min_max<width, is_max>(c, in, d, a, b, s0());
    resume_here(c);
}
template <unsigned width, bool is_max>
void min_max_pairwise(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    const Xmm odd = c.temporary_x();
    unzip(c, width, false, d, a, b, s0());
    unzip(c, width, true, odd, a, b, s0());
    emit_min_max<width, is_max>(c, in, d, d, odd, s0());
    resume_here(c);
}

template <unsigned width, bool is_absolute>
void sign(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.move(index_of(d), index_of(a));
    if (is_absolute)
        c.andps(d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    else
        c.xorps(d, width == 64 ? c.CONSTANT(sign64) : c.CONSTANT(sign32));
}

/// The host's comparisons raise what ARM's do: "equal" for signalling NaNs, the others for all.
template <unsigned width, u8 predicate, bool is_absolute>
void compare_mask(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const bool swaps = predicate != kEqual;
    const Xmm x = c.use_x(in.args[swaps ? 1 : 0]);
    const Xmm y = c.use_x(in.args[swaps ? 0 : 1]);
    const Xmm d = c.def_x(id);
    c.movaps(d, x);
    if (is_absolute) {
        c.andps(d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
        c.movaps(s0(), y);
        c.andps(s0(), width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
        compare<width>(c, d, s0(), predicate);
    } else {
        compare<width>(c, d, y, predicate);
    }
}

template <unsigned width>
void emit_round(BlockCompiler &c, const Xmm &d, const Xmm &a, int mode, bool raises_inexact) {
    const auto imm = static_cast<u8>(mode | (raises_inexact ? 0 : 8));
    if (width == 64)
        c.roundpd(d, a, imm);
    else
        c.roundps(d, a, imm);
}
template <unsigned width>
void round_integral(BlockCompiler &c, const Inst &in, ValueId id) {
    const int mode = host_rounding(in);
    if (flushes_to_zero(in) || mode < 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    emit_round<width>(c, d, a, mode, bit(in.imm, 11));
    check_result<width>(c, in, d, false);
    resume_here(c);
}

/// Of the results only the "integer indefinite" value can be wrong.
void to_signed32(BlockCompiler &c, const Inst &in, ValueId id) {
    const int mode = host_rounding(in);
    if (flushes_to_zero(in) || mode < 0 || fraction_bits(in) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    if (mode == 3) {
        c.cvttps2dq(d, a);
    } else {
        emit_round<32>(c, d, a, mode, false);
        c.cvttps2dq(d, d);
    }
    c.movaps(s0(), c.CONSTANT(sign32));
    c.pcmpeqd(s0(), d);
    leave_unless_zero(c, in, d, s0());
    // Rounding again, for the inexact flag.
    if (mode != 3) emit_round<32>(c, s0(), a, mode, true);
    resume_here(c);
}
void from_signed32(BlockCompiler &c, const Inst &in, ValueId id) {
    if (fraction_bits(in) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    c.cvtdq2ps(c.def_x(id, index_of(a)), a);
}
void from_signed64(BlockCompiler &c, const Inst &in, ValueId id) {
    if (fraction_bits(in) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movq(c.rax, a);
    c.pextrq(c.rcx, a, 1);
    c.xorps(d, d);
    c.cvtsi2sd(d, c.rax);
    c.xorps(s0(), s0());
    c.cvtsi2sd(s0(), c.rcx);
    c.unpcklpd(d, s0());
}

void widen32(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.cvtps2pd(d, a);
    check_result<64>(c, in, d, false);
    resume_here(c);
}
void narrow32(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.cvtpd2ps(d, a);
    check_result<32>(c, in, d, true);
    resume_here(c);
}

} // namespace

BlockCompiler::Emitter vector_fp_emitter(Opcode op, const HostFeatures &host) {
#define BOTH(name, function32, function64)                                                         \
    case Opcode::name##32: return function32;                                                      \
    case Opcode::name##64: return function64;
    // clang-format off
    switch (op) {
        BOTH(VFAdd, (arithmetic<32, false, addps>), (arithmetic<64, false, addpd>))
        BOTH(VFSub, (arithmetic<32, false, subps>), (arithmetic<64, false, subpd>))
        BOTH(VFMul, (arithmetic<32, true, mulps>), (arithmetic<64, true, mulpd>))
        BOTH(VFDiv, (arithmetic<32, true, divps>), (arithmetic<64, true, divpd>))
        BOTH(VFAddPairwise, add_pairwise<32>, add_pairwise<64>)
        BOTH(VFAbsDiff, abs_diff<32>, abs_diff<64>)
        BOTH(VFSqrt, sqrt<32>, sqrt<64>)
        BOTH(VFMax, (min_max<32, true>), (min_max<64, true>))
        BOTH(VFMaxNum, (min_max<32, true>), (min_max<64, true>))
        BOTH(VFMin, (min_max<32, false>), (min_max<64, false>))
        BOTH(VFMinNum, (min_max<32, false>), (min_max<64, false>))
        BOTH(VFMaxPairwise, (min_max_pairwise<32, true>), (min_max_pairwise<64, true>))
        BOTH(VFMaxNumPairwise, (min_max_pairwise<32, true>), (min_max_pairwise<64, true>))
        BOTH(VFMinPairwise, (min_max_pairwise<32, false>), (min_max_pairwise<64, false>))
        BOTH(VFMinNumPairwise, (min_max_pairwise<32, false>), (min_max_pairwise<64, false>))
        BOTH(VFAbs, (sign<32, true>), (sign<64, true>))
        BOTH(VFNeg, (sign<32, false>), (sign<64, false>))
        BOTH(VFRound, round_integral<32>, round_integral<64>)
        BOTH(VFCompareEqual, (compare_mask<32, kEqual, false>), (compare_mask<64, kEqual, false>))
        BOTH(VFCompareGreater, (compare_mask<32, kLess, false>), (compare_mask<64, kLess, false>))
        BOTH(VFCompareGreaterEqual, (compare_mask<32, kLessEqual, false>),
             (compare_mask<64, kLessEqual, false>))
        BOTH(VFCompareAbsGreater, (compare_mask<32, kLess, true>), (compare_mask<64, kLess, true>))
        BOTH(VFCompareAbsGreaterEqual, (compare_mask<32, kLessEqual, true>),
             (compare_mask<64, kLessEqual, true>))
        BOTH(VSToF, from_signed32, from_signed64)
    case Opcode::VFMulAdd32: return host.fma ? mul_add<32> : nullptr;
    case Opcode::VFMulAdd64: return host.fma ? mul_add<64> : nullptr;
    case Opcode::VFToS32: return to_signed32;
    case Opcode::VFWiden32: return widen32;
    case Opcode::VFNarrow32: return narrow32;
    default: return nullptr;
    }
    // clang-format on
#undef BOTH
}

} // namespace tandem::jit
