#include "jit/llvm/lowering.h"

#include "ir/exec_context.h"
#include "ir/passes/state_slots.h"
#include "jit/baseline/frame.h"
#include "support/check.h"

#include <algorithm>
#include <cstddef>

namespace tandem::jit::llvm_tier {
namespace {

using ir::ExecContext;

/// The host registers of the GHC convention's integer arguments, in order (LLVM,
/// X86CallingConv.td). It preserves nothing and has guaranteed tail calls: what translated code
/// does.
constexpr std::array<HostReg, 10> kArguments{13, 5, 12, 3, 14, 6, 7, 8, 9, 15};
constexpr HostReg kContextRegister = 5, kBudgetRegister = 14, kTargetRegister = kRsi;

consteval unsigned argument_of(HostReg reg) {
    for (unsigned i = 0; i < kArguments.size(); ++i)
        if (kArguments[i] == reg) return i;
    return ~0u;
}
/// The state offset that a host register holds, or -1.
constexpr i64 pinned_offset(HostReg reg) {
    for (const PinnedRegister &p : kPinned)
        if (p.host == reg) return static_cast<i64>(p.state_offset);
    return -1;
}
static_assert(std::ranges::all_of(kPinned, [](const PinnedRegister &p) {
    return std::ranges::find(kArguments, p.host) != kArguments.end();
}));

bool is_flags_slot(u64 offset) {
    return offset == offsetof(ExecContext, flags);
}

} // namespace

Lowering::Lowering(llvm::Module &module, const Region &region, std::span<const ir::Helper> helpers,
                   const HostFeatures &host)
    : b(module.getContext()), module_(module), region_(region), helpers_(helpers), host_(host) {
    llvm::MDBuilder md(module.getContext());
    unlikely_ = md.createBranchWeights(1, 4000);
    llvm::MDNode *domain = md.createAnonymousAliasScopeDomain();
    context_scope = llvm::MDNode::get(module.getContext(), md.createAnonymousAliasScope(domain));
    guest_scope = llvm::MDNode::get(module.getContext(), md.createAnonymousAliasScope(domain));
}

// --- types
// -----------------------------------------------------------------------------------------

llvm::Type *Lowering::type(ir::Type type) {
    switch (type) {
    case ir::Type::Void: return b.getVoidTy();
    case ir::Type::I1: return b.getInt1Ty();
    case ir::Type::I32:
    case ir::Type::Flags: return b.getInt32Ty();
    case ir::Type::I64: return b.getInt64Ty();
    case ir::Type::F16: return b.getInt16Ty();
    case ir::Type::F32: return b.getFloatTy();
    case ir::Type::F64: return b.getDoubleTy();
    case ir::Type::V128: return vector(64);
    }
    __builtin_unreachable();
}
llvm::Type *Lowering::vector(unsigned lane_bits) {
    return llvm::FixedVectorType::get(b.getIntNTy(lane_bits), 128 / lane_bits);
}
llvm::Type *Lowering::fp(unsigned width) {
    return width == 32 ? b.getFloatTy() : b.getDoubleTy();
}
llvm::Type *Lowering::fp_vector(unsigned width) {
    return llvm::FixedVectorType::get(fp(width), 128 / width);
}

// --- the function
// ----------------------------------------------------------------------------------

llvm::Function *Lowering::run() {
    llvm::LLVMContext &c = module_.getContext();
    const std::vector<llvm::Type *> types(kArguments.size(), b.getInt64Ty());
    function_type_ = llvm::FunctionType::get(b.getVoidTy(), types, false);
    function_ = llvm::Function::Create(function_type_, llvm::GlobalValue::ExternalLinkage,
                                       kFunctionSymbol, module_);
    function_->setCallingConv(llvm::CallingConv::GHC);
    function_->addFnAttr(llvm::Attribute::NoUnwind);
    function_->addFnAttr(llvm::Attribute::StrictFP);
    function_->addFnAttr("frame-pointer", "none");
    function_->addFnAttr("no-jump-tables", "true");
    // Wider spills would want an aligned frame, and the convention has no frame pointer.
    function_->addFnAttr("prefer-vector-width", "128");
    function_->addFnAttr("min-legal-vector-width", "128");

    find_slots();
    infos_.resize(region_.blocks.size());
    find_order();
    find_dirty();

    auto *entry = llvm::BasicBlock::Create(c, "entry", function_);
    b.SetInsertPoint(entry);
    context_ = b.CreateIntToPtr(function_->getArg(argument_of(kContextRegister)), b.getPtrTy());
    budget_ = b.CreateAlloca(b.getInt64Ty());
    for (Slot &slot : slots_) {
        if (slot.is_direct) continue;
        if (!slot.is_flags) {
            slot.variables[0] = b.CreateAlloca(slot.type);
            continue;
        }
        for (llvm::AllocaInst *&bit : slot.variables) bit = b.CreateAlloca(b.getInt1Ty());
    }
    for (llvm::AllocaInst *&table : tlb_) table = b.CreateAlloca(b.getInt64Ty());
    b.CreateStore(function_->getArg(argument_of(kBudgetRegister)), budget_);
    pc_page_ = load_context(b.getInt64Ty(), offsetof(ExecContext, pc_page));
    reload_state();
    for (unsigned i = 0; i < kArguments.size(); ++i)
        if (const i64 offset = pinned_offset(kArguments[i]); offset >= 0)
            b.CreateStore(function_->getArg(i), find_slot(static_cast<u64>(offset))->variables[0]);

    for (const u32 index : order_)
        infos_[index].entry = llvm::BasicBlock::Create(c, "block", function_);
    b.CreateBr(infos_[0].entry);

    leave_ = llvm::BasicBlock::Create(c, "leave");
    b.SetInsertPoint(leave_);
    leave_budget_ = b.CreatePHI(b.getInt64Ty(), 4);

    for (const u32 index : order_) lower_block(index);

    if (leave_budget_->getNumIncomingValues() == 0) {
        leave_budget_->eraseFromParent();
        delete leave_;
        return function_;
    }
    leave_->insertInto(function_);
    b.SetInsertPoint(leave_);
    // Whoever set pending_exit may have changed any state.
    for (const PinnedRegister &p : kPinned) load_slot(*find_slot(p.state_offset));
    tail_call(kPcSetSymbol, leave_budget_, nullptr);
    return function_;
}

namespace {

void by_definition(Lowering &l, const Inst &in, ValueId id) {
    const ir::OpClass op_class = ir::info(in.op).op_class;
    CHECK(op_class == ir::OpClass::Pure || op_class == ir::OpClass::Fp);
    llvm::Value *result = l.call_thunk(in);
    if (ir::info(in.op).result == ir::Type::Flags)
        l.flags(id) = l.unpack(result);
    else
        l.set(id, result);
}

} // namespace

void Lowering::lower_block(u32 index) {
    block_ = &region_.blocks[index];
    block_index_ = index;
    values_.assign(block_->insts.size(), nullptr);
    flags_.clear();
    forget_checks();
    dirty_ = infos_[index].dirty;
    b.SetInsertPoint(infos_[index].entry);
    for (current_ = 0; current_ < block_->insts.size(); ++current_) {
        const Inst &in = block_->insts[current_];
        const Emitter emitter = lowering(in.op, host_);
        (emitter != nullptr ? emitter : by_definition)(*this, in, current_);
    }
}

// --- what is known before code is made
// ---------------------------------------------------------------

void Lowering::find_slots() {
    std::map<u64, unsigned> accesses; // offset to the largest size
    for (const PinnedRegister &p : kPinned) accesses[p.state_offset] = 8;
    for (const ir::Block &block : region_.blocks)
        for (const Inst &in : block.insts) {
            const ir::StateAccess access = ir::state_access(in);
            if (!access.exists || access.offset == offsetof(ExecContext, fpsr)) continue;
            unsigned &size = accesses[access.offset];
            size = std::max(size, access.size);
        }
    for (const auto &[offset, size] : accesses) {
        if (!slots_.empty() && offset < slots_.back().offset + slots_.back().size) {
            Slot &last = slots_.back();
            const unsigned end = static_cast<unsigned>(offset - last.offset) + size;
            const bool fits = end <= last.size && (offset - last.offset) % size == 0;
            last.is_direct = last.is_direct || !fits;
            last.size = std::max(last.size, end);
        } else {
            slots_.push_back({.offset = offset, .size = size});
        }
    }
    for (Slot &slot : slots_) {
        slot.is_vector = slot.size == 16;
        slot.is_flags = is_flags_slot(slot.offset);
        slot.type = slot.is_vector ? vector(64) : b.getIntNTy(slot.size * 8);
    }
}

Lowering::Slot *Lowering::find_slot(u64 offset) {
    auto it = std::ranges::upper_bound(slots_, offset, {}, &Slot::offset);
    CHECK(it != slots_.begin());
    --it;
    CHECK(offset < it->offset + it->size);
    return &*it;
}

bool Lowering::is_barrier(const Inst &inst) const {
    if (ir::info(inst.op).op_class != ir::OpClass::Call) return false;
    const ir::Helper &h = helper(inst.imm);
    return h.accesses_state || h.may_exit;
}

/// The blocks of the region where this one may continue.
std::vector<u32> Lowering::edges(const ir::Block &block) const {
    std::vector<u32> result;
    for (const Inst &in : block.insts) {
        const bool is_direct = in.op == Opcode::ExitIf || in.op == Opcode::Exit;
        if (const int to = is_direct ? region_.find(static_cast<i64>(in.imm)) : -1; to >= 0)
            result.push_back(static_cast<u32>(to));
        if (in.op == Opcode::ExitIndirect &&
            static_cast<ir::BranchHint>(in.imm) == ir::BranchHint::Return)
            for (const u32 offset : region_.return_offsets)
                result.push_back(static_cast<u32>(region_.find(offset)));
    }
    return result;
}

void Lowering::find_order() {
    struct Visit {
        u32 block;
        std::vector<u32> edges;
        std::size_t next = 0;
    };
    std::vector<bool> seen(region_.blocks.size());
    std::vector<Visit> stack;
    const auto enter = [&](u32 index) {
        seen[index] = true;
        stack.push_back({index, edges(region_.blocks[index])});
    };
    enter(0);
    while (!stack.empty()) {
        Visit &top = stack.back();
        if (top.next == top.edges.size()) {
            order_.push_back(top.block);
            stack.pop_back();
        } else if (const u32 to = top.edges[top.next++]; !seen[to]) {
            enter(to);
        }
    }
    std::ranges::reverse(order_);
    for (u32 i = 0; i < order_.size(); ++i) infos_[order_[i]].order = i;
}

void Lowering::find_dirty() {
    for (const u32 index : order_) infos_[index].dirty.resize(slots_.size());
    const auto join = [&](u32 to, const std::vector<bool> &dirty) {
        bool has_changed = false;
        for (std::size_t i = 0; i < dirty.size(); ++i)
            if (dirty[i] && !infos_[to].dirty[i]) infos_[to].dirty[i] = has_changed = true;
        return has_changed;
    };
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (const u32 index : order_) {
            std::vector<bool> dirty = infos_[index].dirty;
            for (const Inst &in : region_.blocks[index].insts) {
                const ir::StateAccess access = ir::state_access(in);
                if (access.exists && access.is_write &&
                    access.offset != offsetof(ExecContext, fpsr)) {
                    Slot *slot = find_slot(access.offset);
                    slot->is_written = true;
                    dirty[static_cast<std::size_t>(slot - slots_.data())] = !slot->is_direct;
                }
                if (is_barrier(in)) dirty.assign(slots_.size(), false);
                const bool is_exit = in.op == Opcode::ExitIf || in.op == Opcode::Exit;
                if (const int to = is_exit ? region_.find(static_cast<i64>(in.imm)) : -1; to >= 0)
                    has_changed |= join(static_cast<u32>(to), dirty);
                if (in.op == Opcode::ExitIndirect)
                    for (const u32 to : edges(region_.blocks[index]))
                        has_changed |= join(to, dirty);
            }
        }
    }
}

// --- state
// ------------------------------------------------------------------------------------------

llvm::Value *Lowering::context_pointer(u64 offset) {
    return b.CreateConstInBoundsGEP1_64(
        b.getInt8Ty(), context_,
        static_cast<u64>(static_cast<i64>(offset) - ExecContext::kContextBias));
}

llvm::LoadInst *Lowering::load_context(llvm::Type *type, u64 offset) {
    auto *load = b.CreateAlignedLoad(type, context_pointer(offset),
                                     llvm::Align(type->isVectorTy() ? 16 : 1));
    load->setMetadata(llvm::LLVMContext::MD_alias_scope, context_scope);
    load->setMetadata(llvm::LLVMContext::MD_noalias, guest_scope);
    return load;
}

void Lowering::store_context(llvm::Value *value, u64 offset) {
    auto *store = b.CreateAlignedStore(value, context_pointer(offset),
                                       llvm::Align(value->getType()->isVectorTy() ? 16 : 1));
    store->setMetadata(llvm::LLVMContext::MD_alias_scope, context_scope);
    store->setMetadata(llvm::LLVMContext::MD_noalias, guest_scope);
}

llvm::Value *Lowering::get_state(u64 offset, unsigned size, llvm::Type *type) {
    Slot &slot = *find_slot(offset);
    if (slot.is_direct) return load_context(type, offset);
    if (slot.is_flags) {
        FlagsValue flags = get_flags();
        return b.CreateBitCast(pack(flags), type);
    }
    const auto delta = static_cast<unsigned>(offset - slot.offset);
    llvm::Value *whole = b.CreateLoad(slot.type, slot.variables[0]);
    if (size == slot.size) return b.CreateBitCast(whole, type);
    if (slot.is_vector) {
        auto *lanes = llvm::FixedVectorType::get(type, 16 / size);
        return b.CreateExtractElement(b.CreateBitCast(whole, lanes), u64{delta / size});
    }
    if (delta != 0) whole = b.CreateLShr(whole, delta * 8);
    return b.CreateBitCast(b.CreateTrunc(whole, b.getIntNTy(size * 8)), type);
}

void Lowering::set_state(u64 offset, unsigned size, llvm::Value *value) {
    Slot &slot = *find_slot(offset);
    if (slot.is_direct) return store_context(value, offset);
    if (slot.is_flags) {
        FlagsValue flags = unpack(value);
        return set_flags(flags);
    }
    dirty_[static_cast<std::size_t>(&slot - slots_.data())] = true;
    const auto delta = static_cast<unsigned>(offset - slot.offset);
    if (size != slot.size) {
        llvm::Value *whole = b.CreateLoad(slot.type, slot.variables[0]);
        if (slot.is_vector) {
            auto *lanes = llvm::FixedVectorType::get(value->getType(), 16 / size);
            value = b.CreateInsertElement(b.CreateBitCast(whole, lanes), value, u64{delta / size});
        } else {
            const u64 mask = ones(size * 8) << (delta * 8);
            value = b.CreateShl(b.CreateZExt(value, slot.type), delta * 8);
            value = b.CreateOr(b.CreateAnd(whole, llvm::ConstantInt::get(slot.type, ~mask)), value);
        }
    }
    b.CreateStore(b.CreateBitCast(value, slot.type), slot.variables[0]);
}

FlagsValue Lowering::get_flags() {
    Slot &slot = *find_slot(offsetof(ExecContext, flags));
    FlagsValue flags;
    for (unsigned i = 0; i < 4; ++i) flags.bits[i] = b.CreateLoad(b.getInt1Ty(), slot.variables[i]);
    return flags;
}

void Lowering::set_flags(FlagsValue &flags) {
    Slot &slot = *find_slot(offsetof(ExecContext, flags));
    dirty_[static_cast<std::size_t>(&slot - slots_.data())] = true;
    for (unsigned i = 0; i < 4; ++i) b.CreateStore(flag_bit(flags, i), slot.variables[i]);
}

void Lowering::load_slot(Slot &slot) {
    if (slot.is_direct) return;
    if (!slot.is_flags) {
        b.CreateStore(load_context(slot.type, slot.offset), slot.variables[0]);
        return;
    }
    FlagsValue flags = unpack(load_context(b.getInt32Ty(), slot.offset));
    for (unsigned i = 0; i < 4; ++i) b.CreateStore(flags.bits[i], slot.variables[i]);
}

void Lowering::store_slot(Slot &slot) {
    if (slot.is_flags) {
        FlagsValue flags = get_flags();
        store_context(pack(flags), slot.offset);
    } else {
        store_context(b.CreateLoad(slot.type, slot.variables[0]), slot.offset);
    }
}

void Lowering::write_back() {
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (dirty_[i]) store_slot(slots_[i]);
}

void Lowering::reload_state() {
    for (Slot &slot : slots_) load_slot(slot);
    for (unsigned regime = 0; regime < ir::kRegimeCount; ++regime)
        b.CreateStore(load_context(b.getInt64Ty(), offsetof(ExecContext, tlb) + regime * 8),
                      tlb_[regime]);
    if (block_ != nullptr) dirty_.assign(slots_.size(), false);
    forget_checks();
}

Lowering::Saved Lowering::save() const {
    return {checks, dirty_};
}
void Lowering::restore(const Saved &saved) {
    checks = saved.checks;
    dirty_ = saved.dirty;
}

llvm::Value *Lowering::tlb(unsigned regime) {
    return b.CreateLoad(b.getInt64Ty(), tlb_[regime]);
}

// --- leaving
// ----------------------------------------------------------------------------------------

llvm::BasicBlock *Lowering::new_block(const char *name) {
    return llvm::BasicBlock::Create(module_.getContext(), name, function_);
}

void Lowering::branch_unlikely(llvm::Value *condition, llvm::BasicBlock *cold,
                               llvm::BasicBlock *hot) {
    b.CreateCondBr(condition, cold, hot, unlikely_);
    b.SetInsertPoint(hot);
}

llvm::Value *Lowering::budget_after(u32 count) {
    return b.CreateSub(b.CreateLoad(b.getInt64Ty(), budget_), const64(count));
}

/// Jumps to an exit with the pinned registers, whose slots it takes from the variables.
void Lowering::tail_call(const char *symbol, llvm::Value *budget, llvm::Value *target) {
    llvm::FunctionCallee exit = module_.getOrInsertFunction(symbol, function_type_);
    auto *callee = llvm::cast<llvm::Function>(exit.getCallee());
    callee->setCallingConv(llvm::CallingConv::GHC);
    callee->setDSOLocal(true);
    std::vector<llvm::Value *> args;
    for (const HostReg reg : kArguments) {
        if (reg == kContextRegister) {
            args.push_back(function_->getArg(argument_of(kContextRegister)));
        } else if (reg == kBudgetRegister) {
            args.push_back(budget);
        } else if (const i64 offset = pinned_offset(reg); offset >= 0) {
            const Slot &slot = *find_slot(static_cast<u64>(offset));
            args.push_back(b.CreateLoad(slot.type, slot.variables[0]));
        } else if (reg == kTargetRegister && target != nullptr) {
            args.push_back(target);
        } else {
            args.push_back(llvm::UndefValue::get(b.getInt64Ty()));
        }
    }
    llvm::CallInst *call = b.CreateCall(exit, args);
    call->setCallingConv(llvm::CallingConv::GHC);
    call->setTailCallKind(llvm::CallInst::TCK_MustTail);
    b.CreateRetVoid();
}

void Lowering::go_to_block(u32 index) {
    const u32 count = retired();
    BlockInfo &from = infos_[block_index_];
    BlockInfo &to = infos_[index];
    llvm::Value *budget = budget_after(count);
    b.CreateStore(budget, budget_);
    const u32 unchecked = from.unchecked + count;
    if (to.order > from.order &&
        unchecked + region_.blocks[index].guest_instructions <= ir::kMaxBlockInstructions) {
        to.unchecked = std::max(to.unchecked, unchecked);
        b.CreateBr(to.entry);
        return;
    }
    llvm::BasicBlock *used_up = new_block("used_up");
    b.CreateCondBr(b.CreateICmpSLT(budget, const64(0)), used_up, to.entry, unlikely_);
    b.SetInsertPoint(used_up);
    write_back();
    store_context(b.CreateAdd(pc_page_, const64(region_.blocks[index].page_offset)),
                  offsetof(ExecContext, pc));
    tail_call(kPcSetSymbol, budget, nullptr);
}

void Lowering::go_to(i64 target) {
    if (const int to = region_.find(target); to >= 0) return go_to_block(static_cast<u32>(to));
    const int exit = region_.find_exit(target);
    if (exit < 0) return go_to_address(b.CreateAdd(pc_page_, const64(static_cast<u64>(target))));
    write_back();
    tail_call(("exit" + std::to_string(exit)).c_str(), budget_after(retired()), nullptr);
}

void Lowering::go_to_address(llvm::Value *target) {
    write_back();
    tail_call(kLookupSymbol, budget_after(retired()), target);
}

void Lowering::go_to_dispatcher(llvm::Value *budget) {
    tail_call(kPcSetSymbol, budget, nullptr);
}

void Lowering::leave_pending() {
    leave_budget_->addIncoming(budget_after(retired()), b.GetInsertBlock());
    b.CreateBr(leave_);
}

void Lowering::return_to(llvm::Value *target) {
    llvm::Value *offset = b.CreateSub(target, pc_page_);
    for (const u32 known : region_.return_offsets) {
        llvm::BasicBlock *here = new_block("return");
        llvm::BasicBlock *other = new_block("other");
        b.CreateCondBr(b.CreateICmpEQ(offset, const64(known)), here, other);
        b.SetInsertPoint(here);
        go_to_block(static_cast<u32>(region_.find(known)));
        b.SetInsertPoint(other);
    }
    go_to_address(target);
}

// --- out of line
// ----------------------------------------------------------------------------------

void Lowering::call_preserving(const char *symbol, llvm::Type *result,
                               llvm::ArrayRef<llvm::Value *> args, llvm::Value *&out) {
    std::vector<llvm::Type *> types;
    for (const llvm::Value *arg : args) types.push_back(arg->getType());
    llvm::FunctionCallee callee =
        module_.getOrInsertFunction(symbol, llvm::FunctionType::get(result, types, false));
    auto *function = llvm::cast<llvm::Function>(callee.getCallee());
    function->setCallingConv(llvm::CallingConv::PreserveAll);
    function->setDSOLocal(true);
    llvm::CallInst *call = b.CreateCall(callee, args);
    call->setCallingConv(llvm::CallingConv::PreserveAll);
    call->addFnAttr(llvm::Attribute::NoUnwind);
    call->addFnAttr(llvm::Attribute::StrictFP);
    out = call;
}

void Lowering::store_arguments(const Inst &inst) {
    const ir::OpcodeInfo &row = ir::info(inst.op);
    for (unsigned i = 0; i < row.arg_count; ++i) {
        const u64 at = offsetof(ExecContext, scratch) + i * 16;
        llvm::Value *v = nullptr;
        switch (row.args[i]) {
        case ir::Type::Flags: v = b.CreateZExt(pack(flags(inst.args[i])), b.getInt64Ty()); break;
        case ir::Type::F32: v = b.CreateBitCast(value(inst.args[i]), b.getInt32Ty()); break;
        case ir::Type::F64: v = b.CreateBitCast(value(inst.args[i]), b.getInt64Ty()); break;
        default: v = value(inst.args[i]); break;
        }
        store_context(v->getType()->isVectorTy() ? v : b.CreateZExt(v, b.getInt64Ty()), at);
    }
}

llvm::Value *Lowering::load_result(ir::Type result, unsigned index) {
    const u64 at = offsetof(ExecContext, scratch) + (4 + index) * 16;
    if (result == ir::Type::I1)
        return b.CreateTrunc(load_context(b.getInt8Ty(), at), b.getInt1Ty());
    return load_context(type(result), at);
}

llvm::Value *Lowering::call_thunk(const Inst &inst) {
    store_arguments(inst);
    llvm::Value *nothing = nullptr;
    call_preserving(kThunkSymbol, b.getVoidTy(),
                    {function_->getArg(argument_of(kContextRegister)),
                     const32(static_cast<u64>(inst.op)), const64(inst.imm)},
                    nothing);
    return load_result(ir::info(inst.op).result, 0);
}

llvm::Value *Lowering::unless(llvm::Value *suspicious, llvm::Value *result, const Inst &inst) {
    llvm::BasicBlock *from = b.GetInsertBlock();
    llvm::BasicBlock *cold = new_block("cold");
    llvm::BasicBlock *on = new_block("on");
    b.CreateCondBr(suspicious, cold, on, unlikely_);
    b.SetInsertPoint(cold);
    llvm::Value *other = call_thunk(inst);
    llvm::BasicBlock *cold_end = b.GetInsertBlock();
    b.CreateBr(on);
    b.SetInsertPoint(on);
    llvm::PHINode *phi = b.CreatePHI(result->getType(), 2);
    phi->addIncoming(result, from);
    phi->addIncoming(
        other->getType() == result->getType()
            ? other
            : llvm::CastInst::CreateBitOrPointerCast(other, result->getType(), "",
                                                     cold_end->getTerminator()->getIterator()),
        cold_end);
    return phi;
}

void Lowering::call_memory(const Inst &inst) {
    write_back();
    store_arguments(inst);
    llvm::Value *pending = nullptr;
    call_preserving(kMemorySymbol, b.getInt32Ty(),
                    {function_->getArg(argument_of(kContextRegister)),
                     const32(static_cast<u64>(inst.op)), const64(inst.imm), const64(insn_)},
                    pending);
    llvm::BasicBlock *stay = new_block("stay");
    llvm::BasicBlock *go = new_block("go");
    b.CreateCondBr(b.CreateICmpNE(pending, const32(0)), go, stay, unlikely_);
    b.SetInsertPoint(go);
    leave_pending();
    b.SetInsertPoint(stay);
}

// --- dispatch
// --------------------------------------------------------------------------------------

Lowering::Emitter lowering(Opcode op, const HostFeatures &host) {
    for (const Lowering::Emitter emitter :
         {control_lowering(op), integer_lowering(op), flags_lowering(op), memory_lowering(op),
          fp_lowering(op, host), vector_lowering(op)})
        if (emitter != nullptr) return emitter;
    return nullptr;
}

} // namespace tandem::jit::llvm_tier
