#include "ir/passes/fold_constants.h"
#include "ir/passes/passes.h"
#include "ir/passes/state_slots.h"

namespace tandem::ir {
namespace {

using Known = SlotTable<ValueId>::Entry;

/// The operation that takes a narrow value out of a wider one, and the operation that put it in
/// there; Nop if there is none.
struct Narrowing {
    Opcode take = Opcode::Nop;
    Opcode put = Opcode::Nop;
};
Narrowing narrowing(Type have, Type want) {
    if (have == Type::I64 && want == Type::I32) return {Opcode::Low32, Opcode::Nop};
    if (have != Type::V128) return {};
    switch (want) {
    case Type::F64: return {Opcode::VToF64, Opcode::VFromF64};
    case Type::F32: return {Opcode::VToF32, Opcode::VFromF32};
    case Type::F16: return {Opcode::VToF16, Opcode::VFromF16};
    default: return {};
    }
}

} // namespace

void Optimiser::forward(Block &block) {
    std::array<ValueId, kMaxBlockInsts> replacement; // uninitialised: written before it is read
    known_.clear();
    // Makes the value an alias of another.
    const auto replace = [&](std::size_t index, ValueId by) {
        replacement[index] = by;
        block.insts[index] = Inst{};
    };
    const auto read = [&](std::size_t index, const StateAccess &access) {
        Inst &inst = block.insts[index];
        if (const Known *known = known_.find(access.offset);
            known != nullptr && known->size >= access.size) {
            const Inst &source = block.insts[known->fact];
            const Type have = result_type(source.op);
            const Type want = result_type(inst.op);
            if (have == want) return replace(index, known->fact);
            const Narrowing how = narrowing(have, want);
            if (how.put != Opcode::Nop && source.op == how.put)
                return replace(index, source.args[0]);
            if (how.take != Opcode::Nop) {
                inst = Inst{.op = how.take, .args = {known->fact, kNoValue, kNoValue, kNoValue}};
                return;
            }
        }
        known_.set(access.offset, access.size, static_cast<ValueId>(index));
    };

    for (std::size_t i = 0; i < block.insts.size(); ++i) {
        Inst &inst = block.insts[i];
        replacement[i] = static_cast<ValueId>(i);
        for (unsigned a = 0; a < arg_count(inst.op); ++a) inst.args[a] = replacement[inst.args[a]];
        switch (op_class(inst.op)) {
        case OpClass::State: {
            const StateAccess access = state_access(inst);
            if (!access.exists) break;
            if (!access.is_write) {
                read(i, access);
                break;
            }
            known_.forget(access.offset, access.size);
            known_.set(access.offset, access.size, inst.args[0]);
            break;
        }
        case OpClass::Call:
            if (helpers_[inst.imm & 0xffff].accesses_state) known_.clear();
            break;
        case OpClass::Pure: break;
        default: continue;
        }
        // What a read has become may simplify further.
        if (op_class(inst.op) != OpClass::Pure || evaluate(block, inst)) continue;
        if (const std::optional<ValueId> same = identity(block, inst)) replace(i, *same);
    }
}

} // namespace tandem::ir
