#include "jit/llvm/lowering.h"

#include "ir/exec_context.h"
#include "ir/memory_op.h"
#include "ir/passes/state_slots.h"
#include "jit/baseline/frame.h"
#include "jit/regions/register_pairs.h"
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
constexpr HostReg kContextRegister = kRsi, kBudgetRegister = 14;
constexpr HostReg kEntryRegister = kRdi;
/// Of exits.
constexpr HostReg kTargetRegister = kRsi;

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
    function_->addFnAttr(llvm::Attribute::NoRedZone);
    // It is what the stub of side exits finds its way back by (and they make LLVM use one anyway).
    function_->addFnAttr("frame-pointer", "all");
    function_->addFnAttr("no-jump-tables", "true");
    // Wider spills would want an aligned frame.
    function_->addFnAttr("prefer-vector-width", "128");
    function_->addFnAttr("min-legal-vector-width", "128");

    find_slots();
    infos_.resize(region_.blocks.size());
    exits_.resize(region_.exit_targets.size());
    used_up_.resize(region_.blocks.size());
    find_order();
    find_state();
    find_streams();

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
        for (llvm::AllocaInst *&part : slot.variables) part = b.CreateAlloca(b.getInt64Ty());
    }
    for (llvm::AllocaInst *&table : tlb_) table = b.CreateAlloca(b.getInt64Ty());
    for (const i64 place : region_.crossings) is_page_known_[page_of(place)] = nullptr;
    for (auto &[page, variable] : is_page_known_) variable = b.CreateAlloca(b.getInt1Ty());
    make_stream_variables();
    b.CreateStore(function_->getArg(argument_of(kBudgetRegister)), budget_);
    reload_state();
    for (unsigned i = 0; i < kArguments.size(); ++i)
        if (const i64 offset = pinned_offset(kArguments[i]); offset >= 0)
            b.CreateStore(function_->getArg(i), find_slot(static_cast<u64>(offset))->variables[0]);

    for (const u32 index : order_)
        infos_[index].entry = llvm::BasicBlock::Create(c, "block", function_);
    llvm::SwitchInst *entries =
        b.CreateSwitch(function_->getArg(argument_of(kEntryRegister)), infos_[0].entry);
    for (u32 i = 1; i < region_.entries.size(); ++i)
        entries->addCase(const64(i), infos_[region_.entries[i]].entry);

    for (const u32 index : order_) lower_block(index);
    lower_exits();
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
    forms_ = infos_[index].forms;
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
    for (const RegionBlock &block : region_.blocks)
        for (const Inst &in : block.insts) {
            const ir::StateAccess access = ir::state_access(in);
            if (!access.exists || access.offset == offsetof(ExecContext, fpsr)) continue;
            unsigned &size = accesses[access.offset];
            size = std::max(size, access.size);
        }
    for (const u64 offset : find_register_pairs(region_)) {
        const auto is_pinned = [&](u64 at) {
            return std::ranges::find(kPinned, at, &PinnedRegister::state_offset) != kPinned.end();
        };
        if (offset % 16 == 0 && !is_pinned(offset) && !is_pinned(offset + 8)) accesses[offset] = 16;
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
        stack.push_back({index, region_.edges(region_.blocks[index])});
    };
    for (const u32 root : region_.entries) {
        if (!seen[root]) enter(root);
        while (!stack.empty()) {
            Visit &top = stack.back();
            if (top.next == top.edges.size()) {
                order_.push_back(top.block);
                stack.pop_back();
            } else if (const u32 to = top.edges[top.next++]; !seen[to]) {
                enter(to);
            }
        }
    }
    std::ranges::reverse(order_);
    for (u32 i = 0; i < order_.size(); ++i) infos_[order_[i]].order = i;
}

bool Lowering::join(u32 to, const std::vector<bool> &dirty, u32 forms) {
    BlockInfo &info = infos_[to];
    bool has_changed = (forms & ~info.forms) != 0;
    info.forms |= forms;
    for (std::size_t i = 0; i < dirty.size(); ++i)
        if (dirty[i] && !info.dirty[i]) info.dirty[i] = has_changed = true;
    return has_changed;
}

void Lowering::find_state() {
    for (const u32 index : order_) infos_[index].dirty.resize(slots_.size());
    for (const u32 index : region_.entries) {
        infos_[index].forms = only(FlagsForm::Packed);
        // The context has old values of what comes in registers.
        for (const PinnedRegister &p : kPinned) {
            const Slot *slot = find_slot(p.state_offset);
            infos_[index].dirty[static_cast<std::size_t>(slot - slots_.data())] = true;
        }
    }
    std::vector<u32> of_values;
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (const u32 index : order_) {
            const RegionBlock &block = region_.blocks[index];
            std::vector<bool> dirty = infos_[index].dirty;
            u32 forms = infos_[index].forms;
            of_values.assign(block.insts.size(), 0);
            for (std::size_t i = 0; i < block.insts.size(); ++i) {
                const Inst &in = block.insts[i];
                of_values[i] = flags_forms(in, of_values, forms);
                const ir::StateAccess access = ir::state_access(in);
                if (access.exists && access.is_write &&
                    access.offset != offsetof(ExecContext, fpsr)) {
                    const Slot *slot = find_slot(access.offset);
                    dirty[static_cast<std::size_t>(slot - slots_.data())] = !slot->is_direct;
                    if (in.op == Opcode::SetFlags)
                        forms = of_values[in.args[0]];
                    else if (slot->is_flags)
                        forms = only(FlagsForm::Packed);
                }
                if (in.op == Opcode::Fence &&
                    static_cast<ir::FenceKind>(in.imm) == ir::FenceKind::State)
                    dirty.assign(slots_.size(), false);
                if (is_barrier(in)) {
                    dirty.assign(slots_.size(), false);
                    forms = only(FlagsForm::Packed);
                }
                const bool is_exit = in.op == Opcode::ExitIf || in.op == Opcode::Exit;
                if (const int to = is_exit ? region_.find(block.target(in.imm)) : -1; to >= 0)
                    has_changed |= join(static_cast<u32>(to), dirty, forms);
                if (in.op == Opcode::ExitIndirect)
                    for (const u32 to : region_.edges(block)) has_changed |= join(to, dirty, forms);
            }
        }
    }
}

void Lowering::find_streams() {
    std::vector<std::vector<u32>> edges;
    std::vector<bool> has_barrier;
    for (const RegionBlock &block : region_.blocks) {
        edges.push_back(region_.edges(block));
        has_barrier.push_back(
            std::ranges::any_of(block.insts, [&](const Inst &in) { return is_barrier(in); }));
    }
    page_streams_ = find_page_streams(region_, edges, order_, has_barrier);
}

void Lowering::make_stream_variables() {
    if (page_streams_.count == 0) return;
    auto *limits = b.CreateAlloca(llvm::ArrayType::get(b.getInt64Ty(), page_streams_.count));
    for (u32 i = 0; i < page_streams_.count; ++i) {
        StreamVariables &variables = streams_.emplace_back();
        variables.page = b.CreateAlloca(b.getInt64Ty());
        variables.addend = b.CreateAlloca(b.getInt64Ty());
        variables.limit = b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), limits, i);
        variables.full_limit = 4096 - page_streams_.span[i] + 1;
        b.CreateStore(const64(0), variables.page);
        b.CreateStore(const64(0), variables.addend);
    }
}

const Lowering::StreamVariables *Lowering::stream() const {
    const auto it = page_streams_.of_access.find({block_index_, current_});
    return it == page_streams_.of_access.end() ? nullptr : &streams_[it->second];
}

void Lowering::forget_streams() {
    for (const StreamVariables &stream : streams_) b.CreateStore(const64(0), stream.limit, true);
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
        return pack(flags);
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
    std::array<llvm::Value *, 3> parts{};
    for (unsigned i = 0; i < parts.size(); ++i)
        parts[i] = b.CreateLoad(b.getInt64Ty(), slot.variables[i]);
    return {.kind = FlagsValue::Kind::Variable,
            .a = parts[1],
            .b = parts[2],
            .form_value = parts[0],
            .forms = forms_};
}

void Lowering::set_flags(FlagsValue &flags) {
    Slot &slot = *find_slot(offsetof(ExecContext, flags));
    dirty_[static_cast<std::size_t>(&slot - slots_.data())] = true;
    const std::array<llvm::Value *, 3> parts = encode(flags);
    for (unsigned i = 0; i < parts.size(); ++i) b.CreateStore(parts[i], slot.variables[i]);
    forms_ = flags.forms;
}

void Lowering::load_slot(Slot &slot) {
    if (slot.is_direct) return;
    if (!slot.is_flags) {
        b.CreateStore(load_context(slot.type, slot.offset), slot.variables[0]);
        return;
    }
    llvm::Value *packed = load_context(b.getInt32Ty(), slot.offset);
    b.CreateStore(const64(static_cast<u64>(FlagsForm::Packed)), slot.variables[0]);
    b.CreateStore(b.CreateZExt(packed, b.getInt64Ty()), slot.variables[1]);
    b.CreateStore(const64(0), slot.variables[2]);
    forms_ = only(FlagsForm::Packed);
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

void Lowering::store_state() {
    write_back();
    dirty_.assign(slots_.size(), false);
}

void Lowering::reload_state() {
    for (Slot &slot : slots_) load_slot(slot);
    for (unsigned regime = 0; regime < ir::kRegimeCount; ++regime)
        b.CreateStore(load_context(b.getInt64Ty(), offsetof(ExecContext, tlb) + regime * 8),
                      tlb_[regime]);
    for (const auto &[page, variable] : is_page_known_) b.CreateStore(b.getFalse(), variable);
    if (block_ != nullptr) dirty_.assign(slots_.size(), false);
    forget_checks();
    forget_streams();
}

llvm::Value *Lowering::tlb(unsigned regime) {
    return b.CreateLoad(b.getInt64Ty(), tlb_[regime]);
}

llvm::Value *Lowering::pc_page() {
    llvm::Value *page = load_context(b.getInt64Ty(), offsetof(ExecContext, pc_page));
    return b.CreateAdd(page, const64(static_cast<u64>(block_->page)));
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
        if (reg == kBudgetRegister) {
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

void Lowering::check_crossing(i64 place) {
    llvm::Type *word = b.getInt64Ty();
    llvm::AllocaInst *is_known = is_page_known_.at(page_of(place));
    llvm::BasicBlock *known = new_block("known");
    llvm::BasicBlock *unknown = new_block("unknown");
    llvm::BasicBlock *wrong = new_block("wrong");
    llvm::BasicBlock *right = new_block("right");
    b.CreateCondBr(b.CreateLoad(b.getInt1Ty(), is_known), known, unknown);

    // As jit/regions/region_stubs.cpp looks up an address.
    b.SetInsertPoint(unknown);
    static_assert(sizeof(ir::JumpCacheEntry) == 32);
    llvm::Value *address = b.CreateAdd(pc_page(), const64(static_cast<u64>(place - block_->page)));
    llvm::Value *index_bytes =
        b.CreateShl(b.CreateAnd(address, const64((ir::kJumpCacheEntries - 1) << 2)), 3);
    llvm::Value *entry =
        b.CreateAdd(load_context(word, offsetof(ExecContext, jump_cache)), index_bytes);
    const auto member = [&](u64 offset) {
        auto *load = b.CreateLoad(word, raw_host_pointer(b.CreateAdd(entry, const64(offset))));
        load->setMetadata(llvm::LLVMContext::MD_alias_scope, context_scope);
        load->setMetadata(llvm::LLVMContext::MD_noalias, guest_scope);
        return load;
    };
    auto *expected = llvm::cast<llvm::GlobalVariable>(module_.getOrInsertGlobal(
        kCrossingSymbol + std::to_string(region_.find_crossing(place)), word));
    expected->setConstant(true);
    expected->setDSOLocal(true);
    llvm::Value *difference = b.CreateXor(member(offsetof(ir::JumpCacheEntry, va)), address);
    const auto differs = [&](llvm::Value *a, llvm::Value *other) {
        difference = b.CreateOr(difference, b.CreateXor(a, other));
    };
    differs(member(offsetof(ir::JumpCacheEntry, tag)),
            load_context(word, offsetof(ExecContext, exec_tag)));
    differs(member(offsetof(ir::JumpCacheEntry, block)), b.CreateLoad(word, expected));
    b.CreateCondBr(b.CreateICmpNE(difference, const64(0)), wrong, right, unlikely_);
    b.SetInsertPoint(wrong);
    go_to_address(address);
    b.SetInsertPoint(right);
    b.CreateStore(b.getTrue(), is_known);
    b.CreateBr(known);
    b.SetInsertPoint(known);
}

void Lowering::go_to_block(u32 index) {
    const RegionBlock &target = region_.blocks[index];
    if (target.page != block_->page && region_.find_crossing(target.place()) >= 0)
        check_crossing(target.place());
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
    llvm::BasicBlock *used_up = leave_by(used_up_[index]);
    b.CreateCondBr(b.CreateICmpSLT(budget, const64(0)), used_up, to.entry, unlikely_);
}

/// The start of a shared way out, to which the current state is about to lead.
llvm::BasicBlock *Lowering::leave_by(Exit &exit) {
    if (exit.entry == nullptr) {
        exit.entry = new_block("leave");
        exit.dirty.resize(slots_.size());
    }
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (dirty_[i]) exit.dirty[i] = true;
    exit.forms |= forms_;
    return exit.entry;
}

/// The ways out, once it is known what is dirty there.
void Lowering::lower_exits() {
    const auto begin = [&](const Exit &exit) {
        b.SetInsertPoint(exit.entry);
        dirty_ = exit.dirty;
        forms_ = exit.forms;
        return b.CreateLoad(b.getInt64Ty(), budget_);
    };
    insn_ = 0;
    for (std::size_t i = 0; i < exits_.size(); ++i) {
        if (exits_[i].entry == nullptr) continue;
        llvm::Value *budget = begin(exits_[i]);
        write_back();
        tail_call((kExitSymbol + std::to_string(i)).c_str(), budget, nullptr);
    }
    for (std::size_t i = 0; i < used_up_.size(); ++i) {
        if (used_up_[i].entry == nullptr) continue;
        begin(used_up_[i]);
        side_exit({.kind = SideExitKind::Leave, .imm = static_cast<u64>(region_.blocks[i].place())},
                  {});
    }
}

void Lowering::go_to(u64 imm) {
    const i64 target = block_->target(imm);
    if (const int to = region_.find(target); to >= 0) return go_to_block(static_cast<u32>(to));
    const int exit = region_.find_exit(target);
    if (exit < 0) return go_to_address(b.CreateAdd(pc_page(), const64(imm)));
    b.CreateStore(budget_after(retired()), budget_);
    b.CreateBr(leave_by(exits_[static_cast<std::size_t>(exit)]));
}

void Lowering::go_to_address(llvm::Value *target) {
    write_back();
    tail_call(kLookupSymbol, budget_after(retired()), target);
}

void Lowering::go_to_dispatcher(llvm::Value *budget) {
    tail_call(kPcSetSymbol, budget, nullptr);
}

void Lowering::leave_pending() {
    // Whoever set pending_exit may have changed any state.
    for (const PinnedRegister &p : kPinned) load_slot(*find_slot(p.state_offset));
    tail_call(kPcSetSymbol, budget_after(retired()), nullptr);
}

void Lowering::go_to_indirect(llvm::Value *target, ir::BranchHint hint) {
    const std::span<const i64> places = region_.indirect_targets(hint);
    llvm::BasicBlock *other = new_block("other");
    llvm::SwitchInst *targets =
        b.CreateSwitch(b.CreateSub(target, pc_page()), other, static_cast<unsigned>(places.size()));
    for (const i64 place : places) {
        llvm::BasicBlock *here = new_block("here");
        targets->addCase(const64(static_cast<u64>(place - block_->page)), here);
        b.SetInsertPoint(here);
        go_to_block(static_cast<u32>(region_.find(place)));
    }
    b.SetInsertPoint(other);
    go_to_address(target);
}

// --- out of line
// ----------------------------------------------------------------------------------

void Lowering::side_exit(SideExit exit, llvm::ArrayRef<llvm::Value *> arguments) {
    // A call of nothing, for which LLVM leaves room and says where the values are.
    std::vector<llvm::Value *> values{const64(side_exits_.size()),
                                      const32(RegionImage::kSideExitCallBytes),
                                      llvm::ConstantPointerNull::get(b.getPtrTy()), const32(0)};
    if (exit.kind != SideExitKind::Thunk) {
        values.push_back(b.CreateLoad(b.getInt64Ty(), budget_));
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (dirty_[i])
                exit.slots.push_back({.offset = static_cast<u32>(slots_[i].offset),
                                      .size = slots_[i].size,
                                      .is_flags = slots_[i].is_flags});
    }
    values.insert(values.end(), arguments.begin(), arguments.end());
    for (const SideExit::Slot &slot : exit.slots) {
        const Slot &own = *find_slot(slot.offset);
        for (unsigned i = 0; i < (slot.is_flags ? own.variables.size() : 1); ++i)
            values.push_back(b.CreateLoad(own.variables[i]->getAllocatedType(), own.variables[i]));
    }
    exit.arguments = static_cast<u32>(arguments.size());
    exit.insn = insn_;
    exit.page = block_->page;
    const bool returns = exit.kind == SideExitKind::Thunk || exit.kind == SideExitKind::Memory;
    side_exits_.push_back(std::move(exit));
    llvm::CallInst *call = b.CreateCall(
        llvm::Intrinsic::getDeclaration(&module_, llvm::Intrinsic::experimental_patchpoint_void),
        values);
    call->setCallingConv(llvm::CallingConv::AnyReg);
    call->addFnAttr(llvm::Attribute::NoUnwind);
    if (!returns) b.CreateUnreachable();
}

/// As in the slots of ir/semantics/thunk.h.
llvm::Value *Lowering::argument(const Inst &inst, unsigned index) {
    switch (ir::info(inst.op).args[index]) {
    case ir::Type::Flags: return b.CreateZExt(pack(flags(inst.args[index])), b.getInt64Ty());
    case ir::Type::I1:
    case ir::Type::I32:
    case ir::Type::F16: return b.CreateZExt(value(inst.args[index]), b.getInt64Ty());
    default: return value(inst.args[index]);
    }
}
std::vector<llvm::Value *> Lowering::arguments(const Inst &inst) {
    std::vector<llvm::Value *> result;
    for (unsigned i = 0; i < ir::info(inst.op).arg_count; ++i) result.push_back(argument(inst, i));
    return result;
}

llvm::Value *Lowering::load_result(ir::Type result, unsigned index) {
    const u64 at = offsetof(ExecContext, scratch) + (4 + index) * 16;
    if (result == ir::Type::I1)
        return b.CreateTrunc(load_context(b.getInt8Ty(), at), b.getInt1Ty());
    return load_context(type(result), at);
}

llvm::Value *Lowering::call_thunk(const Inst &inst) {
    side_exit({.kind = SideExitKind::Thunk, .op = inst.op, .imm = inst.imm}, arguments(inst));
    return load_result(ir::info(inst.op).result, 0);
}

llvm::Value *Lowering::unless(llvm::Value *suspicious, llvm::Value *result,
                              llvm::function_ref<llvm::Value *()> make_other) {
    llvm::BasicBlock *from = b.GetInsertBlock();
    llvm::BasicBlock *cold = new_block("cold");
    llvm::BasicBlock *on = new_block("on");
    b.CreateCondBr(suspicious, cold, on, unlikely_);
    b.SetInsertPoint(cold);
    llvm::Value *other = make_other();
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
    side_exit({.kind = SideExitKind::Memory, .op = inst.op, .retired = retired(), .imm = inst.imm},
              arguments(inst));
    forget_streams();
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
