#include "ir/passes/fold_constants.h"

#include "ir/semantics/thunk.h"

namespace tandem::ir {
namespace {

bool is_constant(const Block &block, ValueId id) {
    const Opcode op = block.insts[id].op;
    return op == Opcode::Const64 || op == Opcode::Const32;
}
u64 constant(const Block &block, ValueId id) {
    const Inst &inst = block.insts[id];
    return inst.op == Opcode::Const32 ? inst.imm & 0xffffffff : inst.imm;
}
bool equals(const Block &block, ValueId id, u64 value) {
    return is_constant(block, id) && constant(block, id) == value;
}

} // namespace

bool evaluate(const Block &block, Inst &inst) {
    const unsigned count = arg_count(inst.op);
    if (count == 0 || op_class(inst.op) != OpClass::Pure) return false;
    for (unsigned a = 0; a < count; ++a)
        if (!is_constant(block, inst.args[a])) return false;
    const Type result_is = result_type(inst.op);
    if (result_is != Type::I32 && result_is != Type::I64) return false;
    const semantics::Thunk definition = semantics::thunk(inst.op);
    if (definition == nullptr) return false;
    std::array<Vec, 4> args{};
    for (unsigned a = 0; a < count; ++a) args[a].d[0] = constant(block, inst.args[a]);
    Vec result;
    u32 fpsr = 0;
    definition(fpsr, &result, &args[0], &args[1], &args[2], &args[3], inst.imm);
    inst =
        Inst{.op = result_is == Type::I32 ? Opcode::Const32 : Opcode::Const64, .imm = result.d[0]};
    return true;
}

std::optional<ValueId> identity(const Block &block, const Inst &inst) {
    // A load that zero-extends needs no second extension.
    const auto already_fits = [&](Opcode load) -> std::optional<ValueId> {
        if (block.insts[inst.args[0]].op == load) return inst.args[0];
        return std::nullopt;
    };
    switch (inst.op) {
    case Opcode::Add64:
    case Opcode::Add32:
    case Opcode::Or64:
    case Opcode::Or32:
    case Opcode::Xor64:
    case Opcode::Xor32:
        if (equals(block, inst.args[0], 0)) return inst.args[1];
        [[fallthrough]];
    case Opcode::Sub64:
    case Opcode::Sub32:
    case Opcode::Shl64:
    case Opcode::Shl32:
    case Opcode::Lsr64:
    case Opcode::Lsr32:
    case Opcode::Asr64:
    case Opcode::Asr32:
    case Opcode::AndNot64:
    case Opcode::AndNot32:
        if (equals(block, inst.args[1], 0)) return inst.args[0];
        return std::nullopt;
    case Opcode::And64:
        if (equals(block, inst.args[1], ~u64{0})) return inst.args[0];
        return std::nullopt;
    case Opcode::ZeroExtend8: return already_fits(Opcode::Load8);
    case Opcode::ZeroExtend16: return already_fits(Opcode::Load16);
    case Opcode::Low32:
        if (const Inst &from = block.insts[inst.args[0]]; from.op == Opcode::ZeroExtend32)
            return from.args[0];
        return std::nullopt;
    default: return std::nullopt;
    }
}

} // namespace tandem::ir
