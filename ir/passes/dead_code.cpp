#include "ir/passes/passes.h"
#include "ir/passes/scratch.h"
#include "ir/passes/state_slots.h"

#include <bitset>

namespace tandem::ir {
namespace {

/// May control leave the block here, or an exception show the state?
bool observes_state(const Inst &inst, std::span<const Helper> helpers) {
    switch (info(inst.op).op_class) {
    case OpClass::Memory:
    case OpClass::Exit: return true;
    case OpClass::Call: {
        const Helper &helper = helpers[inst.imm & 0xffff];
        return helper.accesses_state || helper.may_exit;
    }
    default: return false;
    }
}

bool has_effect(const Inst &inst) {
    switch (info(inst.op).op_class) {
    case OpClass::Pure: return false;
    case OpClass::State: return info(inst.op).result == Type::Void;
    case OpClass::Effect: return inst.op != Opcode::Nop;
    // An FP operation raises cumulative flags even when its value is unused.
    case OpClass::Fp:
    case OpClass::Memory:
    case OpClass::Call:
    case OpClass::Exit: return true;
    }
    return true;
}

} // namespace

void remove_dead_state_writes(Block &block, std::span<const Helper> helpers) {
    struct Overwritten {
        u64 offset;
        u32 size;
    };
    BoundedList<Overwritten> overwritten;
    for (auto it = block.insts.rbegin(); it != block.insts.rend(); ++it) {
        if (observes_state(*it, helpers)) overwritten.clear();
        const StateAccess access = state_access(*it);
        if (!access.exists) continue;
        if (!access.is_write) {
            overwritten.remove_if(
                [&](const Overwritten &o) { return access.overlaps(o.offset, o.size); });
            continue;
        }
        bool is_dead = false;
        for (const Overwritten &o : overwritten)
            is_dead = is_dead || (o.offset <= access.offset &&
                                  access.offset + access.size <= o.offset + o.size);
        if (is_dead)
            *it = Inst{};
        else
            overwritten.push_back({access.offset, access.size});
    }
}

void remove_dead_values(Block &block) {
    std::bitset<kMaxBlockInsts> used;
    for (std::size_t i = block.insts.size(); i-- > 0;) {
        Inst &inst = block.insts[i];
        // The pair operation before it writes the slot of Second*: both stay.
        const bool is_second = inst.op == Opcode::Second || inst.op == Opcode::SecondF32 ||
                               inst.op == Opcode::SecondF64 || inst.op == Opcode::SecondV128;
        if (!used[i] && !is_second && !has_effect(inst)) {
            inst = Inst{};
            continue;
        }
        for (const ValueId arg : inst.args)
            if (arg != kNoValue) used[arg] = true;
    }
}

void compact(Block &block) {
    PerInst<ValueId> renumbered;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < block.insts.size(); ++i) {
        if (block.insts[i].op == Opcode::Nop) continue;
        Inst inst = block.insts[i];
        for (ValueId &arg : inst.args)
            if (arg != kNoValue) arg = renumbered[arg];
        renumbered[i] = static_cast<ValueId>(kept);
        block.insts[kept++] = inst;
    }
    block.insts.resize(kept);
}

void optimise(Block &block, std::span<const Helper> helpers) {
    forward_state(block, helpers);
    fold_constants(block);
    remove_dead_state_writes(block, helpers);
    remove_dead_values(block);
    compact(block);
}

} // namespace tandem::ir
