#pragma once
/// What the vector emitters share: instructions in SSE or AVX form, operands, constants. Private to
/// the baseline tier.
#include "jit/baseline/block_compiler.h"

#include <cstddef>

namespace tandem::jit::vec {

using Xbyak::Operand;
using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;

[[nodiscard]] inline HostReg index_of(const Xmm &x) {
    return static_cast<HostReg>(x.getIdx() + kFirstXmm);
}
[[nodiscard]] inline Xmm s0() {
    return Xmm(kScratchXmm0);
}
[[nodiscard]] inline Xmm s1() {
    return Xmm(kScratchXmm1);
}

#define CONSTANT(member) constant_operand(offsetof(RuntimeConstants, member))

/// d = name(a, b).
// clang-format off
#define OP(name) inline constexpr auto name = TANDEM_XMM_OP(name);
OP(paddb) OP(paddw) OP(paddd) OP(paddq) OP(psubb) OP(psubw) OP(psubd) OP(psubq)
OP(paddsb) OP(paddsw) OP(paddusb) OP(paddusw) OP(psubsb) OP(psubsw) OP(psubusb) OP(psubusw)
OP(pand) OP(pandn) OP(por) OP(pxor)
OP(pcmpeqb) OP(pcmpeqw) OP(pcmpeqd) OP(pcmpeqq) OP(pcmpgtb) OP(pcmpgtw) OP(pcmpgtd) OP(pcmpgtq)
OP(pmaxsb) OP(pmaxsw) OP(pmaxsd) OP(pmaxub) OP(pmaxuw) OP(pmaxud)
OP(pminsb) OP(pminsw) OP(pminsd) OP(pminub) OP(pminuw) OP(pminud)
OP(punpcklbw) OP(punpcklwd) OP(punpckldq) OP(punpcklqdq)
OP(punpckhbw) OP(punpckhwd) OP(punpckhdq) OP(punpckhqdq)
OP(packsswb) OP(packssdw) OP(packuswb) OP(packusdw)
OP(pmullw) OP(pmulld) OP(pmulhw) OP(pmulhrsw) OP(pmuldq) OP(pmuludq) OP(pmaddwd) OP(pmaddubsw)
OP(pavgb) OP(pavgw) OP(phaddw) OP(phaddd) OP(pshufb) OP(psadbw)
#undef OP
    // clang-format on

    enum class Shift : u8 {
        Left,
        Right,
        RightSigned
    };

/// d = a shifted by n in lanes of 16, 32 or 64 bits (no RightSigned for 64).
inline void shift(BlockCompiler &c, Shift kind, unsigned lane, const Xmm &d, const Xmm &a,
                  unsigned n) {
    if (d.getIdx() != a.getIdx()) c.movaps(d, a);
    const int count = static_cast<int>(n);
    if (kind == Shift::Left) {
        if (lane == 16)
            c.psllw(d, count);
        else if (lane == 32)
            c.pslld(d, count);
        else
            c.psllq(d, count);
    } else if (kind == Shift::Right) {
        if (lane == 16)
            c.psrlw(d, count);
        else if (lane == 32)
            c.psrld(d, count);
        else
            c.psrlq(d, count);
    } else if (lane == 16) {
        c.psraw(d, count);
    } else {
        c.psrad(d, count);
    }
}

/// A 64-bit pattern in both halves of x. Changes rax.
inline void splat(BlockCompiler &c, const Xmm &x, u64 pattern) {
    if (pattern == 0) return c.pxor(x, x);
    if (pattern == ~u64{0}) return c.pcmpeqd(x, x);
    c.mov(c.rax, pattern);
    c.movq(x, c.rax);
    c.punpcklqdq(x, x);
}
/// The value repeated in lanes.
[[nodiscard]] inline u64 repeat(unsigned lane, u64 value) {
    value &= ones(lane);
    for (unsigned width = lane; width < 64; width *= 2) value |= value << width;
    return value;
}

/// d = op(a, b) by one instruction: the result may have an argument's register.
template <typename F>
void binary(BlockCompiler &c, const Inst &in, ValueId id, F op) {
    const Xmm a = c.use_x(in.args[0]);
    if (c.is_memory_operand(in.args[1])) {
        const Xbyak::Address b = c.ptr[c.memory_location(c.state(in.args[1]))];
        c.consume();
        op(c, c.def_x(id, index_of(a)), a, b);
        return;
    }
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    c.unlock();
    op(c, c.def_x(id, index_of(a)), a, b);
}
/// Likewise, b first.
template <typename F>
void binary_swapped(BlockCompiler &c, const Inst &in, ValueId id, F op) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    c.unlock();
    op(c, c.def_x(id, index_of(b)), b, a);
}

} // namespace tandem::jit::vec
