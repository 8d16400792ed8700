#include "ir/passes/passes.h"
#include "ir/passes/state_slots.h"

#include <bitset>

namespace tandem::ir {
namespace {

/// May control leave the block here, or an exception show the state?
bool observes_state(const Inst &inst, std::span<const Helper> helpers) {
    switch (op_class(inst.op)) {
    case OpClass::Memory:
    case OpClass::Exit: return true;
    case OpClass::Call: {
        const Helper &helper = helpers[inst.imm & 0xffff];
        return helper.accesses_state || helper.may_exit;
    }
    default: return false;
    }
}

/// Is the instruction for its value alone? FP operations raise cumulative flags as well; the pair
/// operation before Second* writes its slot, so both stay.
bool is_pure(const Inst &inst) {
    switch (inst.op) {
    case Opcode::Second:
    case Opcode::SecondF32:
    case Opcode::SecondF64:
    case Opcode::SecondV128: return false;
    default: break;
    }
    const OpClass kind = op_class(inst.op);
    return kind == OpClass::Pure || (kind == OpClass::State && result_type(inst.op) != Type::Void);
}

/// Drops Nops and renumbers values.
void compact(Block &block) {
    std::array<ValueId, kMaxBlockInsts> renumbered; // uninitialised: written before it is read
    std::size_t kept = 0;
    for (std::size_t i = 0; i < block.insts.size(); ++i) {
        if (block.insts[i].op == Opcode::Nop) continue;
        Inst inst = block.insts[i];
        for (unsigned a = 0; a < arg_count(inst.op); ++a) inst.args[a] = renumbered[inst.args[a]];
        renumbered[i] = static_cast<ValueId>(kept);
        block.insts[kept++] = inst;
    }
    block.insts.resize(kept);
}

} // namespace

void Optimiser::remove_dead(Block &block) {
    std::bitset<kMaxBlockInsts> used;
    overwritten_.clear();
    for (std::size_t i = block.insts.size(); i-- > 0;) {
        Inst &inst = block.insts[i];
        if (inst.op == Opcode::Nop) continue;
        if (!used[i] && is_pure(inst)) {
            inst = Inst{};
            continue;
        }
        if (observes_state(inst, helpers_)) {
            overwritten_.clear();
        } else if (const StateAccess access = state_access(inst); access.exists) {
            if (!access.is_write) {
                overwritten_.forget(access.offset, access.size);
            } else if (overwritten_.find_around(access.offset, access.size) != nullptr) {
                inst = Inst{};
                continue;
            } else {
                overwritten_.set(access.offset, access.size, {});
            }
        }
        for (unsigned a = 0; a < arg_count(inst.op); ++a) used[inst.args[a]] = true;
    }
}

void Optimiser::run(Block &block) {
    forward(block);
    remove_dead(block);
    compact(block);
    share_checks(block);
}

void optimise(Block &block, std::span<const Helper> helpers) {
    Optimiser(helpers).run(block);
}

} // namespace tandem::ir
