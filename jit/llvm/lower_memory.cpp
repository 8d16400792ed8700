// Guest memory: the softmmu TLB is looked up inline, all else is out of line (jit/baseline does the
// same; emit_memory.cpp says why the comparison is right). Accesses are volatile: each is made once
// and whole, in program order, as the guest's memory model and devices want.
#include "ir/exec_context.h"
#include "ir/plain_access.h"
#include "jit/llvm/lowering.h"

#include <algorithm>
#include <cstddef>

namespace tandem::jit::llvm_tier {
namespace {

using ir::Alignment;
using ir::AtomicKind;
using ir::MemoryOp;
using ir::PlainAccess;
using ir::TlbEntry;
using ir::Type;

void mark(llvm::Instruction *inst, llvm::MDNode *scope, llvm::MDNode *other) {
    inst->setMetadata(llvm::LLVMContext::MD_alias_scope, scope);
    inst->setMetadata(llvm::LLVMContext::MD_noalias, other);
}

/// Looks up the page of bytes [first, end): in `entry` the address of the TLB entry; returns
/// whether it is a miss.
llvm::Value *look_up(Lowering &l, llvm::Value *base, i64 first, i64 end, bool is_aligned,
                     MemoryOp op, bool is_write, llvm::Value *&entry) {
    static_assert(sizeof(TlbEntry) == 32);
    const auto at = [&](i64 delta) {
        return l.b.CreateAdd(base, l.const64(static_cast<u64>(delta)));
    };
    llvm::Value *index =
        l.b.CreateAnd(l.b.CreateLShr(at(first), 7), l.const64((ir::kTlbEntries - 1) << 5));
    entry = l.b.CreateAdd(l.tlb(static_cast<unsigned>(op.regime)), index);
    const u64 member = is_write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
    auto *tag = l.b.CreateLoad(l.b.getInt64Ty(),
                               l.raw_host_pointer(l.b.CreateAdd(entry, l.const64(member))));
    mark(tag, l.context_scope, l.guest_scope);
    const auto mask = static_cast<u64>(is_aligned ? ~i64{0xfff} | (end - first - 1) : ~i64{0xfff});
    llvm::Value *wanted = l.b.CreateAnd(at(is_aligned ? first : end - 1), l.const64(mask));
    return l.b.CreateICmpNE(tag, wanted);
}

llvm::Value *load_addend(Lowering &l, llvm::Value *entry) {
    auto *addend = l.b.CreateLoad(
        l.b.getInt64Ty(),
        l.raw_host_pointer(l.b.CreateAdd(entry, l.const64(offsetof(TlbEntry, addend)))));
    mark(addend, l.context_scope, l.guest_scope);
    return addend;
}

/// Sequential consistency of store-release followed by load-acquire needs a full barrier. A locked
/// operation on the stack orders as MFENCE does, and faster.
void full_barrier(Lowering &l) {
    auto *type = llvm::FunctionType::get(l.b.getVoidTy(), false);
    l.b.CreateCall(llvm::InlineAsm::get(type, "lock orl $$0, (%rsp)",
                                        "~{memory},~{dirflag},~{fpsr},~{flags}", true));
}

/// Ways to find the page of an access. Each ends the LLVM block, goes on in `hot`, and returns what
/// is to be added to the address there; else the code is to be in `cold`.
struct Look {
    llvm::Value *base;
    i64 first, end; ///< bytes from the base
    bool is_aligned;
    MemoryOp op;
    bool is_write;
};
llvm::Value *by_tlb(Lowering &l, const Look &look, llvm::BasicBlock *cold, llvm::BasicBlock *hot) {
    llvm::Value *entry = nullptr;
    llvm::Value *miss =
        look_up(l, look.base, look.first, look.end, look.is_aligned, look.op, look.is_write, entry);
    l.branch_unlikely(miss, cold, hot);
    return load_addend(l, entry);
}
/// By what an access before it has found. That is 0 if it found nothing, often because its bytes
/// and those of others after it were on two pages: these may be on one.
llvm::Value *by_check(Lowering &l, const Look &look, llvm::Value *addend, llvm::BasicBlock *cold,
                      llvm::BasicBlock *hot) {
    llvm::BasicBlock *alone = l.new_block("alone");
    llvm::BasicBlock *found = l.new_block("found");
    llvm::BasicBlock *from = l.b.GetInsertBlock();
    l.branch_unlikely(l.b.CreateICmpEQ(addend, l.const64(0)), alone, hot);
    l.b.SetInsertPoint(alone);
    llvm::Value *own = by_tlb(l, look, cold, found);
    l.b.CreateBr(hot);
    l.b.SetInsertPoint(hot);
    llvm::PHINode *phi = l.b.CreatePHI(l.b.getInt64Ty(), 2);
    phi->addIncoming(addend, from);
    phi->addIncoming(own, found);
    return phi;
}
/// By the page of the stream's last access, else by the TLB.
llvm::Value *by_stream(Lowering &l, const Look &look, const Lowering::StreamVariables &stream,
                       llvm::BasicBlock *cold, llvm::BasicBlock *hot) {
    llvm::Type *word = l.b.getInt64Ty();
    llvm::BasicBlock *other_page = l.new_block("page");
    llvm::BasicBlock *found = l.new_block("found");
    llvm::Value *first = l.b.CreateAdd(look.base, l.const64(static_cast<u64>(look.first)));
    llvm::Value *distance = l.b.CreateSub(first, l.b.CreateLoad(word, stream.page));
    llvm::Value *limit = l.b.CreateLoad(word, stream.limit, true);
    l.branch_unlikely(l.b.CreateICmpUGE(distance, limit), other_page, hot);
    l.b.SetInsertPoint(other_page);
    llvm::Value *addend = by_tlb(l, look, cold, found);
    l.b.CreateStore(addend, stream.addend);
    l.b.CreateStore(l.b.CreateAnd(first, l.const64(~u64{0xfff})), stream.page);
    l.b.CreateStore(l.const64(stream.full_limit), stream.limit, true);
    l.b.CreateBr(hot);
    l.b.SetInsertPoint(hot);
    return l.b.CreateLoad(word, stream.addend);
}

/// An access whose page `find` finds, as above; `fast` makes it on the host and sets its results.
/// `slow(i)` is result i when it was made out of line.
template <typename Find, typename Slow, typename Fast>
void hot_or_cold(Lowering &l, const Inst &in, Find find, llvm::Value *address,
                 Lowering::PageCheck *check, std::span<llvm::Value *> results, Slow slow,
                 Fast fast) {
    llvm::BasicBlock *hot = l.new_block("hot");
    llvm::BasicBlock *cold = l.new_block("miss");
    llvm::BasicBlock *on = l.new_block("on");
    llvm::Value *addend = find(cold, hot);
    fast(l.raw_host_pointer(l.b.CreateAdd(addend, address)));
    llvm::BasicBlock *hot_end = l.b.GetInsertBlock();
    l.b.CreateBr(on);
    l.b.SetInsertPoint(cold);
    l.call_memory(in);
    std::array<llvm::Value *, 2> others{};
    for (unsigned i = 0; i < results.size(); ++i) others[i] = slow(i);
    llvm::BasicBlock *cold_end = l.b.GetInsertBlock();
    l.b.CreateBr(on);
    l.b.SetInsertPoint(on);
    const auto join = [&](llvm::Value *a, llvm::Value *b) {
        llvm::PHINode *phi = l.b.CreatePHI(a->getType(), 2);
        phi->addIncoming(a, hot_end);
        phi->addIncoming(b, cold_end);
        return phi;
    };
    for (unsigned i = 0; i < results.size(); ++i) results[i] = join(results[i], others[i]);
    if (check != nullptr) check->addend = join(addend, l.const64(0));
}

void set_second(Lowering &l, ValueId id, llvm::Value *value) {
    const auto next = static_cast<ValueId>(id + 1);
    if (next >= l.block().insts.size()) return;
    const Opcode follower = l.inst(next).op;
    if (follower == Opcode::Second || follower == Opcode::SecondF32 ||
        follower == Opcode::SecondF64 || follower == Opcode::SecondV128)
        l.set(next, value);
}

void out_of_line_pair(Lowering &l, const Inst &in, ValueId id) {
    l.call_memory(in);
    if (ir::plain_access(in.op).is_write) return;
    l.set(id, l.load_result(Type::I64, 0));
    set_second(l, id, l.load_result(Type::I64, 1));
}

llvm::Value *load_guest(Lowering &l, llvm::Type *type, llvm::Value *host) {
    auto *load = l.b.CreateAlignedLoad(type, host, llvm::Align(1), true);
    mark(load, l.guest_scope, l.context_scope);
    return load;
}
void store_guest(Lowering &l, llvm::Value *value, llvm::Value *host) {
    auto *store = l.b.CreateAlignedStore(value, host, llvm::Align(1), true);
    mark(store, l.guest_scope, l.context_scope);
}

/// One access, or two of vector registers.
void access_parts(Lowering &l, const Inst &in, const PlainAccess &access, llvm::Value *host,
                  std::span<llvm::Value *> values) {
    const bool is_integer = access.type == Type::I64;
    llvm::Type *part = is_integer ? l.b.getIntNTy(access.bytes * 8) : l.type(access.type);
    for (unsigned i = 0; i < access.parts; ++i) {
        llvm::Value *at =
            i == 0 ? host : l.b.CreateConstGEP1_64(l.b.getInt8Ty(), host, i * access.bytes);
        if (access.is_write) {
            llvm::Value *v = l.value(in.args[1 + i]);
            store_guest(l, is_integer ? l.b.CreateTrunc(v, part) : v, at);
        } else {
            llvm::Value *v = load_guest(l, part, at);
            values[i] = is_integer ? l.b.CreateZExt(v, l.b.getInt64Ty()) : v;
        }
    }
}

llvm::Type *pair_type(Lowering &l, const PlainAccess &access) {
    return llvm::FixedVectorType::get(l.b.getIntNTy(access.bytes * 8), 2);
}
/// Two values as one of a pair's type.
llvm::Value *join_pair(Lowering &l, const PlainAccess &access,
                       std::array<llvm::Value *, 2> values) {
    llvm::Value *pair = llvm::PoisonValue::get(pair_type(l, access));
    for (u64 i = 0; i < 2; ++i)
        pair = l.b.CreateInsertElement(
            pair, l.b.CreateTrunc(values[i], l.b.getIntNTy(access.bytes * 8)), i);
    return pair;
}

/// General registers: one access, single-copy atomic within aligned 16 bytes (FEAT_LSE2). What is
/// loaded stays together, for a store of both.
void access_pair(Lowering &l, const Inst &in, const PlainAccess &access, llvm::Value *host,
                 llvm::Value *&value) {
    llvm::Type *both = pair_type(l, access);
    llvm::Type *whole = access.bytes == 8 ? both : l.b.getInt64Ty();
    if (access.is_write) {
        llvm::Value *v = join_pair(l, access, {l.value(in.args[1]), l.value(in.args[2])});
        return store_guest(l, l.b.CreateBitCast(v, whole), host);
    }
    value = l.b.CreateBitCast(load_guest(l, whole, host), both);
}

void plain(Lowering &l, const Inst &in, ValueId id) {
    const PlainAccess access = ir::plain_access(in.op);
    const bool is_pair = access.parts == 2 && access.type == Type::I64;
    // Hosts whose 16-byte accesses may tear.
    if (is_pair && access.bytes == 8 && !l.host().avx) return out_of_line_pair(l, in, id);
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const ir::AccessAddress address = ir::address_of(l.block(), in.args[0]);
    i64 low = address.offset, high = address.offset + access.size();

    llvm::Value *known = nullptr;
    Lowering::PageCheck *fresh = nullptr;
    if (op.alignment == Alignment::Any) {
        const auto check = std::ranges::find_if(l.checks, [&](const Lowering::PageCheck &c) {
            return c.base == address.base && c.regime == op.regime &&
                   c.is_write == access.is_write && low >= c.low && high <= c.high;
        });
        if (check != l.checks.end()) {
            known = check->addend;
        } else if (op.leads_check) {
            low -= op.check_before;
            high += op.check_after;
            fresh = &l.checks.emplace_back(address.base, low, high, op.regime, access.is_write);
        }
    }
    const Look look{.base = l.value(address.base),
                    .first = low,
                    .end = high,
                    .is_aligned =
                        fresh == nullptr && (op.alignment != Alignment::Any || access.size() == 1),
                    .op = op,
                    .is_write = access.is_write};
    const auto find = [&](llvm::BasicBlock *cold, llvm::BasicBlock *hot) {
        if (known != nullptr) return by_check(l, look, known, cold, hot);
        if (const Lowering::StreamVariables *stream = l.stream())
            return by_stream(l, look, *stream, cold, hot);
        return by_tlb(l, look, cold, hot);
    };

    std::array<llvm::Value *, 2> values{};
    const std::size_t results = access.is_write ? 0 : is_pair ? 1 : access.parts;
    const auto slow = [&](unsigned i) {
        llvm::Value *result = l.load_result(access.type, i);
        return is_pair ? join_pair(l, access, {result, l.load_result(access.type, 1)}) : result;
    };
    hot_or_cold(l, in, find, l.value(in.args[0]), fresh, std::span(values).first(results), slow,
                [&](llvm::Value *host) {
                    if (is_pair)
                        access_pair(l, in, access, host, values[0]);
                    else
                        access_parts(l, in, access, host, values);
                    if (access.is_write && op.release) full_barrier(l);
                });
    if (access.is_write) return;
    if (is_pair) {
        llvm::Value *pair = values[0];
        for (u64 i = 0; i < 2; ++i)
            values[i] = l.b.CreateZExt(l.b.CreateExtractElement(pair, i), l.b.getInt64Ty());
    }
    l.set(id, values[0]);
    if (access.parts == 2) set_second(l, id, values[1]);
}

llvm::AtomicRMWInst::BinOp operation_of(AtomicKind kind) {
    switch (kind) {
    case AtomicKind::Add: return llvm::AtomicRMWInst::Add;
    case AtomicKind::Clear: return llvm::AtomicRMWInst::And;
    case AtomicKind::Xor: return llvm::AtomicRMWInst::Xor;
    case AtomicKind::Set: return llvm::AtomicRMWInst::Or;
    case AtomicKind::SMax: return llvm::AtomicRMWInst::Max;
    case AtomicKind::SMin: return llvm::AtomicRMWInst::Min;
    case AtomicKind::UMax: return llvm::AtomicRMWInst::UMax;
    case AtomicKind::UMin: return llvm::AtomicRMWInst::UMin;
    case AtomicKind::Swap: return llvm::AtomicRMWInst::Xchg;
    }
    __builtin_unreachable();
}

/// Locked instructions that cross a cache line are slow or trapped by the host: the alignment is
/// always checked.
template <typename Fast>
void atomic(Lowering &l, const Inst &in, ValueId id, Fast fast) {
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const unsigned bytes = 1u << op.size_log2;
    llvm::Value *address = l.value(in.args[0]);
    const Look look{
        .base = address, .first = 0, .end = bytes, .is_aligned = true, .op = op, .is_write = true};
    const auto find = [&](llvm::BasicBlock *cold, llvm::BasicBlock *hot) {
        return by_tlb(l, look, cold, hot);
    };
    std::array<llvm::Value *, 1> result{};
    const auto slow = [&](unsigned i) { return l.load_result(Type::I64, i); };
    llvm::Type *type = l.b.getIntNTy(bytes * 8);
    hot_or_cold(l, in, find, address, nullptr, result, slow, [&](llvm::Value *host) {
        result[0] = l.b.CreateZExt(fast(host, type, llvm::Align(bytes)), l.b.getInt64Ty());
    });
    l.set(id, result[0]);
}

void atomic_rmw(Lowering &l, const Inst &in, ValueId id) {
    atomic(l, in, id, [&](llvm::Value *host, llvm::Type *type, llvm::Align align) {
        const AtomicKind kind = MemoryOp::unpack(in.imm).atomic;
        llvm::Value *operand = l.b.CreateTrunc(l.value(in.args[1]), type);
        if (kind == AtomicKind::Clear) operand = l.b.CreateNot(operand);
        return l.b.CreateAtomicRMW(operation_of(kind), host, operand, align,
                                   llvm::AtomicOrdering::SequentiallyConsistent);
    });
}

void compare_swap(Lowering &l, const Inst &in, ValueId id) {
    atomic(l, in, id, [&](llvm::Value *host, llvm::Type *type, llvm::Align align) {
        constexpr auto kOrder = llvm::AtomicOrdering::SequentiallyConsistent;
        llvm::Value *pair = l.b.CreateAtomicCmpXchg(
            host, l.b.CreateTrunc(l.value(in.args[1]), type),
            l.b.CreateTrunc(l.value(in.args[2]), type), align, kOrder, kOrder);
        return l.b.CreateExtractValue(pair, 0);
    });
}

void out_of_line(Lowering &l, const Inst &in, ValueId id) {
    l.call_memory(in);
    if (const Type type = ir::info(in.op).result; type != Type::Void)
        l.set(id, l.load_result(type, 0));
}

void fence(Lowering &l, const Inst &in, ValueId) {
    const auto kind = static_cast<ir::FenceKind>(in.imm);
    if (kind == ir::FenceKind::Full) full_barrier(l);
    if (kind == ir::FenceKind::State) l.store_state();
}

} // namespace

Lowering::Emitter memory_lowering(Opcode op) {
    switch (op) {
    case Opcode::AtomicRmw: return atomic_rmw;
    case Opcode::CompareSwap: return compare_swap;
    case Opcode::CompareSwap128:
    case Opcode::LoadExclusive:
    case Opcode::LoadExclusive128:
    case Opcode::StoreExclusive:
    case Opcode::StoreExclusive128:
    case Opcode::ClearExclusive: return out_of_line;
    case Opcode::Fence: return fence;
    default: return ir::plain_access(op) ? plain : nullptr;
    }
}

} // namespace tandem::jit::llvm_tier
