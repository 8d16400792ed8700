// State access, helper calls, and exits.
#include "ir/exec_context.h"
#include "jit/llvm/lowering.h"

#include <cstddef>

namespace tandem::jit::llvm_tier {
namespace {

using ir::ExecContext;

void nothing(Lowering &, const Inst &, ValueId) {}

void insn(Lowering &l, const Inst &in, ValueId) {
    l.set_insn(in.imm);
}

llvm::Value *read_mxcsr(Lowering &l) {
    l.b.CreateIntrinsic(llvm::Intrinsic::x86_sse_stmxcsr, {},
                        {l.context_pointer(offsetof(ExecContext, mxcsr))});
    return l.load_context(l.b.getInt32Ty(), offsetof(ExecContext, mxcsr));
}
/// C++ code has its default.
void load_default_mxcsr(Lowering &l) {
    constexpr u64 kDefault = 0x1f80;
    constexpr const char *kName = "default_mxcsr";
    llvm::Module &module = *l.b.GetInsertBlock()->getModule();
    llvm::GlobalVariable *constant = module.getNamedGlobal(kName);
    if (constant == nullptr)
        constant = new llvm::GlobalVariable(module, l.b.getInt32Ty(), true,
                                            llvm::GlobalValue::InternalLinkage, l.const32(kDefault),
                                            kName);
    l.b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {}, {constant});
}
void load_mxcsr(Lowering &l) {
    l.b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {},
                        {l.context_pointer(offsetof(ExecContext, mxcsr))});
}

/// Flags still in mxcsr belong to FPSR (IOC DZC OFC UFC IXC are x86's IE ZE OE UE PE).
llvm::Value *read_fpsr(Lowering &l) {
    llvm::Value *mxcsr = read_mxcsr(l);
    llvm::Value *invalid = l.b.CreateAnd(mxcsr, l.const32(1));
    llvm::Value *others = l.b.CreateAnd(l.b.CreateLShr(mxcsr, 1), l.const32(0x1e));
    llvm::Value *stored = l.load_context(l.b.getInt32Ty(), offsetof(ExecContext, fpsr));
    return l.b.CreateOr(l.b.CreateOr(invalid, others), stored);
}
void write_fpsr(Lowering &l, llvm::Value *value) {
    l.store_context(value, offsetof(ExecContext, fpsr));
    llvm::Value *mxcsr = l.b.CreateAnd(read_mxcsr(l), l.const32(~0x3fu));
    l.store_context(mxcsr, offsetof(ExecContext, mxcsr));
    load_mxcsr(l);
}

template <unsigned size>
void get_state(Lowering &l, const Inst &in, ValueId id) {
    if (in.imm == offsetof(ExecContext, fpsr))
        l.set(id, read_fpsr(l));
    else
        l.set(id, l.get_state(in.imm, size, l.type(ir::info(in.op).result)));
}
template <unsigned size>
void set_state(Lowering &l, const Inst &in, ValueId) {
    if (in.imm == offsetof(ExecContext, fpsr))
        write_fpsr(l, l.value(in.args[0]));
    else
        l.set_state(in.imm, size, l.value(in.args[0]));
}
void pc_relative(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateAdd(l.pc_page(), l.const64(in.imm)));
}

/// Code may outlive the process: it takes the address from where the next one has it.
llvm::Value *helper_address(Lowering &l, u64 index) {
    llvm::Module &module = *l.b.GetInsertBlock()->getModule();
    auto *place = llvm::cast<llvm::GlobalVariable>(
        module.getOrInsertGlobal(kHelperSymbol + std::to_string(index), l.b.getPtrTy()));
    place->setConstant(true);
    place->setDSOLocal(true);
    return l.b.CreateLoad(l.b.getPtrTy(), place);
}

/// As jit/baseline's stubs call helpers.
llvm::Value *call(Lowering &l, const ir::Helper &helper, std::span<llvm::Value *const> args,
                  u64 imm) {
    llvm::Type *word = l.b.getInt64Ty();
    auto *type =
        llvm::FunctionType::get(word, {l.b.getPtrTy(), word, word, word, word, word}, false);
    const bool is_visible = helper.accesses_state || helper.may_exit;
    if (is_visible) {
        l.write_back();
        static_cast<void>(read_mxcsr(l));
        load_default_mxcsr(l);
    }
    if (helper.may_exit) {
        llvm::Value *pc = l.b.CreateAdd(l.pc_page(), l.const64(ir::insn_page_offset(l.insn())));
        l.store_context(pc, offsetof(ExecContext, pc));
        // What is left before this instruction: helpers count by it.
        llvm::Value *budget = l.budget_after(l.retired() - 1);
        l.store_context(l.b.CreateAdd(budget, l.const64(ir::kMaxBlockInstructions)),
                        offsetof(ExecContext, budget));
    }
    std::vector<llvm::Value *> all{l.context_pointer(0)};
    all.insert(all.end(), args.begin(), args.end());
    all.resize(5, l.const64(0));
    all.push_back(l.const64(imm >> 16));
    llvm::CallInst *result = l.b.CreateCall(type, helper_address(l, imm & 0xffff), all);
    result->addFnAttr(llvm::Attribute::NoUnwind);
    result->addFnAttr(llvm::Attribute::StrictFP);
    // The helper may have changed it; compilers also use FP instructions for integer code.
    if (is_visible) load_mxcsr(l);
    if (helper.may_exit) {
        llvm::Value *pending =
            l.load_context(l.b.getInt32Ty(), offsetof(ExecContext, pending_exit));
        llvm::BasicBlock *go = l.new_block("go");
        llvm::BasicBlock *stay = l.new_block("stay");
        l.b.CreateCondBr(l.b.CreateICmpNE(pending, l.const32(0)), go, stay);
        l.b.SetInsertPoint(go);
        l.leave_pending();
        l.b.SetInsertPoint(stay);
    }
    if (is_visible) l.reload_state();
    return result;
}

void call_helper(Lowering &l, const Inst &in, ValueId id) {
    std::vector<llvm::Value *> args;
    for (unsigned i = 0; i < ir::info(in.op).arg_count; ++i) args.push_back(l.value(in.args[i]));
    l.set(id, call(l, l.helper(in.imm), args, in.imm));
}

/// `leave` ends a block that is entered when the condition holds.
template <typename Leave>
void conditionally(Lowering &l, const Inst &in, llvm::MDNode *weights, Leave leave) {
    llvm::BasicBlock *taken = l.new_block("taken");
    llvm::BasicBlock *next = l.new_block("next");
    l.b.CreateCondBr(l.value(in.args[0]), taken, next, weights);
    l.b.SetInsertPoint(taken);
    leave();
    l.b.SetInsertPoint(next);
}
void exit_if(Lowering &l, const Inst &in, ValueId) {
    conditionally(l, in, nullptr, [&] { l.go_to(in.imm); });
}
void dispatch_if(Lowering &l, const Inst &in, ValueId) {
    conditionally(l, in, l.unlikely(), [&] {
        l.side_exit({.kind = SideExitKind::Leave,
                     .retired = l.retired(),
                     .imm = static_cast<u64>(l.block().target(in.imm))},
                    {});
    });
}
void raise_if(Lowering &l, const Inst &in, ValueId) {
    conditionally(l, in, l.unlikely(), [&] {
        l.side_exit({.kind = SideExitKind::Raise, .retired = l.retired(), .imm = in.imm}, {});
    });
}

void exit(Lowering &l, const Inst &in, ValueId) {
    l.go_to(in.imm);
}
void exit_indirect(Lowering &l, const Inst &in, ValueId) {
    l.go_to_indirect(l.value(in.args[0]), static_cast<ir::BranchHint>(in.imm));
}
void exit_dispatch(Lowering &l, const Inst &, ValueId) {
    l.write_back();
    l.go_to_dispatcher(l.budget_after(l.retired()));
}

} // namespace

Lowering::Emitter control_lowering(Opcode op) {
    switch (op) {
    case Opcode::Nop:
    case Opcode::PushReturn:
    case Opcode::Second:
    case Opcode::SecondF32:
    case Opcode::SecondF64:
    case Opcode::SecondV128: return nothing;
    case Opcode::Insn: return insn;
    case Opcode::GetStateF16: return get_state<2>;
    case Opcode::GetState32:
    case Opcode::GetStateF32: return get_state<4>;
    case Opcode::GetState64:
    case Opcode::GetStateF64: return get_state<8>;
    case Opcode::GetStateV128: return get_state<16>;
    case Opcode::SetState32: return set_state<4>;
    case Opcode::SetState64: return set_state<8>;
    case Opcode::SetStateV128: return set_state<16>;
    case Opcode::PcRelative: return pc_relative;
    case Opcode::Call0:
    case Opcode::Call1:
    case Opcode::Call2:
    case Opcode::Call3:
    case Opcode::Call4: return call_helper;
    case Opcode::ExitIf: return exit_if;
    case Opcode::DispatchIf: return dispatch_if;
    case Opcode::RaiseIf: return raise_if;
    case Opcode::Exit: return exit;
    case Opcode::ExitIndirect: return exit_indirect;
    case Opcode::ExitDispatch: return exit_dispatch;
    default: return nullptr;
    }
}

} // namespace tandem::jit::llvm_tier
