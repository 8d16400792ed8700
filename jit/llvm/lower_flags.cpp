// Flags and conditions. Conditions of flags made in the same block become comparisons of their
// operands; the four bits are made only for who wants them, and unwanted ones go with dead code.
#include "jit/llvm/lowering.h"

namespace tandem::jit::llvm_tier {
namespace {

using Kind = FlagsValue::Kind;

enum : unsigned { kN, kZ, kC, kV };
constexpr std::array<u32, 4> kMasks{ir::kFlagN, ir::kFlagZ, ir::kFlagC, ir::kFlagV};

template <Kind kind>
void make(Lowering &l, const Inst &in, ValueId id) {
    FlagsValue flags;
    flags.kind = kind;
    flags.a = l.value(in.args[0]);
    if (kind != Kind::Logic) flags.b = l.value(in.args[1]);
    l.flags(id) = flags;
}

/// Of a + b + carry.
FlagsValue add_with_carry(Lowering &l, llvm::Value *a, llvm::Value *b, llvm::Value *carry) {
    llvm::Type *type = a->getType();
    llvm::Value *zero = llvm::ConstantInt::get(type, 0);
    llvm::Value *first = l.b.CreateAdd(a, b);
    llvm::Value *sum = l.b.CreateAdd(first, l.b.CreateZExt(carry, type));
    FlagsValue flags;
    flags.bits[kN] = l.b.CreateICmpSLT(sum, zero);
    flags.bits[kZ] = l.b.CreateICmpEQ(sum, zero);
    flags.bits[kC] = l.b.CreateOr(l.b.CreateICmpULT(first, a), l.b.CreateICmpULT(sum, first));
    flags.bits[kV] =
        l.b.CreateICmpSLT(l.b.CreateAnd(l.b.CreateXor(a, sum), l.b.CreateXor(b, sum)), zero);
    return flags;
}

void adc_flags(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *carry = l.flag_bit(l.flags(in.args[2]), kC);
    l.flags(id) = add_with_carry(l, l.value(in.args[0]), l.value(in.args[1]), carry);
}
void sbc_flags(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *carry = l.flag_bit(l.flags(in.args[2]), kC);
    l.flags(id) = add_with_carry(l, l.value(in.args[0]), l.b.CreateNot(l.value(in.args[1])), carry);
}

void adc(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = l.value(in.args[0]);
    llvm::Value *carry = l.b.CreateZExt(l.flag_bit(l.flags(in.args[2]), kC), a->getType());
    l.set(id, l.b.CreateAdd(l.b.CreateAdd(a, l.value(in.args[1])), carry));
}
void sbc(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = l.value(in.args[0]);
    llvm::Value *borrow =
        l.b.CreateZExt(l.b.CreateNot(l.flag_bit(l.flags(in.args[2]), kC)), a->getType());
    l.set(id, l.b.CreateSub(l.b.CreateSub(a, l.value(in.args[1])), borrow));
}

void flags_from_nzcv(Lowering &l, const Inst &in, ValueId id) {
    FlagsValue flags;
    for (unsigned i = 0; i < 4; ++i) {
        llvm::Value *bit = l.b.CreateAnd(l.value(in.args[0]), l.const32(1u << (31 - i)));
        flags.bits[i] = l.b.CreateICmpNE(bit, l.const32(0));
    }
    l.flags(id) = flags;
}
void nzcv_from_flags(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *result = l.const32(0);
    for (unsigned i = 0; i < 4; ++i) {
        llvm::Value *bit = l.b.CreateZExt(l.flag_bit(l.flags(in.args[0]), i), l.b.getInt32Ty());
        result = l.b.CreateOr(result, l.b.CreateShl(bit, 31 - i));
    }
    l.set(id, result);
}
void const_flags(Lowering &l, const Inst &in, ValueId id) {
    FlagsValue flags;
    for (unsigned i = 0; i < 4; ++i) flags.bits[i] = l.b.getInt1((in.imm & kMasks[i]) != 0);
    l.flags(id) = flags;
}
void select_flags(Lowering &l, const Inst &in, ValueId id) {
    FlagsValue flags;
    for (unsigned i = 0; i < 4; ++i) {
        llvm::Value *yes = l.flag_bit(l.flags(in.args[1]), i);
        flags.bits[i] =
            l.b.CreateSelect(l.value(in.args[0]), yes, l.flag_bit(l.flags(in.args[2]), i));
    }
    l.flags(id) = flags;
}
void cond_holds(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.condition(l.flags(in.args[0]), static_cast<ir::Cond>(in.imm & 15)));
}
void get_flags(Lowering &l, const Inst &, ValueId id) {
    l.flags(id) = l.get_flags();
}
void set_flags(Lowering &l, const Inst &in, ValueId) {
    l.set_flags(l.flags(in.args[0]));
}

} // namespace

llvm::Value *Lowering::flag_bit(FlagsValue &flags, unsigned index) {
    if (flags.bits[index] != nullptr) return flags.bits[index];
    llvm::Value *zero = llvm::ConstantInt::get(flags.a->getType(), 0);
    llvm::Value *result = nullptr;
    switch (flags.kind) {
    case Kind::Logic:
        result = index == kN   ? b.CreateICmpSLT(flags.a, zero)
                 : index == kZ ? b.CreateICmpEQ(flags.a, zero)
                               : static_cast<llvm::Value *>(b.getFalse());
        break;
    case Kind::Subtraction:
        switch (index) {
        case kN: result = b.CreateICmpSLT(b.CreateSub(flags.a, flags.b), zero); break;
        case kZ: result = b.CreateICmpEQ(flags.a, flags.b); break;
        case kC: result = b.CreateICmpUGE(flags.a, flags.b); break;
        default: {
            llvm::Value *difference = b.CreateSub(flags.a, flags.b);
            result = b.CreateICmpSLT(
                b.CreateAnd(b.CreateXor(flags.a, flags.b), b.CreateXor(flags.a, difference)), zero);
            break;
        }
        }
        break;
    default: {
        llvm::Value *sum = b.CreateAdd(flags.a, flags.b);
        switch (index) {
        case kN: result = b.CreateICmpSLT(sum, zero); break;
        case kZ: result = b.CreateICmpEQ(sum, zero); break;
        case kC: result = b.CreateICmpULT(sum, flags.a); break;
        default:
            result = b.CreateICmpSLT(
                b.CreateAnd(b.CreateXor(flags.a, sum), b.CreateXor(flags.b, sum)), zero);
            break;
        }
        break;
    }
    }
    return flags.bits[index] = result;
}

llvm::Value *Lowering::condition(FlagsValue &flags, ir::Cond cond) {
    using ir::Cond;
    using llvm::CmpInst;
    if (cond == Cond::AL || cond == Cond::NV) return b.getTrue();
    if (flags.kind == Kind::Subtraction || flags.kind == Kind::Logic) {
        // The flags of a logical result are those of comparing it with zero, but for C.
        const bool is_logic = flags.kind == Kind::Logic;
        llvm::Value *right = is_logic ? llvm::ConstantInt::get(flags.a->getType(), 0) : flags.b;
        const auto compare = [&](CmpInst::Predicate p) { return b.CreateICmp(p, flags.a, right); };
        switch (cond) {
        case Cond::EQ: return compare(CmpInst::ICMP_EQ);
        case Cond::NE: return compare(CmpInst::ICMP_NE);
        case Cond::GE: return compare(CmpInst::ICMP_SGE);
        case Cond::LT: return compare(CmpInst::ICMP_SLT);
        case Cond::GT: return compare(CmpInst::ICMP_SGT);
        case Cond::LE: return compare(CmpInst::ICMP_SLE);
        case Cond::CS:
            if (!is_logic) return compare(CmpInst::ICMP_UGE);
            break;
        case Cond::CC:
            if (!is_logic) return compare(CmpInst::ICMP_ULT);
            break;
        case Cond::HI:
            if (!is_logic) return compare(CmpInst::ICMP_UGT);
            break;
        case Cond::LS:
            if (!is_logic) return compare(CmpInst::ICMP_ULE);
            break;
        default: break;
        }
    }
    const auto bit = [&](unsigned index) { return flag_bit(flags, index); };
    llvm::Value *holds = nullptr;
    switch (static_cast<unsigned>(cond) >> 1) {
    case 0: holds = bit(kZ); break;
    case 1: holds = bit(kC); break;
    case 2: holds = bit(kN); break;
    case 3: holds = bit(kV); break;
    case 4: holds = b.CreateAnd(bit(kC), b.CreateNot(bit(kZ))); break;
    case 5: holds = b.CreateICmpEQ(bit(kN), bit(kV)); break;
    default: holds = b.CreateAnd(b.CreateICmpEQ(bit(kN), bit(kV)), b.CreateNot(bit(kZ))); break;
    }
    return (static_cast<unsigned>(cond) & 1) != 0 ? b.CreateNot(holds) : holds;
}

llvm::Value *Lowering::pack(FlagsValue &flags) {
    llvm::Value *result = const32(0);
    for (unsigned i = 0; i < 4; ++i) {
        llvm::Value *bit = b.CreateZExt(flag_bit(flags, i), b.getInt32Ty());
        result = b.CreateOr(result, b.CreateMul(bit, const32(kMasks[i])));
    }
    return result;
}

FlagsValue Lowering::unpack(llvm::Value *packed) {
    FlagsValue flags;
    for (unsigned i = 0; i < 4; ++i)
        flags.bits[i] = b.CreateICmpNE(b.CreateAnd(packed, const32(kMasks[i])), const32(0));
    return flags;
}

Lowering::Emitter flags_lowering(Opcode op) {
    switch (op) {
    case Opcode::AddFlags32:
    case Opcode::AddFlags64: return make<Kind::Addition>;
    case Opcode::SubFlags32:
    case Opcode::SubFlags64: return make<Kind::Subtraction>;
    case Opcode::LogicFlags32:
    case Opcode::LogicFlags64: return make<Kind::Logic>;
    case Opcode::AdcFlags32:
    case Opcode::AdcFlags64: return adc_flags;
    case Opcode::SbcFlags32:
    case Opcode::SbcFlags64: return sbc_flags;
    case Opcode::Adc32:
    case Opcode::Adc64: return adc;
    case Opcode::Sbc32:
    case Opcode::Sbc64: return sbc;
    case Opcode::FlagsFromNzcv: return flags_from_nzcv;
    case Opcode::NzcvFromFlags: return nzcv_from_flags;
    case Opcode::ConstFlags: return const_flags;
    case Opcode::SelectFlags: return select_flags;
    case Opcode::CondHolds: return cond_holds;
    case Opcode::GetFlags: return get_flags;
    case Opcode::SetFlags: return set_flags;
    default: return nullptr;
    }
}

} // namespace tandem::jit::llvm_tier
