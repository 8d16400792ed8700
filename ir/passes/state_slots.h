#pragma once
/// What the state passes know of an access: its slot and its width.
#include "ir/block.h"

namespace tandem::ir {

struct StateAccess {
    u64 offset = 0;
    u32 size = 0;
    bool is_write = false;
    bool exists = false; ///< false: the instruction accesses no state slot
};

[[nodiscard]] inline StateAccess state_access(const Inst &inst) {
    const auto read = [&](u32 size) { return StateAccess{inst.imm, size, false, true}; };
    const auto write = [&](u32 size) { return StateAccess{inst.imm, size, true, true}; };
    switch (inst.op) {
    case Opcode::GetStateF16: return read(2);
    case Opcode::GetState32:
    case Opcode::GetStateF32:
    case Opcode::GetFlags: return read(4);
    case Opcode::GetState64:
    case Opcode::GetStateF64: return read(8);
    case Opcode::GetStateV128: return read(16);
    case Opcode::SetState32:
    case Opcode::SetFlags: return write(4);
    case Opcode::SetState64: return write(8);
    case Opcode::SetStateV128: return write(16);
    default: return {};
    }
}

} // namespace tandem::ir
