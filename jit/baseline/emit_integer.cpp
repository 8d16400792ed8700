// Integer operations.
#include "jit/baseline/block_compiler.h"
#include "support/check.h"

namespace tandem::jit {
namespace {

using Form = BlockCompiler::Form;
using Xbyak::Reg32;
using Xbyak::Reg64;

/// A general register of the width in question.
template <bool is_64>
Xbyak::Reg reg(HostReg r) {
    if constexpr (is_64)
        return Reg64(r);
    else
        return Reg32(r);
}

template <bool is_64>
HostReg define(BlockCompiler &c, ValueId id, HostReg prefer = kNoReg) {
    const HostReg r = c.def(id, prefer);
    if (!is_64) c.value(id).has_zero_upper = true;
    return r;
}

/// The flags that the host's instruction for `id` leaves, if the block wants them: of ADDS and SUBS
/// computed just before it, of ANDS just after.
template <Alu op, bool is_64>
ValueId flags_of(BlockCompiler &c, const Inst &in, ValueId id) {
    if constexpr (op == Alu::And) {
        const auto next = static_cast<ValueId>(id + 1);
        const Opcode wanted = is_64 ? Opcode::LogicFlags64 : Opcode::LogicFlags32;
        if (next < c.inst_count() && !c.value(next).is_dead && c.inst(next).op == wanted &&
            c.inst(next).args[0] == id)
            return next;
    } else if constexpr (op == Alu::Add || op == Alu::Sub) {
        const auto before = static_cast<ValueId>(id - 1);
        const Opcode wanted = op == Alu::Add ? (is_64 ? Opcode::AddFlags64 : Opcode::AddFlags32)
                                             : (is_64 ? Opcode::SubFlags64 : Opcode::SubFlags32);
        if (id > 0 && c.inst(before).op == wanted && c.inst(before).args == in.args &&
            c.value(before).form == Form::Flags)
            return before;
    }
    return kNoValue;
}

/// Is the next thing that happens to the flags, and soon, that they go to state? Only moves may
/// come before.
ValueId next_set_flags(BlockCompiler &c, ValueId id, ValueId flags) {
    const std::size_t end = std::min<std::size_t>(c.inst_count(), id + 5u);
    for (std::size_t i = id + 1u; i < end; ++i) {
        const Inst &in = c.inst(static_cast<ValueId>(i));
        switch (in.op) {
        case Opcode::Nop:
        case Opcode::ZeroExtend32:
        case Opcode::SetState64: break;
        case Opcode::SetFlags: return in.args[0] == flags ? static_cast<ValueId>(i) : kNoValue;
        default: return kNoValue;
        }
    }
    return kNoValue;
}

/// In and out of one register: d = a; d op= b.
template <Alu op, bool is_64, bool is_commutative>
void alu(BlockCompiler &c, const Inst &in, ValueId id) {
    ValueId a = in.args[0], b = in.args[1];
    const ValueId flags = flags_of<op, is_64>(c, in, id);
    // Flags that later blocks see are stored right after the instruction, so that its operands may
    // die with it.
    const ValueId set_flags =
        flags != kNoValue && op != Alu::And && c.value(flags).is_stored_eagerly
            ? next_set_flags(c, id, flags)
            : kNoValue;
    // A chain of additions: what is needed of each is its carry.
    const bool is_chained = flags != kNoValue && op != Alu::And && !c.value(flags).needs_all_flags;
    if (set_flags != kNoValue) c.begin_early_flags(flags, c.inst(set_flags).imm);
    if (is_chained) c.begin_carry(flags);
    if (is_commutative && c.is_constant(a) && !c.is_constant(b)) std::swap(a, b);
    if (is_commutative && c.is_memory_operand(a, is_64) && !c.is_memory_operand(b, is_64) &&
        !c.is_constant(b))
        std::swap(a, b);
    const HostReg ra = c.use(a);
    BlockCompiler::Operand rb = c.operand(b, is_64);
    c.consume();
    // With both in registers, the operand that dies gives its register.
    HostReg prefer = ra;
    if (is_commutative && rb.reg != kNoReg && c.is_live(a) && !c.is_live(b)) {
        prefer = rb.reg;
        rb.reg = ra;
    }
    const HostReg d = define<is_64>(c, id, prefer);
    if (op == Alu::Add && d != prefer && flags == kNoValue && (rb.is_imm || rb.reg != kNoReg)) {
        const Xbyak::RegExp sum =
            rb.is_imm ? Reg64(prefer) + rb.imm : Reg64(prefer) + Reg64(rb.reg);
        if constexpr (is_64)
            c.lea(Reg64(d), c.ptr[sum]);
        else
            c.lea(Reg32(d), c.ptr[sum]);
        return;
    }
    c.move(d, prefer);
    c.alu(op, d, rb, is_64);
    if (flags == kNoValue) return;
    if (is_chained) return c.define_carry(flags, op == Alu::Sub);
    c.set_host_flags(flags, op == Alu::Sub);
    if (set_flags != kNoValue) c.finish_early_flags(flags, c.inst(set_flags).imm);
    c.keep_host_flags();
}

/// Sums that are only ever addresses are folded into the accesses.
void add64(BlockCompiler &c, const Inst &in, ValueId id) {
    if (c.value(id).can_fold_address && c.is_imm32(in.args[1], true) &&
        c.imm32(in.args[1]) >= -0x10000 && c.imm32(in.args[1]) <= 0x10000 &&
        !c.is_constant(in.args[0])) {
        c.defer(id, Form::Address, static_cast<u64>(static_cast<i64>(c.imm32(in.args[1]))));
        return;
    }
    // A scaled index is part of LEA.
    for (unsigned i = 0; i < 2; ++i) {
        if (c.state(in.args[i]).form != Form::Scaled || c.state(in.args[i]).reg != kNoReg) continue;
        const ValueId scaled = c.root(in.args[i]);
        const Reg64 base = c.use64(in.args[1 - i]);
        const Reg64 index = c.use64(c.inst(scaled).args[0]);
        const int scale = 1 << c.state(scaled).payload;
        c.consume();
        c.unlock();
        c.lea(c.def64(id, static_cast<HostReg>(index.getIdx())), c.ptr[base + index * scale]);
        c.keep_host_flags();
        return;
    }
    alu<Alu::Add, true, true>(c, in, id);
}

void and_not(BlockCompiler &c, const Inst &in, ValueId id, bool is_64) {
    const HostReg a = c.use(in.args[0]);
    const HostReg b = c.use(in.args[1]);
    if (c.host().bmi1) {
        c.consume();
        c.unlock();
        const HostReg d = c.def(id, a);
        if (is_64)
            c.andn(Reg64(d), Reg64(b), Reg64(a));
        else
            c.andn(Reg32(d), Reg32(b), Reg32(a));
    } else {
        c.consume();
        const HostReg d = c.def(id, a);
        c.move(kRax, b);
        c.not_(c.rax);
        c.move(d, a);
        c.alu_reg(Alu::And, d, kRax, is_64);
    }
    if (!is_64) c.value(id).has_zero_upper = true;
}
template <bool is_64>
void and_not(BlockCompiler &c, const Inst &in, ValueId id) {
    and_not(c, in, id, is_64);
}

/// d = f(d) of a copy of the argument.
template <bool is_64, typename F>
void unary(BlockCompiler &c, const Inst &in, ValueId id, F emit) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    const HostReg d = define<is_64>(c, id, a);
    if (d != a) {
        if constexpr (is_64)
            c.mov(Reg64(d), Reg64(a));
        else
            c.mov(Reg32(d), Reg32(a));
    }
    emit(reg<is_64>(d));
}

template <bool is_64>
void not_(BlockCompiler &c, const Inst &in, ValueId id) {
    unary<is_64>(c, in, id, [&](const Xbyak::Reg &r) { c.not_(r); });
}
template <bool is_64>
void reverse_bytes(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    const HostReg d = define<is_64>(c, id, a);
    if constexpr (is_64) {
        c.move(d, a);
        c.bswap(Reg64(d));
    } else {
        c.mov(Reg32(d), Reg32(a));
        c.bswap(Reg32(d));
    }
}

enum class Shift : u8 { Shl, Lsr, Asr, Ror };

template <Shift kind, bool is_64>
void shift(BlockCompiler &c, const Inst &in, ValueId id) {
    const ValueId amount = in.args[1];
    if (c.is_constant(amount)) {
        const int n = static_cast<int>(c.constant(amount) & (is_64 ? 63 : 31));
        if (kind == Shift::Shl && is_64 && c.value(id).is_index && n >= 1 && n <= 3)
            return c.defer(id, Form::Scaled, static_cast<u64>(n));
        const HostReg a = c.use(in.args[0]);
        c.consume();
        if (kind == Shift::Ror && c.host().bmi2) {
            c.unlock();
            const HostReg d = define<is_64>(c, id, a);
            if constexpr (is_64)
                c.rorx(Reg64(d), Reg64(a), static_cast<u8>(n));
            else
                c.rorx(Reg32(d), Reg32(a), static_cast<u8>(n));
            return;
        }
        const HostReg d = define<is_64>(c, id, a);
        if (kind == Shift::Shl && is_64 && d != a && n >= 1 && n <= 3) {
            if (n == 1)
                c.lea(Reg64(d), c.ptr[Reg64(a) + Reg64(a)]);
            else
                c.lea(Reg64(d), c.ptr[Reg64(a) * (1 << n)]);
            return;
        }
        if constexpr (is_64)
            c.move(d, a);
        else if (d != a || n == 0)
            c.mov(Reg32(d), Reg32(a));
        if (n == 0) return;
        switch (kind) {
        case Shift::Shl: c.shl(reg<is_64>(d), n); break;
        case Shift::Lsr: c.shr(reg<is_64>(d), n); break;
        case Shift::Asr: c.sar(reg<is_64>(d), n); break;
        case Shift::Ror: c.ror(reg<is_64>(d), n); break;
        }
        return;
    }
    const HostReg a = c.use(in.args[0]);
    const HostReg b = c.use(amount);
    c.consume();
    if (kind != Shift::Ror && c.host().bmi2) {
        c.unlock();
        const HostReg d = define<is_64>(c, id, a);
        const auto emit = [&](const auto &rd, const auto &ra, const auto &rb) {
            switch (kind) {
            case Shift::Shl: c.shlx(rd, ra, rb); break;
            case Shift::Lsr: c.shrx(rd, ra, rb); break;
            default: c.sarx(rd, ra, rb); break;
            }
        };
        if constexpr (is_64)
            emit(Reg64(d), Reg64(a), Reg64(b));
        else
            emit(Reg32(d), Reg32(a), Reg32(b));
        return;
    }
    c.mov(c.ecx, Reg32(b));
    const HostReg d = define<is_64>(c, id, a);
    if constexpr (is_64)
        c.move(d, a);
    else
        c.mov(Reg32(d), Reg32(a));
    switch (kind) {
    case Shift::Shl: c.shl(reg<is_64>(d), c.cl); break;
    case Shift::Lsr: c.shr(reg<is_64>(d), c.cl); break;
    case Shift::Asr: c.sar(reg<is_64>(d), c.cl); break;
    case Shift::Ror: c.ror(reg<is_64>(d), c.cl); break;
    }
}

/// Low bits of (a:b) >> imm: SHRD of b with a.
template <bool is_64>
void extract(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    const HostReg b = c.use(in.args[1]);
    c.consume();
    const HostReg d = define<is_64>(c, id, b);
    if constexpr (is_64)
        c.move(d, b);
    else if (d != b || in.imm == 0)
        c.mov(Reg32(d), Reg32(b));
    if (in.imm == 0) return;
    if (a == b)
        c.ror(reg<is_64>(d), static_cast<int>(in.imm));
    else
        c.shrd(reg<is_64>(d), reg<is_64>(a), static_cast<u8>(in.imm));
}

template <bool is_64>
void bitfield_insert(BlockCompiler &c, const Inst &in, ValueId id) {
    const unsigned lsb = static_cast<unsigned>(in.imm & 0xff);
    const unsigned width = static_cast<unsigned>((in.imm >> 8) & 0xff);
    const u64 mask = ones(width) << lsb;
    const HostReg b = c.use(in.args[1]);
    const HostReg a = c.use(in.args[0]);
    // rax = the field in place.
    if (lsb == 0 && width == 32) {
        c.mov(c.eax, Reg32(b));
    } else if (lsb == 0 && width == 8) {
        c.movzx(c.eax, Xbyak::Reg8(b, b >= 4));
    } else if (lsb == 0 && width == 16) {
        c.movzx(c.eax, Xbyak::Reg16(b));
    } else {
        c.mov(c.rax, Reg64(b));
        if (width < 32) {
            c.and_(c.eax, static_cast<u32>(ones(width)));
            if (lsb > 0) c.shl(c.rax, static_cast<int>(lsb));
        } else {
            c.shl(c.rax, static_cast<int>(64 - width));
            if (width + lsb < 64) c.shr(c.rax, static_cast<int>(64 - width - lsb));
        }
    }
    c.consume();
    const HostReg d = define<is_64>(c, id, a);
    if (is_64)
        c.move(d, a);
    else if (d != a)
        c.mov(Reg32(d), Reg32(a));
    const u64 keep = ~mask;
    if (!is_64) {
        c.and_(Reg32(d), static_cast<u32>(keep));
    } else if (static_cast<i64>(keep) == static_cast<i32>(keep)) {
        c.alu_imm(Alu::And, d, static_cast<i32>(keep), true);
    } else if (keep >> 32 == 0) {
        c.and_(Reg32(d), static_cast<u32>(keep));
    } else {
        c.mov(c.rcx, keep);
        c.and_(Reg64(d), c.rcx);
    }
    c.or_(Reg64(d), c.rax);
}

template <bool is_64>
void bitfield_extract(BlockCompiler &c, const Inst &in, ValueId id) {
    const unsigned lsb = static_cast<unsigned>(in.imm & 0xff);
    const unsigned width = static_cast<unsigned>((in.imm >> 8) & 0xff);
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    const HostReg d = define<is_64>(c, id, a);
    const unsigned size = is_64 ? 64 : 32;
    if (lsb + width == size) {
        if constexpr (is_64)
            c.move(d, a);
        else if (d != a || lsb == 0)
            c.mov(Reg32(d), Reg32(a));
        if (lsb > 0) c.shr(reg<is_64>(d), static_cast<int>(lsb));
        c.value(id).has_zero_upper = width <= 32;
        return;
    }
    if (lsb == 0 && width == 8) {
        c.movzx(Reg32(d), Xbyak::Reg8(a, a >= 4));
    } else if (lsb == 0 && width == 16) {
        c.movzx(Reg32(d), Xbyak::Reg16(a));
    } else if (lsb == 0 && width == 32) {
        c.mov(Reg32(d), Reg32(a));
    } else {
        c.move(d, a);
        if (lsb > 0) c.shr(reg<is_64>(d), static_cast<int>(lsb));
        if (width < 32) {
            c.and_(Reg32(d), static_cast<u32>(ones(width)));
        } else if (width == 32) {
            c.mov(Reg32(d), Reg32(d));
        } else {
            c.shl(Reg64(d), static_cast<int>(64 - width));
            c.shr(Reg64(d), static_cast<int>(64 - width));
        }
    }
    c.value(id).has_zero_upper = width <= 32;
}

template <bool is_64>
void bitfield_extract_signed(BlockCompiler &c, const Inst &in, ValueId id) {
    const unsigned lsb = static_cast<unsigned>(in.imm & 0xff);
    const unsigned width = static_cast<unsigned>((in.imm >> 8) & 0xff);
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    const HostReg d = define<is_64>(c, id, a);
    const Xbyak::Reg rd = reg<is_64>(d);
    if (lsb == 0 && width == 8) return c.movsx(rd, Xbyak::Reg8(a, a >= 4));
    if (lsb == 0 && width == 16) return c.movsx(rd, Xbyak::Reg16(a));
    if constexpr (is_64) {
        if (lsb == 0 && width == 32) return c.movsxd(Reg64(d), Reg32(a));
    }
    const int size = is_64 ? 64 : 32;
    const int left = size - static_cast<int>(lsb + width);
    if constexpr (is_64)
        c.move(d, a);
    else if (d != a || left == 0)
        c.mov(Reg32(d), Reg32(a));
    if (left > 0) c.shl(rd, left);
    if (size - static_cast<int>(width) > 0) c.sar(rd, size - static_cast<int>(width));
}

template <bool is_64>
void multiply(BlockCompiler &c, const Inst &in, ValueId id) {
    ValueId a = in.args[0], b = in.args[1];
    if (c.is_constant(a)) std::swap(a, b);
    const HostReg ra = c.use(a);
    if (c.is_imm32(b, is_64)) {
        const i32 imm = c.imm32(b);
        c.consume();
        c.unlock();
        const HostReg d = define<is_64>(c, id, ra);
        c.imul(reg<is_64>(d), reg<is_64>(ra), imm);
        return;
    }
    const HostReg rb = c.use(b);
    c.consume();
    const HostReg d = define<is_64>(c, id, ra);
    c.move(d, ra);
    c.imul(reg<is_64>(d), reg<is_64>(rb));
}

template <bool is_signed>
void multiply_high(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    const HostReg b = c.use(in.args[1]);
    if (!is_signed && c.host().bmi2) {
        // MULX multiplies by rdx.
        if (a != kRdx && b != kRdx) {
            c.claim(kRdx);
            c.move(kRdx, a);
        }
        c.consume();
        const HostReg d = c.def(id);
        c.mulx(Reg64(d), c.rax, Reg64(b == kRdx ? a : b));
        c.keep_host_flags();
        return;
    }
    // One-operand MUL and IMUL: rdx:rax = rax * operand.
    c.mov(c.rax, Reg64(a));
    c.mov(c.rcx, Reg64(b));
    c.consume();
    c.claim(kRdx);
    if (is_signed)
        c.imul(c.rcx);
    else
        c.mul(c.rcx);
    const HostReg d = c.def(id, kRdx);
    c.move(d, kRdx);
}

/// ARM's division never traps: x / 0 = 0 and INT_MIN / -1 = INT_MIN.
template <bool is_signed, bool is_64>
void divide(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    const HostReg b = c.use(in.args[1]);
    c.mov(c.rcx, Reg64(b));
    c.mov(c.rax, Reg64(a));
    c.consume();
    c.claim(kRdx);
    const Xbyak::Reg divisor = reg<is_64>(kRcx), dividend = reg<is_64>(kRax);
    Xbyak::Label zero, done, negate;
    c.test(divisor, divisor);
    c.jz(zero);
    if constexpr (is_signed) {
        c.cmp(divisor, -1);
        c.je(negate);
        if constexpr (is_64)
            c.cqo();
        else
            c.cdq();
        c.idiv(divisor);
        c.jmp(done);
        c.L(negate);
        c.neg(dividend);
        c.jmp(done);
    } else {
        c.mov(c.edx, 0);
        c.div(divisor);
        c.jmp(done);
    }
    c.L(zero);
    c.mov(c.eax, 0);
    c.L(done);
    const HostReg d = define<is_64>(c, id);
    c.move(d, kRax);
}

template <bool is_64>
void count_leading_zeros(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    const HostReg d = define<is_64>(c, id, a);
    if (c.host().lzcnt) {
        c.lzcnt(reg<is_64>(d), reg<is_64>(a));
        return;
    }
    // BSR leaves its result undefined for 0; 2 * width - 1 stands for "none".
    constexpr u32 kWidth = is_64 ? 64 : 32;
    c.bsr(reg<is_64>(kRax), reg<is_64>(a));
    c.mov(c.ecx, 2 * kWidth - 1);
    c.cmov(CC::E, kRax, kRcx, true);
    c.mov(Reg32(d), c.eax);
    c.xor_(Reg32(d), kWidth - 1);
}

/// Swaps bytes, then nibbles, pairs and single bits within them.
template <bool is_64>
void reverse_bits(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    const HostReg d = define<is_64>(c, id, a);
    if constexpr (is_64)
        c.move(d, a);
    else
        c.mov(Reg32(d), Reg32(a));
    if constexpr (is_64)
        c.bswap(Reg64(d));
    else
        c.bswap(Reg32(d));
    constexpr std::array<u64, 3> kMasks{0x0f0f0f0f0f0f0f0f, 0x3333333333333333, 0x5555555555555555};
    for (unsigned i = 0; i < 3; ++i) {
        const int n = 4 >> i;
        if constexpr (is_64) {
            c.mov(c.rcx, kMasks[i]);
            c.mov(c.rax, Reg64(d));
            c.shr(c.rax, n);
            c.and_(c.rax, c.rcx);
            c.and_(Reg64(d), c.rcx);
            c.shl(Reg64(d), n);
            c.or_(Reg64(d), c.rax);
        } else {
            const auto mask = static_cast<u32>(kMasks[i]);
            c.mov(c.eax, Reg32(d));
            c.shr(c.eax, n);
            c.and_(c.eax, mask);
            c.and_(Reg32(d), mask);
            c.shl(Reg32(d), n);
            c.or_(Reg32(d), c.eax);
        }
    }
}

void crc32c(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg b = c.use(in.args[1]);
    const HostReg a = c.use(in.args[0]);
    c.mov(c.eax, Reg32(a)); // a and b may be parts of one value
    switch (in.imm) {
    case 1: c.crc32(c.eax, Xbyak::Reg8(b, b >= 4)); break;
    case 2: c.crc32(c.eax, Xbyak::Reg16(b)); break;
    case 4: c.crc32(c.eax, Reg32(b)); break;
    default: c.crc32(c.rax, Reg64(b)); break;
    }
    c.consume();
    const HostReg d = define<false>(c, id, a);
    c.mov(Reg32(d), c.eax);
}

/// The other polynomial: Barrett reduction by carry-less multiplication. Fewer than 64 bits are the
/// last ones of 64.
void crc32(BlockCompiler &c, const Inst &in, ValueId id) {
    const auto bits = static_cast<int>(in.imm) * 8;
    const Reg64 b = c.use64(in.args[1]);
    const Reg32 a = c.use32(in.args[0]);
    const Xbyak::Xmm x(kScratchXmm0);
    const auto constants = c.constant_operand(offsetof(RuntimeConstants, crc32));
    c.mov(c.eax, a);
    if (bits == 64)
        c.xor_(c.rax, b);
    else
        c.xor_(c.eax, b.cvt32());
    if (bits < 64) c.shl(c.rax, 64 - bits);
    c.movq(x, c.rax);
    c.pclmulqdq(x, constants, 0x00);
    c.pclmulqdq(x, constants, 0x10);
    c.pextrd(c.eax, x, 2);
    if (bits < 32) {
        c.mov(c.ecx, a);
        c.shr(c.ecx, bits);
        c.xor_(c.eax, c.ecx);
    }
    c.consume();
    const HostReg d = define<false>(c, id, static_cast<HostReg>(a.getIdx()));
    c.mov(Reg32(d), c.eax);
}

void low32(BlockCompiler &c, const Inst &in, ValueId id) {
    c.alias(id, in.args[0]);
}

void zero_extend32(BlockCompiler &c, const Inst &in, ValueId id) {
    if (c.state(in.args[0]).has_zero_upper) return c.alias(id, in.args[0]);
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    const Reg32 d = c.def32(id, a);
    c.mov(d, Reg32(a));
    c.keep_host_flags();
}

void sign_extend32(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    c.movsxd(c.def64(id, a), Reg32(a));
    c.keep_host_flags();
}
template <bool is_signed, bool is_byte>
void extend(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    c.unlock();
    const HostReg d = c.def(id, a);
    const auto emit = [&](const auto &source) {
        if (is_signed)
            c.movsx(Reg64(d), source);
        else
            c.movzx(Reg32(d), source);
    };
    if (is_byte)
        emit(Xbyak::Reg8(a, a >= 4));
    else
        emit(Xbyak::Reg16(a));
    c.value(id).has_zero_upper = !is_signed;
    c.keep_host_flags();
}
void zero_extend1(BlockCompiler &c, const Inst &in, ValueId id) {
    const BlockCompiler::ValueState &v = c.state(in.args[0]);
    if (v.form != Form::Condition || v.reg != kNoReg) return c.alias(id, in.args[0]);
    const CC cc = c.condition(in.args[0]);
    const bool keeps = c.has_host_flags();
    c.setcc(cc, kRax);
    c.consume();
    const Reg32 d = c.def32(id);
    c.movzx(d, c.al);
    if (keeps) c.keep_host_flags();
}

void from_f32(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xbyak::Xmm x = c.use_x(in.args[0]);
    c.consume();
    c.movd(c.def32(id), x);
}
void from_f64(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xbyak::Xmm x = c.use_x(in.args[0]);
    c.consume();
    c.movq(c.def64(id), x);
}
void from_f16(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xbyak::Xmm x = c.use_x(in.args[0]);
    c.consume();
    c.pextrw(c.def32(id), x, 0);
}
void to_f32(BlockCompiler &c, const Inst &in, ValueId id) {
    const Reg32 r = c.use32(in.args[0]);
    c.consume();
    c.movd(c.def_x(id), r);
}
void to_f64(BlockCompiler &c, const Inst &in, ValueId id) {
    const Reg64 r = c.use64(in.args[0]);
    c.consume();
    c.movq(c.def_x(id), r);
}

} // namespace

BlockCompiler::Emitter integer_emitter(Opcode op, const HostFeatures &host) {
    switch (op) {
    case Opcode::Low32: return low32;
    case Opcode::ZeroExtend32: return zero_extend32;
    case Opcode::SignExtend32: return sign_extend32;
    case Opcode::ZeroExtend1: return zero_extend1;
    case Opcode::SignExtend8: return extend<true, true>;
    case Opcode::SignExtend16: return extend<true, false>;
    case Opcode::ZeroExtend8: return extend<false, true>;
    case Opcode::ZeroExtend16: return extend<false, false>;
    case Opcode::FromF16: return from_f16;
    case Opcode::FromF32: return from_f32;
    case Opcode::FromF64: return from_f64;
    case Opcode::ToF16:
    case Opcode::ToF32: return to_f32;
    case Opcode::ToF64: return to_f64;
    case Opcode::Add32: return alu<Alu::Add, false, true>;
    case Opcode::Add64: return add64;
    case Opcode::Sub32: return alu<Alu::Sub, false, false>;
    case Opcode::Sub64: return alu<Alu::Sub, true, false>;
    case Opcode::And32: return alu<Alu::And, false, true>;
    case Opcode::And64: return alu<Alu::And, true, true>;
    case Opcode::Or32: return alu<Alu::Or, false, true>;
    case Opcode::Or64: return alu<Alu::Or, true, true>;
    case Opcode::Xor32: return alu<Alu::Xor, false, true>;
    case Opcode::Xor64: return alu<Alu::Xor, true, true>;
    case Opcode::AndNot32: return and_not<false>;
    case Opcode::AndNot64: return and_not<true>;
    case Opcode::Not32: return not_<false>;
    case Opcode::Not64: return not_<true>;
    case Opcode::Shl32: return shift<Shift::Shl, false>;
    case Opcode::Shl64: return shift<Shift::Shl, true>;
    case Opcode::Lsr32: return shift<Shift::Lsr, false>;
    case Opcode::Lsr64: return shift<Shift::Lsr, true>;
    case Opcode::Asr32: return shift<Shift::Asr, false>;
    case Opcode::Asr64: return shift<Shift::Asr, true>;
    case Opcode::Ror32: return shift<Shift::Ror, false>;
    case Opcode::Ror64: return shift<Shift::Ror, true>;
    case Opcode::Extract32: return extract<false>;
    case Opcode::Extract64: return extract<true>;
    case Opcode::BitfieldInsert32: return bitfield_insert<false>;
    case Opcode::BitfieldInsert64: return bitfield_insert<true>;
    case Opcode::BitfieldExtract32: return bitfield_extract<false>;
    case Opcode::BitfieldExtract64: return bitfield_extract<true>;
    case Opcode::BitfieldExtractSigned32: return bitfield_extract_signed<false>;
    case Opcode::BitfieldExtractSigned64: return bitfield_extract_signed<true>;
    case Opcode::Mul32: return multiply<false>;
    case Opcode::Mul64: return multiply<true>;
    case Opcode::MulHighS64: return multiply_high<true>;
    case Opcode::MulHighU64: return multiply_high<false>;
    case Opcode::DivS32: return divide<true, false>;
    case Opcode::DivS64: return divide<true, true>;
    case Opcode::DivU32: return divide<false, false>;
    case Opcode::DivU64: return divide<false, true>;
    case Opcode::CountLeadingZeros32: return count_leading_zeros<false>;
    case Opcode::CountLeadingZeros64: return count_leading_zeros<true>;
    case Opcode::ReverseBits32: return reverse_bits<false>;
    case Opcode::ReverseBits64: return reverse_bits<true>;
    case Opcode::ReverseBytes32: return reverse_bytes<false>;
    case Opcode::ReverseBytes64: return reverse_bytes<true>;
    case Opcode::Crc32: return host.pclmul ? crc32 : nullptr;
    case Opcode::Crc32C: return crc32c;
    default: return nullptr;
    }
}

} // namespace tandem::jit
