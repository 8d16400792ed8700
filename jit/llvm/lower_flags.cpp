// Flags and conditions. Conditions become comparisons of the operands of what made the flags, in
// this block or another; the four bits are made only for who wants them.
#include "jit/llvm/lowering.h"

#include <bit>
#include <optional>

namespace tandem::jit::llvm_tier {
namespace {

using Kind = FlagsValue::Kind;

enum : unsigned { kN, kZ, kC, kV };
constexpr std::array<u32, 4> kMasks{ir::kFlagN, ir::kFlagZ, ir::kFlagC, ir::kFlagV};

bool is_logic(FlagsForm form) {
    return form == FlagsForm::Logic32 || form == FlagsForm::Logic64;
}
bool is_comparison(FlagsForm form) {
    return form == FlagsForm::Compare32 || form == FlagsForm::Compare64;
}

template <FlagsForm form>
void make(Lowering &l, const Inst &in, ValueId id) {
    FlagsValue flags{.kind = Kind::Operation, .form = form, .a = l.value(in.args[0])};
    flags.b = is_logic(form) ? llvm::ConstantInt::get(flags.a->getType(), 0) : l.value(in.args[1]);
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
    l.flags(id) = {
        .kind = Kind::Select, .test = l.value(in.args[0]), .yes = in.args[1], .no = in.args[2]};
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

llvm::Value *operation_bit(Lowering &l, const FlagsValue &flags, unsigned index) {
    using llvm::CmpInst;
    llvm::IRBuilder<> &b = l.b;
    if (is_comparison(flags.form)) {
        constexpr CmpInst::Predicate kPredicates[] = {CmpInst::FCMP_OLT, CmpInst::FCMP_OEQ,
                                                      CmpInst::FCMP_UGE, CmpInst::FCMP_UNO};
        return b.CreateFCmp(kPredicates[index], flags.a, flags.b);
    }
    llvm::Value *zero = llvm::ConstantInt::get(flags.a->getType(), 0);
    if (is_logic(flags.form)) {
        if (index == kN) return b.CreateICmpSLT(flags.a, zero);
        if (index == kZ) return b.CreateICmpEQ(flags.a, zero);
        return b.getFalse();
    }
    const bool is_addition =
        flags.form == FlagsForm::Addition32 || flags.form == FlagsForm::Addition64;
    llvm::Value *result =
        is_addition ? b.CreateAdd(flags.a, flags.b) : b.CreateSub(flags.a, flags.b);
    switch (index) {
    case kN: return b.CreateICmpSLT(result, zero);
    case kZ: return b.CreateICmpEQ(result, zero);
    case kC:
        return is_addition ? b.CreateICmpULT(result, flags.a) : b.CreateICmpUGE(flags.a, flags.b);
    default: {
        llvm::Value *differs = b.CreateXor(flags.b, is_addition ? result : flags.a);
        return b.CreateICmpSLT(b.CreateAnd(b.CreateXor(flags.a, result), differs), zero);
    }
    }
}

/// The predicate on the operands of a subtraction or floating-point comparison that is a condition,
/// if one is. The flags of a logical result are those of subtracting zero, but for C.
std::optional<llvm::CmpInst::Predicate> predicate(FlagsForm form, ir::Cond cond) {
    using ir::Cond;
    using llvm::CmpInst;
    struct Row {
        CmpInst::Predicate integer, floating;
    };
    constexpr auto kNone = CmpInst::BAD_ICMP_PREDICATE;
    constexpr std::array<Row, 14> kRows{{
        {CmpInst::ICMP_EQ, CmpInst::FCMP_OEQ},
        {CmpInst::ICMP_NE, CmpInst::FCMP_UNE},
        {CmpInst::ICMP_UGE, CmpInst::FCMP_UGE},
        {CmpInst::ICMP_ULT, CmpInst::FCMP_OLT},
        {kNone, CmpInst::FCMP_OLT},
        {kNone, CmpInst::FCMP_UGE},
        {kNone, CmpInst::FCMP_UNO},
        {kNone, CmpInst::FCMP_ORD},
        {CmpInst::ICMP_UGT, CmpInst::FCMP_UGT},
        {CmpInst::ICMP_ULE, CmpInst::FCMP_OLE},
        {CmpInst::ICMP_SGE, CmpInst::FCMP_OGE},
        {CmpInst::ICMP_SLT, CmpInst::FCMP_ULT},
        {CmpInst::ICMP_SGT, CmpInst::FCMP_OGT},
        {CmpInst::ICMP_SLE, CmpInst::FCMP_ULE},
    }};
    const Row &row = kRows[static_cast<unsigned>(cond)];
    if (is_comparison(form)) return row.floating;
    const bool is_subtraction =
        form == FlagsForm::Subtraction32 || form == FlagsForm::Subtraction64;
    const bool wants_carry =
        cond == Cond::CS || cond == Cond::CC || cond == Cond::HI || cond == Cond::LS;
    if (row.integer == kNone || !(is_subtraction || (is_logic(form) && !wants_carry))) return {};
    return row.integer;
}

/// A variable as if it had one of its forms.
FlagsValue assume(Lowering &l, const FlagsValue &variable, FlagsForm form) {
    if (form == FlagsForm::Packed) return l.unpack(l.b.CreateTrunc(variable.a, l.b.getInt32Ty()));
    llvm::Type *type = l.b.getInt64Ty();
    switch (form) {
    case FlagsForm::Subtraction32:
    case FlagsForm::Addition32:
    case FlagsForm::Logic32:
    case FlagsForm::Compare32: type = l.b.getInt32Ty(); break;
    default: break;
    }
    FlagsValue flags{.kind = Kind::Operation,
                     .form = form,
                     .a = l.b.CreateTrunc(variable.a, type),
                     .b = l.b.CreateTrunc(variable.b, type)};
    if (is_comparison(form)) {
        // Operands of something else might be signalling NaNs.
        llvm::Value *is_form =
            l.b.CreateICmpEQ(variable.form_value, l.const64(static_cast<u64>(form)));
        for (llvm::Value **operand : {&flags.a, &flags.b})
            *operand = l.b.CreateSelect(is_form, *operand, llvm::ConstantInt::get(type, 0));
        llvm::Type *fp = l.fp(type->getIntegerBitWidth());
        flags.a = l.b.CreateBitCast(flags.a, fp);
        flags.b = l.b.CreateBitCast(flags.b, fp);
    }
    return flags;
}

/// What `evaluate` says of a variable, in whatever form it is.
template <typename Evaluate>
llvm::Value *of_variable(Lowering &l, const FlagsValue &variable, Evaluate evaluate) {
    llvm::Value *result = nullptr;
    for (u32 forms = variable.forms; forms != 0; forms &= forms - 1) {
        const auto form = static_cast<FlagsForm>(std::countr_zero(forms));
        FlagsValue flags = assume(l, variable, form);
        llvm::Value *here = evaluate(flags);
        if (result == nullptr) {
            result = here;
            continue;
        }
        llvm::Value *is_form =
            l.b.CreateICmpEQ(variable.form_value, l.const64(static_cast<u64>(form)));
        result = l.b.CreateSelect(is_form, here, result);
    }
    return result;
}

} // namespace

u32 flags_forms(const Inst &inst, std::span<const u32> of_values, u32 of_state) {
    constexpr u64 kFlushToZero = 4;
    switch (inst.op) {
    case Opcode::SubFlags32: return only(FlagsForm::Subtraction32);
    case Opcode::SubFlags64: return only(FlagsForm::Subtraction64);
    case Opcode::AddFlags32: return only(FlagsForm::Addition32);
    case Opcode::AddFlags64: return only(FlagsForm::Addition64);
    case Opcode::LogicFlags32: return only(FlagsForm::Logic32);
    case Opcode::LogicFlags64: return only(FlagsForm::Logic64);
    case Opcode::FCompare32:
    case Opcode::FCompare64:
        if ((inst.imm & kFlushToZero) != 0) return only(FlagsForm::Packed);
        return only(inst.op == Opcode::FCompare32 ? FlagsForm::Compare32 : FlagsForm::Compare64);
    case Opcode::SelectFlags: return of_values[inst.args[1]] | of_values[inst.args[2]];
    case Opcode::GetFlags: return of_state;
    default: return only(FlagsForm::Packed);
    }
}

llvm::Value *Lowering::flag_bit(FlagsValue &flags, unsigned index) {
    llvm::Value *&bit = flags.bits[index];
    if (bit != nullptr) return bit;
    switch (flags.kind) {
    case Kind::Bits: break;
    case Kind::Operation: bit = operation_bit(*this, flags, index); break;
    case Kind::Select: {
        llvm::Value *yes = flag_bit(this->flags(flags.yes), index);
        bit = b.CreateSelect(flags.test, yes, flag_bit(this->flags(flags.no), index));
        break;
    }
    case Kind::Variable:
        bit = of_variable(*this, flags, [&](FlagsValue &each) { return flag_bit(each, index); });
        break;
    }
    return bit;
}

llvm::Value *Lowering::condition(FlagsValue &flags, ir::Cond cond) {
    using ir::Cond;
    if (cond == Cond::AL || cond == Cond::NV) return b.getTrue();
    if (flags.kind == Kind::Select) {
        llvm::Value *yes = condition(this->flags(flags.yes), cond);
        return b.CreateSelect(flags.test, yes, condition(this->flags(flags.no), cond));
    }
    if (flags.kind == Kind::Variable)
        return of_variable(*this, flags, [&](FlagsValue &each) { return condition(each, cond); });
    if (flags.kind == Kind::Operation)
        if (const auto comparison = predicate(flags.form, cond); comparison.has_value())
            return b.CreateCmp(*comparison, flags.a, flags.b);
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

std::array<llvm::Value *, 3> Lowering::encode(FlagsValue &flags) {
    llvm::Type *word = b.getInt64Ty();
    switch (flags.kind) {
    case Kind::Variable: return {flags.form_value, flags.a, flags.b};
    case Kind::Operation: {
        flags.forms = only(flags.form);
        const auto as_word = [&](llvm::Value *v) {
            if (is_comparison(flags.form))
                v = b.CreateBitCast(v, b.getIntNTy(v->getType()->getScalarSizeInBits()));
            return b.CreateZExt(v, word);
        };
        return {const64(static_cast<u64>(flags.form)), as_word(flags.a), as_word(flags.b)};
    }
    case Kind::Select: {
        FlagsValue &yes = this->flags(flags.yes);
        FlagsValue &no = this->flags(flags.no);
        std::array<llvm::Value *, 3> result = encode(yes);
        const std::array<llvm::Value *, 3> other = encode(no);
        for (unsigned i = 0; i < result.size(); ++i)
            result[i] = b.CreateSelect(flags.test, result[i], other[i]);
        flags.forms = yes.forms | no.forms;
        return result;
    }
    case Kind::Bits: break;
    }
    flags.forms = only(FlagsForm::Packed);
    return {const64(static_cast<u64>(FlagsForm::Packed)), b.CreateZExt(pack(flags), word),
            const64(0)};
}

llvm::Value *Lowering::pack(FlagsValue &flags) {
    llvm::Value *result = const32(0);
    for (unsigned i = 0; i < 4; ++i)
        result =
            b.CreateOr(result, b.CreateSelect(flag_bit(flags, i), const32(kMasks[i]), const32(0)));
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
    case Opcode::AddFlags32: return make<FlagsForm::Addition32>;
    case Opcode::AddFlags64: return make<FlagsForm::Addition64>;
    case Opcode::SubFlags32: return make<FlagsForm::Subtraction32>;
    case Opcode::SubFlags64: return make<FlagsForm::Subtraction64>;
    case Opcode::LogicFlags32: return make<FlagsForm::Logic32>;
    case Opcode::LogicFlags64: return make<FlagsForm::Logic64>;
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
