// State access, constants, calls and exits.
#include "ir/interpreter/op.h"

#include <atomic>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;

const Op *nop(Frame &, const Op *op) {
    return op + 1;
}

const Op *insn(Frame &f, const Op *op) {
    f.ctx.pc = f.ctx.pc_page + insn_page_offset(op->imm);
    f.retired = insn_index(op->imm) + 1;
    return op + 1;
}

template <typename T>
const Op *get_state(Frame &f, const Op *op) {
    f.set(op->dst, f.state<T>(op->imm));
    return op + 1;
}
template <typename T>
const Op *get_state_vector(Frame &f, const Op *op) {
    f.set_vector_scalar(op->dst, f.state<T>(op->imm));
    return op + 1;
}
template <typename T>
const Op *set_state(Frame &f, const Op *op) {
    f.set_state<T>(op->imm, f.get<T>(op->args[0]));
    return op + 1;
}
const Op *pc_relative(Frame &f, const Op *op) {
    f.set(op->dst, f.ctx.pc_page + op->imm);
    return op + 1;
}
const Op *constant(Frame &f, const Op *op) {
    f.set(op->dst, op->imm);
    return op + 1;
}
const Op *second(Frame &f, const Op *op) {
    f.set(op->dst, f.slots[op->dst]); // the pair operation has written this slot
    return op + 1;
}

const Op *call(Frame &f, const Op *op) {
    const auto arg = [&](unsigned i) { return f.get<u64>(op->args[i]); };
    f.set(op->dst, op->helper(f.ctx, arg(0), arg(1), arg(2), arg(3), op->imm >> 16));
    return f.ctx.pending_exit == PendingExit::None ? op + 1 : nullptr;
}

const Op *fence(Frame &, const Op *op) {
    if (static_cast<FenceKind>(op->imm) == FenceKind::Full)
        std::atomic_thread_fence(std::memory_order_seq_cst);
    else
        std::atomic_signal_fence(std::memory_order_seq_cst);
    return op + 1;
}
const Op *clear_exclusive(Frame &f, const Op *op) {
    f.ctx.memory->clear_exclusive(f.ctx);
    return op + 1;
}

const Op *exit_if(Frame &f, const Op *op) {
    if (!f.get<bool>(op->args[0])) return op + 1;
    f.ctx.pc = f.ctx.pc_page + op->imm;
    return nullptr;
}
const Op *raise_if(Frame &f, const Op *op) {
    if (!f.get<bool>(op->args[0])) return op + 1;
    op->helper(f.ctx, 0, 0, 0, 0, op->imm >> 16);
    return nullptr;
}
const Op *exit(Frame &f, const Op *op) {
    f.ctx.pc = f.ctx.pc_page + op->imm;
    return nullptr;
}
const Op *exit_indirect(Frame &f, const Op *op) {
    f.ctx.pc = f.get<u64>(op->args[0]);
    return nullptr;
}
const Op *exit_dispatch(Frame &, const Op *) {
    return nullptr;
}

} // namespace

Predecoded::Handler control_handler(Opcode op) {
    switch (op) {
    case Opcode::Nop:
    case Opcode::PushReturn: return nop;
    case Opcode::Insn: return insn;
    case Opcode::Second:
    case Opcode::SecondF32:
    case Opcode::SecondF64:
    case Opcode::SecondV128: return second;
    case Opcode::GetState32:
    case Opcode::GetFlags: return get_state<u32>;
    case Opcode::GetState64: return get_state<u64>;
    case Opcode::GetStateF16: return get_state_vector<u16>;
    case Opcode::GetStateF32: return get_state_vector<u32>;
    case Opcode::GetStateF64: return get_state_vector<u64>;
    case Opcode::GetStateV128: return get_state<Vec>;
    case Opcode::SetState32:
    case Opcode::SetFlags: return set_state<u32>;
    case Opcode::SetState64: return set_state<u64>;
    case Opcode::SetStateV128: return set_state<Vec>;
    case Opcode::PcRelative: return pc_relative;
    case Opcode::Const32:
    case Opcode::Const64:
    case Opcode::ConstFlags: return constant;
    case Opcode::Call0:
    case Opcode::Call1:
    case Opcode::Call2:
    case Opcode::Call3:
    case Opcode::Call4: return call;
    case Opcode::Fence: return fence;
    case Opcode::ClearExclusive: return clear_exclusive;
    case Opcode::ExitIf:
    case Opcode::DispatchIf: return exit_if;
    case Opcode::RaiseIf: return raise_if;
    case Opcode::Exit: return exit;
    case Opcode::ExitIndirect: return exit_indirect;
    case Opcode::ExitDispatch: return exit_dispatch;
    default: return nullptr;
    }
}

} // namespace tandem::ir
