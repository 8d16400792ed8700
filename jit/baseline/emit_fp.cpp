// Scalar floating point.
//
// Generated code runs with the guest's rounding mode in mxcsr, whose flags are the guest's too,
// collected when FPSR is read. The hot path is the host's instruction and one check; what differs
// from the Arm architecture is left to the operation's definition out of line: which NaN results
// (FPProcessNaNs), and results that may have been tiny before rounding (ARM detects tininess before
// rounding, x86 after; they differ only where the result is the smallest normal number). With
// FPCR.FZ set all operations are done out of line.
#include "jit/baseline/fp_ops.h"
#include "support/check.h"

#include <cstddef>

namespace tandem::jit {
namespace {

using namespace fp;

using Xbyak::Operand;
using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

#define CONSTANT(member) constant_operand(offsetof(RuntimeConstants, member))

HostReg xmm_reg(const Xmm &x) {
    return static_cast<HostReg>(x.getIdx() + kFirstXmm);
}
Xmm scratch0() {
    return Xmm(kScratchXmm0);
}

template <unsigned width>
void compare(BlockCompiler &c, const Xmm &a, const Operand &b) {
    if (width == 64)
        c.ucomisd(a, b);
    else
        c.ucomiss(a, b);
}

/// Ends the hot path: results that are NaN go to the cold one; `checks_tiny`: the smallest normal
/// number too.
template <unsigned width>
void check_result(BlockCompiler &c, const Inst &in, const Xmm &d, bool checks_tiny) {
    u32 jump;
    if (checks_tiny) {
        // "Equal or unordered" is one condition.
        if (c.host().avx) {
            c.vandps(scratch0(), d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
        } else {
            c.movaps(scratch0(), d);
            c.andps(scratch0(), width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
        }
        compare<width>(c, scratch0(),
                       width == 64 ? c.CONSTANT(min_normal64) : c.CONSTANT(min_normal32));
        jump = c.jump(CC::E);
    } else {
        compare<width>(c, d, d);
        jump = c.jump(CC::P);
    }
    BlockCompiler::add_jump(c.thunk_path(in, xmm_reg(d)), jump);
}

template <unsigned width, bool checks_tiny, typename F>
void binary(BlockCompiler &c, const Inst &in, ValueId id, F op) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id); // apart from the arguments: the cold path reads them
    op(c, d, a, b);
    check_result<width>(c, in, d, checks_tiny);
    resume_here(c);
}

#define BINARY(name, width, checks_tiny, op)                                                       \
    void name(BlockCompiler &c, const Inst &in, ValueId id) {                                      \
        binary<width, checks_tiny>(c, in, id, TANDEM_XMM_OP(op));                                  \
    }
BINARY(add32, 32, false, addss)
BINARY(add64, 64, false, addsd)
BINARY(sub32, 32, false, subss)
BINARY(sub64, 64, false, subsd)
BINARY(mul32, 32, true, mulss)
BINARY(mul64, 64, true, mulsd)
BINARY(div32, 32, true, divss)
BINARY(div64, 64, true, divsd)
#undef BINARY

template <unsigned width>
void abs_diff(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    if (width == 64)
        c.subsd(d, b);
    else
        c.subss(d, b);
    check_result<width>(c, in, d, false);
    c.andps(d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    resume_here(c);
}

template <unsigned width>
void sqrt(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    // A full copy first: no dependence on what the register held.
    c.movaps(d, a);
    if (width == 64)
        c.sqrtsd(d, d);
    else
        c.sqrtss(d, d);
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
        c.vfmadd231sd(d, b, m);
    else
        c.vfmadd231ss(d, b, m);
    check_result<width>(c, in, d, true);
    resume_here(c);
}

/// MAXSD returns its second operand when both are zeros: both orders, joined, give the zero that
/// ARM wants. NaNs are left out before it raises flags for them.
template <unsigned width, bool is_max>
void min_max(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    compare<width>(c, a, b);
    const u32 unordered = c.jump(CC::P);
    BlockCompiler::add_jump(c.thunk_path(in, xmm_reg(d)), unordered);
    const auto op = [&](const Xmm &x, const Xmm &y) {
        if (width == 64)
            is_max ? c.maxsd(x, y) : c.minsd(x, y);
        else
            is_max ? c.maxss(x, y) : c.minss(x, y);
    };
    c.movaps(d, a);
    c.movaps(scratch0(), b);
    op(d, b);
    op(scratch0(), a);
    if (is_max)
        c.andps(d, scratch0());
    else
        c.orps(d, scratch0());
    resume_here(c);
}

template <unsigned width>
void fabs_(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, xmm_reg(a));
    if (d.getIdx() != a.getIdx()) c.movaps(d, a);
    c.andps(d, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    c.keep_host_flags();
}
template <unsigned width>
void fneg(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, xmm_reg(a));
    if (d.getIdx() != a.getIdx()) c.movaps(d, a);
    c.xorps(d, width == 64 ? c.CONSTANT(sign64) : c.CONSTANT(sign32));
    c.keep_host_flags();
}

void fselect(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[1]);
    const Xmm b = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    const CC cc = c.condition(in.args[0]);
    c.movaps(d, a);
    const u32 done = c.jump(cc);
    c.movaps(d, b);
    c.bind(done);
}

/// FCMP and FCMPE: the host raises Invalid as ARM does, for signalling NaNs or for all.
template <unsigned width>
void fcompare(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const bool signals = bit(in.imm, 8);
    c.consume();
    const Reg32 d = c.def32(id);
    c.mov(d, ir::kFlagC); // greater
    if (width == 64)
        signals ? c.comisd(a, b) : c.ucomisd(a, b);
    else
        signals ? c.comiss(a, b) : c.ucomiss(a, b);
    const auto r = static_cast<HostReg>(d.getIdx());
    c.mov(c.eax, ir::kFlagN);
    c.cmov(CC::B, r, kRax, false); // less, or unordered
    c.mov(c.eax, ir::kFlagZ | ir::kFlagC);
    c.cmov(CC::E, r, kRax, false); // equal, or unordered
    c.mov(c.eax, ir::kFlagC | ir::kFlagV);
    c.cmov(CC::P, r, kRax, false);
    c.set_host_comparison(id);
    c.keep_host_flags();
}

enum class Relation : u8 { Equal, GreaterEqual, Greater };

/// FCMEQ, FCMGE, FCMGT, FACGE, FACGT on scalars: all ones or zero.
template <unsigned width, Relation relation, bool is_absolute>
void compare_mask(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    // CMPSD has "less" only: a >= b is b <= a.
    const bool swaps = relation != Relation::Equal;
    const Xmm x = c.use_x(in.args[swaps ? 1 : 0]);
    const Xmm y = c.use_x(in.args[swaps ? 0 : 1]);
    const Xmm s0(kScratchXmm0), s1(kScratchXmm1);
    c.movaps(s0, x);
    c.movaps(s1, y);
    if (is_absolute) {
        c.andps(s0, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
        c.andps(s1, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    }
    constexpr u8 kPredicate = relation == Relation::Equal     ? 0
                              : relation == Relation::Greater ? 1
                                                              : 2;
    c.consume();
    const Reg64 d = c.def64(id);
    if (width == 64) {
        c.cmpsd(s0, s1, kPredicate);
        c.movq(d, s0);
    } else {
        c.cmpss(s0, s1, kPredicate);
        c.movd(c.eax, s0);
        c.movsxd(d, c.eax);
    }
}

template <unsigned width>
void emit_round(BlockCompiler &c, const Xmm &d, const Xmm &a, int mode, bool raises_inexact) {
    const int imm = mode | (raises_inexact ? 0 : 8);
    if (width == 64)
        c.roundsd(d, a, imm);
    else
        c.roundss(d, a, imm);
}

template <unsigned width>
void round_integral(BlockCompiler &c, const Inst &in, ValueId id) {
    const int mode = host_rounding(in);
    if (flushes_to_zero(in) || mode < 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    emit_round<width>(c, d, a, mode, bit(in.imm, 11));
    check_result<width>(c, in, d, false);
    resume_here(c);
}

/// source = a, rounded to an integral value, ties away from zero (FCVTA*), with no flag that the
/// conversion would not raise: what truncation cuts off is exact, and one more in magnitude is too.
/// Of an infinity that is a NaN and raises Invalid, as converting it does.
template <unsigned width>
void emit_round_away(BlockCompiler &c, const Xmm &source, const Xmm &a) {
    const Xmm rest(kScratchXmm1);
    emit_round<width>(c, source, a, 3, false);
    c.movaps(rest, a);
    if (width == 64)
        c.subsd(rest, source);
    else
        c.subss(rest, source);
    c.andps(rest, width == 64 ? c.CONSTANT(abs64) : c.CONSTANT(abs32));
    compare<width>(c, rest, width == 64 ? c.CONSTANT(half64) : c.CONSTANT(half32));
    const u32 is_less = c.jump(CC::B); // or unordered
    c.movaps(rest, a);
    c.andps(rest, width == 64 ? c.CONSTANT(sign64) : c.CONSTANT(sign32));
    c.orps(rest, width == 64 ? c.CONSTANT(one64) : c.CONSTANT(one32));
    if (width == 64)
        c.addsd(source, rest);
    else
        c.addss(source, rest);
    c.bind(is_less);
}

/// To integers. What the host cannot represent or represents differently goes to the cold path
/// before the host raises a flag that ARM would not.
template <unsigned width, unsigned to_width, bool is_signed>
void to_integer(BlockCompiler &c, const Inst &in, ValueId id) {
    const bool is_away = rounding_of(in) == ir::Rounding::NearestAway;
    const int mode = is_away ? 3 : host_rounding(in);
    if (flushes_to_zero(in) || mode < 0 || fraction_bits(in) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const HostReg d = c.def(id);
    const bool is_truncation = mode == 3 && !is_away;
    const auto leave = [&](u32 jump) { BlockCompiler::add_jump(c.thunk_path(in, d), jump); };
    const auto convert = [&](const Xmm &x, bool is_64) {
        if (is_64)
            width == 64 ? c.cvttsd2si(Reg64(d), x) : c.cvttss2si(Reg64(d), x);
        else
            width == 64 ? c.cvttsd2si(Reg32(d), x) : c.cvttss2si(Reg32(d), x);
    };
    Xmm source = a;
    if (is_away) {
        source = scratch0();
        emit_round_away<width>(c, source, a);
    } else if (!is_truncation) {
        source = scratch0();
        c.movaps(source, a);
        emit_round<width>(c, source, a, mode, false);
    }
    if constexpr (is_signed) {
        convert(source, to_width == 64);
        // The "integer indefinite" value, also a valid result, is the only one to overflow here.
        if (to_width == 64)
            c.cmp(Reg64(d), 1);
        else
            c.cmp(Reg32(d), 1);
        leave(c.jump(CC::O));
    } else {
        // As bit patterns, negative numbers, infinities and NaNs are above every number in range.
        if (width == 64) {
            c.movq(c.rax, source);
            c.mov(c.rcx, to_width == 64 ? 0x43e0'0000'0000'0000 : 0x41f0'0000'0000'0000);
            c.cmp(c.rax, c.rcx);
        } else {
            c.movd(c.eax, source);
            c.cmp(c.eax, to_width == 64 ? 0x5f00'0000 : 0x4f80'0000);
        }
        leave(c.jump(CC::AE));
        convert(source, true);
    }
    // Rounding again, for the inexact flag.
    if (!is_truncation) emit_round<width>(c, source, a, mode, true);
    c.value(id).has_zero_upper = to_width == 32;
    resume_here(c);
}

template <unsigned width, unsigned from_width, bool is_signed>
void from_integer(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    const Xmm d = c.def_x(id);
    const auto convert = [&](const Xbyak::Reg &r) {
        c.xorps(d, d); // no dependence on what the register held
        if (width == 64)
            c.cvtsi2sd(d, r);
        else
            c.cvtsi2ss(d, r);
        // No result is near the ends of the exponents' range: scaling is exact.
        const u64 fraction = fraction_bits(in);
        if (fraction == 0) return;
        if (width == 64) {
            c.mov(c.rax, (1023 - fraction) << 52);
            c.movq(scratch0(), c.rax);
            c.mulsd(d, scratch0());
        } else {
            c.mov(c.eax, static_cast<u32>(127 - fraction) << 23);
            c.movd(scratch0(), c.eax);
            c.mulss(d, scratch0());
        }
    };
    if (from_width == 32 && is_signed) return convert(Reg32(a));
    if (from_width == 32) {
        c.mov(c.eax, Reg32(a));
        return convert(c.rax);
    }
    if (is_signed) return convert(Reg64(a));
    c.test(Reg64(a), Reg64(a));
    const u32 large = c.jump(CC::S);
    BlockCompiler::add_jump(c.thunk_path(in, xmm_reg(d)), large);
    convert(Reg64(a));
    resume_here(c);
}

void f32_to_f64(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    c.cvtss2sd(d, a);
    check_result<64>(c, in, d, false);
    resume_here(c);
}
void f64_to_f32(BlockCompiler &c, const Inst &in, ValueId id) {
    if (flushes_to_zero(in)) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movaps(d, a);
    c.cvtsd2ss(d, a);
    check_result<32>(c, in, d, true);
    resume_here(c);
}

/// Half precision by F16C. The upper bits of a half's register are undefined: cleared first, as
/// the instructions convert four.
void f16_to_f32(BlockCompiler &c, const Inst &in, ValueId id) {
    constexpr u64 kAlternativeHalf = 0x20;
    if (flushes_to_zero(in) || (in.imm & kAlternativeHalf) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.pextrw(c.eax, a, 0);
    c.vmovd(scratch0(), c.eax);
    c.vcvtph2ps(d, scratch0());
    check_result<32>(c, in, d, false);
    resume_here(c);
}
void f32_to_f16(BlockCompiler &c, const Inst &in, ValueId id) {
    constexpr u64 kFlushOrAlternative = 0x30;
    if (flushes_to_zero(in) || (in.imm & kFlushOrAlternative) != 0) return c.call_thunk(in, id);
    const Xmm a = c.use_x(in.args[0]);
    const Xmm d = c.def_x(id);
    c.movd(c.eax, a);
    c.vmovd(scratch0(), c.eax);
    c.vcvtps2ph(d, scratch0(), 4); // rounds as mxcsr says
    c.movd(c.eax, d);
    c.and_(c.eax, 0x7fff);
    c.cmp(c.eax, 0x400);
    const u32 tiny = c.jump(CC::E);
    c.cmp(c.eax, 0x7c00);
    const u32 nan = c.jump(CC::A);
    BlockCompiler::ColdPath &path = c.thunk_path(in, xmm_reg(d));
    BlockCompiler::add_jump(path, tiny);
    BlockCompiler::add_jump(path, nan);
    resume_here(c);
}

} // namespace

BlockCompiler::Emitter fp_emitter(Opcode op, const HostFeatures &host) {
    switch (op) {
    case Opcode::FMulAdd32: return host.fma ? mul_add<32> : nullptr;
    case Opcode::FMulAdd64: return host.fma ? mul_add<64> : nullptr;
    case Opcode::F16ToF32: return host.f16c ? f16_to_f32 : nullptr;
    case Opcode::F32ToF16: return host.f16c ? f32_to_f16 : nullptr;
    case Opcode::FAdd32: return add32;
    case Opcode::FAdd64: return add64;
    case Opcode::FSub32: return sub32;
    case Opcode::FSub64: return sub64;
    case Opcode::FMul32: return mul32;
    case Opcode::FMul64: return mul64;
    case Opcode::FDiv32: return div32;
    case Opcode::FDiv64: return div64;
    case Opcode::FSqrt32: return sqrt<32>;
    case Opcode::FSqrt64: return sqrt<64>;
    case Opcode::FAbsDiff32: return abs_diff<32>;
    case Opcode::FAbsDiff64: return abs_diff<64>;
    case Opcode::FMax32:
    case Opcode::FMaxNum32: return min_max<32, true>;
    case Opcode::FMax64:
    case Opcode::FMaxNum64: return min_max<64, true>;
    case Opcode::FMin32:
    case Opcode::FMinNum32: return min_max<32, false>;
    case Opcode::FMin64:
    case Opcode::FMinNum64: return min_max<64, false>;
    case Opcode::FAbs32: return fabs_<32>;
    case Opcode::FAbs64: return fabs_<64>;
    case Opcode::FNeg32: return fneg<32>;
    case Opcode::FNeg64: return fneg<64>;
    case Opcode::FSelect16:
    case Opcode::FSelect32:
    case Opcode::FSelect64: return fselect;
    case Opcode::FCompare32: return fcompare<32>;
    case Opcode::FCompare64: return fcompare<64>;
    case Opcode::FCompareEqual32: return compare_mask<32, Relation::Equal, false>;
    case Opcode::FCompareEqual64: return compare_mask<64, Relation::Equal, false>;
    case Opcode::FCompareGreaterEqual32: return compare_mask<32, Relation::GreaterEqual, false>;
    case Opcode::FCompareGreaterEqual64: return compare_mask<64, Relation::GreaterEqual, false>;
    case Opcode::FCompareGreater32: return compare_mask<32, Relation::Greater, false>;
    case Opcode::FCompareGreater64: return compare_mask<64, Relation::Greater, false>;
    case Opcode::FCompareAbsGreaterEqual32: return compare_mask<32, Relation::GreaterEqual, true>;
    case Opcode::FCompareAbsGreaterEqual64: return compare_mask<64, Relation::GreaterEqual, true>;
    case Opcode::FCompareAbsGreater32: return compare_mask<32, Relation::Greater, true>;
    case Opcode::FCompareAbsGreater64: return compare_mask<64, Relation::Greater, true>;
    case Opcode::FRound32: return round_integral<32>;
    case Opcode::FRound64: return round_integral<64>;
    case Opcode::FToS3232: return to_integer<32, 32, true>;
    case Opcode::FToS3264: return to_integer<64, 32, true>;
    case Opcode::FToU3232: return to_integer<32, 32, false>;
    case Opcode::FToU3264: return to_integer<64, 32, false>;
    case Opcode::FToS6432: return to_integer<32, 64, true>;
    case Opcode::FToS6464: return to_integer<64, 64, true>;
    case Opcode::FToU6432: return to_integer<32, 64, false>;
    case Opcode::FToU6464: return to_integer<64, 64, false>;
    case Opcode::S32ToF32: return from_integer<32, 32, true>;
    case Opcode::S32ToF64: return from_integer<64, 32, true>;
    case Opcode::U32ToF32: return from_integer<32, 32, false>;
    case Opcode::U32ToF64: return from_integer<64, 32, false>;
    case Opcode::S64ToF32: return from_integer<32, 64, true>;
    case Opcode::S64ToF64: return from_integer<64, 64, true>;
    case Opcode::U64ToF32: return from_integer<32, 64, false>;
    case Opcode::U64ToF64: return from_integer<64, 64, false>;
    case Opcode::F32ToF64: return f32_to_f64;
    case Opcode::F64ToF32: return f64_to_f32;
    default: return nullptr;
    }
}

} // namespace tandem::jit
