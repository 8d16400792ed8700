// Selection by conditions, and operations that take or make flags as values.
#include "jit/baseline/block_compiler.h"

namespace tandem::jit {
namespace {

using Form = BlockCompiler::Form;
using Xbyak::Reg32;

template <bool is_64>
HostReg define(BlockCompiler &c, ValueId id, HostReg prefer = kNoReg) {
    const HostReg r = c.def(id, prefer);
    if (!is_64) c.value(id).has_zero_upper = true;
    return r;
}

template <bool is_64>
void select(BlockCompiler &c, const Inst &in, ValueId id) {
    // Operands first: bringing them to registers leaves the host's flags alone.
    const HostReg a = c.use(in.args[1]);
    const HostReg b = c.use(in.args[2]);
    const CC cc = c.condition(in.args[0]);
    const bool keeps = c.has_host_flags();
    c.consume();
    const bool takes_a = !c.is_live(in.args[1]) && c.is_live(in.args[2]);
    const HostReg d = c.def(id, takes_a ? a : b);
    if (d == a && d != b) {
        c.cmov(negate(cc), d, b, is_64);
    } else {
        if (d != b) c.move(d, b);
        c.cmov(cc, d, a, is_64);
    }
    // A 32-bit CMOV clears the upper half even when it does not move.
    if (!is_64) c.value(id).has_zero_upper = true;
    if (keeps) c.keep_host_flags();
}

/// CCMP and its like: flags of a comparison if the condition holds, else a constant.
void select_flags(BlockCompiler &c, const Inst &in, ValueId id) {
    const BlockCompiler::ValueState &first = c.state(in.args[1]);
    const bool is_comparison =
        first.form == Form::Flags && first.reg == kNoReg && c.is_constant(in.args[2]);
    if (!is_comparison) {
        const HostReg a = c.use(in.args[1]);
        const HostReg b = c.use(in.args[2]);
        const CC cc = c.condition(in.args[0]);
        c.lose_host_flags();
        c.consume();
        const HostReg d = c.def(id);
        c.move(d, b);
        c.cmov(cc, d, a, false);
        return;
    }
    const auto otherwise = static_cast<u32>(c.constant(in.args[2]));
    // All registers must be settled before the branch.
    for (const ValueId operand : c.inst(c.root(in.args[1])).args)
        if (operand != kNoValue) c.use(operand);
    const CC cc = c.condition(in.args[0]);
    const HostReg d = c.def(id);
    c.mov(Reg32(d), otherwise);
    const u32 skip = c.jump(negate(cc));
    c.lose_host_flags();
    c.flags_to_host(in.args[1]);
    c.normalise_carry();
    c.pack_host_flags();
    c.mov(Reg32(d), c.eax);
    c.bind(skip);
    c.lose_host_flags();
    c.consume();
}

/// Brings the guest's carry to the host, whose subtraction takes it inverted.
template <bool is_subtract>
void carry_to_host(BlockCompiler &c, ValueId flags) {
    const BlockCompiler::ValueState &f = c.state(flags);
    const bool is_packed = f.form != Form::Constant && !(f.form == Form::Flags && f.reg == kNoReg);
    if (is_packed && !c.host_has_flags(flags)) {
        c.bt(Reg32(c.use(flags)), 8);
        if (is_subtract) c.cmc();
    } else {
        c.flags_to_host(flags);
        if (c.is_carry_inverted() != is_subtract) c.cmc();
    }
    c.lose_host_flags();
}

/// The flags of the host's addition or subtraction with carry.
template <bool is_subtract>
void define_flags(BlockCompiler &c, ValueId id) {
    if (!c.value(id).needs_all_flags) return c.define_carry(id, is_subtract);
    if (is_subtract) c.cmc();
    c.pack_host_flags();
    const HostReg d = c.def(id);
    c.mov(Reg32(d), c.eax);
    c.set_host_flags(id, false);
    c.keep_host_flags();
}

/// The flags of ADCS or SBCS, which are computed just after the sum, or kNoValue.
template <bool is_subtract, bool is_64>
ValueId flags_of_sum(BlockCompiler &c, const Inst &in, ValueId id) {
    constexpr Opcode kWanted = is_subtract ? (is_64 ? Opcode::SbcFlags64 : Opcode::SbcFlags32)
                                           : (is_64 ? Opcode::AdcFlags64 : Opcode::AdcFlags32);
    const auto next = static_cast<ValueId>(id + 1);
    const bool is_there = next < c.inst_count() && !c.value(next).is_dead &&
                          c.inst(next).op == kWanted && c.inst(next).args == in.args;
    return is_there ? next : kNoValue;
}

template <bool is_subtract, bool is_64>
void add_carry(BlockCompiler &c, const Inst &in, ValueId id) {
    const ValueId flags = flags_of_sum<is_subtract, is_64>(c, in, id);
    if (flags != kNoValue) c.join(flags);
    const HostReg a = c.use(in.args[0]);
    const BlockCompiler::Operand b = c.operand(in.args[1], is_64);
    carry_to_host<is_subtract>(c, in.args[2]);
    c.consume();
    const HostReg d = define<is_64>(c, id, a);
    c.move(d, a);
    c.alu(is_subtract ? Alu::Sbb : Alu::Adc, d, b, is_64);
    if (flags != kNoValue) define_flags<is_subtract>(c, flags);
}
template <bool is_subtract, bool is_64>
void add_carry_flags(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    const BlockCompiler::Operand b = c.operand(in.args[1], is_64);
    carry_to_host<is_subtract>(c, in.args[2]);
    c.consume();
    c.move(kRcx, a);
    c.alu(is_subtract ? Alu::Sbb : Alu::Adc, kRcx, b, is_64);
    define_flags<is_subtract>(c, id);
}

void flags_from_nzcv(BlockCompiler &c, const Inst &in, ValueId id) {
    // N and Z, bits 31:30, go to 15:14; C, bit 29, to 8; V, bit 28, to 0.
    const HostReg a = c.use(in.args[0]);
    c.mov(c.eax, Reg32(a));
    c.mov(c.ecx, Reg32(a));
    c.shr(c.eax, 16);
    c.and_(c.eax, ir::kFlagN | ir::kFlagZ);
    c.shr(c.ecx, 28);
    c.and_(c.ecx, 1);
    c.or_(c.eax, c.ecx);
    c.mov(c.ecx, Reg32(a));
    c.shr(c.ecx, 21);
    c.and_(c.ecx, ir::kFlagC);
    c.or_(c.eax, c.ecx);
    c.consume();
    const HostReg d = c.def(id);
    c.mov(Reg32(d), c.eax);
}

void nzcv_from_flags(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.mov(c.eax, Reg32(a));
    c.and_(c.eax, ir::kFlagN | ir::kFlagZ);
    c.shl(c.eax, 16);
    c.mov(c.ecx, Reg32(a));
    c.and_(c.ecx, ir::kFlagC);
    c.shl(c.ecx, 21);
    c.or_(c.eax, c.ecx);
    c.mov(c.ecx, Reg32(a));
    c.and_(c.ecx, ir::kFlagV);
    c.shl(c.ecx, 28);
    c.or_(c.eax, c.ecx);
    c.consume();
    const HostReg d = define<false>(c, id);
    c.mov(Reg32(d), c.eax);
}

} // namespace

BlockCompiler::Emitter flags_emitter(Opcode op) {
    switch (op) {
    case Opcode::Adc32: return add_carry<false, false>;
    case Opcode::Adc64: return add_carry<false, true>;
    case Opcode::Sbc32: return add_carry<true, false>;
    case Opcode::Sbc64: return add_carry<true, true>;
    case Opcode::AdcFlags32: return add_carry_flags<false, false>;
    case Opcode::AdcFlags64: return add_carry_flags<false, true>;
    case Opcode::SbcFlags32: return add_carry_flags<true, false>;
    case Opcode::SbcFlags64: return add_carry_flags<true, true>;
    case Opcode::Select32: return select<false>;
    case Opcode::Select64: return select<true>;
    case Opcode::SelectFlags: return select_flags;
    case Opcode::FlagsFromNzcv: return flags_from_nzcv;
    case Opcode::NzcvFromFlags: return nzcv_from_flags;
    default: return nullptr;
    }
}

} // namespace tandem::jit
