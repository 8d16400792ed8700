// State access, constants, calls and exits.
#include "ir/interpreter/op.h"

#include <atomic>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;

const Op *begin(Frame &f, const Op *op) {
    f.begin({static_cast<u32>(op->imm)});
    return op + 1;
}

/// `Stored` is how the value is written: see Frame::set.
template <typename T, typename Stored>
const Op *get_state(Frame &f, const Op *op) {
    if constexpr (std::is_same_v<Stored, Vec> && !std::is_same_v<T, Vec>)
        f.set<Vec>(op->dst, Vec{{f.state<T>(op->imm), 0}});
    else
        f.set<Stored>(op->dst, f.state<T>(op->imm));
    return op + 1;
}
template <typename T>
const Op *set_state(Frame &f, const Op *op) {
    f.set_state<T>(op->imm, f.get<T>(op->args[0]));
    return op + 1;
}
const Op *set_state_constant(Frame &f, const Op *op) {
    f.set_state(op->imm >> 32, static_cast<u32>(op->imm));
    return op + 1;
}
template <typename T>
const Op *copy(Frame &f, const Op *op) {
    f.set<T>(op->dst, f.get<T>(op->args[0]));
    return op + 1;
}
template <typename T>
const Op *constant(Frame &f, const Op *op) {
    f.set<T>(op->dst, static_cast<T>(op->imm));
    return op + 1;
}
const Op *pc_relative(Frame &f, const Op *op) {
    f.set<u64>(op->dst, f.ctx.pc_page + op->imm);
    return op + 1;
}

/// The next Op's immediate is the thunk. A thunk writes 16 bytes: what has less goes by a copy.
template <typename T>
const Op *call_thunk(Frame &f, const Op *op) {
    const auto thunk = reinterpret_cast<semantics::Thunk>(op[1].imm);
    const auto arg = [&](unsigned i) { return f.at(op->args[i]); };
    if constexpr (std::is_same_v<T, Vec>) {
        thunk(f.ctx.fpsr, f.at(op->dst), arg(0), arg(1), arg(2), nullptr, op->imm);
    } else {
        Vec result;
        thunk(f.ctx.fpsr, &result, arg(0), arg(1), arg(2), nullptr, op->imm);
        f.set<T>(op->dst, static_cast<T>(result.d[0]));
    }
    return op + 2;
}

/// The next Op's first argument is the fourth one.
const Op *call(Frame &f, const Op *op) {
    const auto arg = [&](unsigned i) { return f.get<u64>(op->args[i]); };
    const u64 result = f.helpers[op->imm & 0xffff].function(
        f.ctx, arg(0), arg(1), arg(2), f.get<u64>(op[1].args[0]), op->imm >> 16);
    if (f.ctx.pending_exit != PendingExit::None) return nullptr;
    f.set<u64>(op->dst, result);
    return op + 2;
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

const Op *exit(Frame &f, const Op *op) {
    f.leave({op->imm});
    return nullptr;
}
const Op *exit_indirect(Frame &f, const Op *op) {
    f.ctx.pc = f.get<u64>(op->args[0]);
    f.retired = ExitImm{op->imm}.retired();
    return nullptr;
}
const Op *exit_dispatch(Frame &f, const Op *op) {
    f.retired = ExitImm{op->imm}.retired();
    return nullptr;
}

} // namespace

const NamedHandlers kNamedHandlers{
    .begin = begin,
    .constant = constant<u64>,
    .flags_constant = constant<u32>,
    .state_constant = set_state_constant,
    .copies = {copy<u32>, copy<u64>, copy<Vec>},
    .thunks = {call_thunk<u32>, call_thunk<u64>, call_thunk<Vec>},
};

void add_control_handlers(HandlerTable &table) {
    const auto add = [&](Opcode op, Action action, Predecoded::Handler handler = nullptr) {
        table[static_cast<unsigned>(op)] = {.handler = handler, .action = action};
    };
    add(Opcode::Nop, Action::Skip);
    add(Opcode::PushReturn, Action::Skip);
    add(Opcode::Insn, Action::Mark);
    for (const Opcode op :
         {Opcode::Second, Opcode::SecondF32, Opcode::SecondF64, Opcode::SecondV128})
        add(op, Action::Second);
    add(Opcode::GetState32, Action::Get, get_state<u32, u64>);
    add(Opcode::GetFlags, Action::Get, get_state<u32, u32>);
    add(Opcode::GetState64, Action::Get, get_state<u64, u64>);
    add(Opcode::GetStateF16, Action::Get, get_state<u16, Vec>);
    add(Opcode::GetStateF32, Action::Get, get_state<u32, Vec>);
    add(Opcode::GetStateF64, Action::Get, get_state<u64, Vec>);
    add(Opcode::GetStateV128, Action::Get, get_state<Vec, Vec>);
    add(Opcode::SetState32, Action::Set, set_state<u32>);
    add(Opcode::SetFlags, Action::Set, set_state<u32>);
    add(Opcode::SetState64, Action::Set, set_state<u64>);
    add(Opcode::SetStateV128, Action::Set, set_state<Vec>);
    for (const Opcode op : {Opcode::Const32, Opcode::Const64, Opcode::ConstFlags})
        add(op, Action::Constant);
    add(Opcode::PcRelative, Action::Plain, pc_relative);
    // What else is above a scalar's slot than 0 is the register's business.
    for (const Opcode op : {Opcode::VFromF16, Opcode::VFromF32, Opcode::VFromF64})
        add(op, Action::Extend);
    for (const Opcode op :
         {Opcode::Call0, Opcode::Call1, Opcode::Call2, Opcode::Call3, Opcode::Call4})
        add(op, Action::Call, call);
    add(Opcode::Fence, Action::Plain, fence);
    add(Opcode::ClearExclusive, Action::Plain, clear_exclusive);
    add(Opcode::Exit, Action::Exit, exit);
    add(Opcode::ExitIndirect, Action::Exit, exit_indirect);
    add(Opcode::ExitDispatch, Action::Exit, exit_dispatch);
}

} // namespace tandem::ir
