// Guest memory operations: the softmmu TLB is looked up inline, all else goes to MemoryAccess.
#include "ir/host_access.h"
#include "ir/interpreter/op.h"

#include <atomic>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;
using Handler = Predecoded::Handler;

constexpr u64 kPageMask = ~u64{0xfff};

/// Host address of an access that needs nothing but a TLB hit; null otherwise.
template <bool is_store>
std::byte *fast_address(const ExecContext &ctx, u64 va, unsigned size, MemoryOp op) {
    if (op.alignment != Alignment::Any && (va & (size - 1)) != 0) return nullptr;
    const TlbEntry &entry =
        ctx.tlb[static_cast<unsigned>(op.regime)][(va >> 12) & (kTlbEntries - 1)];
    const u64 tag = is_store ? entry.write_tag : entry.read_tag;
    if (((va + size - 1) & kPageMask) != tag || (va & kPageMask) != tag) return nullptr;
    return reinterpret_cast<std::byte *>(va + entry.addend);
}

bool failed(const Frame &f) {
    return f.ctx.pending_exit != PendingExit::None;
}
const Op *next(const Frame &f, const Op *op) {
    return failed(f) ? nullptr : op + 1;
}

/// Every host load acquires and every host store releases on x86-64; the compiler must not reorder,
/// and a store-release must be visible before a later load-acquire (RCsc).
void order_after(MemoryOp op, bool is_store) {
    if (is_store && op.release)
        std::atomic_thread_fence(std::memory_order_seq_cst);
    else if (op.acquire || op.release)
        std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <typename T>
u64 load_scalar(Frame &f, u64 va, MemoryOp op) {
    const std::byte *host = fast_address<false>(f.ctx, va, sizeof(T), op);
    const u64 value = host != nullptr
                          ? read_host<T>(host)
                          : f.ctx.memory->load(f.ctx, va, std::countr_zero(sizeof(T)), op);
    order_after(op, false);
    return value;
}
template <typename T>
void store_scalar(Frame &f, u64 va, u64 value, MemoryOp op) {
    if (std::byte *host = fast_address<true>(f.ctx, va, sizeof(T), op); host != nullptr)
        write_host<T>(host, static_cast<T>(value));
    else
        f.ctx.memory->store(f.ctx, va, std::countr_zero(sizeof(T)), value, op);
    order_after(op, true);
}
Vec load_vector(Frame &f, u64 va, MemoryOp op) {
    const std::byte *host = fast_address<false>(f.ctx, va, 16, op);
    return host != nullptr ? read_host_vec(host) : f.ctx.memory->load128(f.ctx, va, op);
}
void store_vector(Frame &f, u64 va, const Vec &value, MemoryOp op) {
    if (std::byte *host = fast_address<true>(f.ctx, va, 16, op); host != nullptr)
        write_host_vec(host, value);
    else
        f.ctx.memory->store128(f.ctx, va, value, op);
}

template <typename T>
const Op *load(Frame &f, const Op *op) {
    f.set_vector_scalar(op->dst,
                        load_scalar<T>(f, f.get<u64>(op->args[0]), MemoryOp::unpack(op->imm)));
    return next(f, op);
}
const Op *load128(Frame &f, const Op *op) {
    f.set(op->dst, load_vector(f, f.get<u64>(op->args[0]), MemoryOp::unpack(op->imm)));
    return next(f, op);
}
/// The second value goes to the next instruction's slot, which is Second*.
template <typename T>
const Op *load_pair(Frame &f, const Op *op) {
    const u64 va = f.get<u64>(op->args[0]);
    const MemoryOp info = MemoryOp::unpack(op->imm);
    const u64 low = load_scalar<T>(f, va, info);
    if (failed(f)) return nullptr;
    const u64 high = load_scalar<T>(f, va + sizeof(T), info);
    f.set_vector_scalar(op->dst, low);
    f.set_vector_scalar(static_cast<u16>(op->dst + 1), high);
    return next(f, op);
}
const Op *load_pair128(Frame &f, const Op *op) {
    const u64 va = f.get<u64>(op->args[0]);
    const MemoryOp info = MemoryOp::unpack(op->imm);
    const Vec low = load_vector(f, va, info);
    if (failed(f)) return nullptr;
    const Vec high = load_vector(f, va + 16, info);
    f.set(op->dst, low);
    f.set(static_cast<u16>(op->dst + 1), high);
    return next(f, op);
}

template <typename T>
const Op *store(Frame &f, const Op *op) {
    store_scalar<T>(f, f.get<u64>(op->args[0]), f.get<u64>(op->args[1]), MemoryOp::unpack(op->imm));
    return next(f, op);
}
const Op *store128(Frame &f, const Op *op) {
    store_vector(f, f.get<u64>(op->args[0]), f.get<Vec>(op->args[1]), MemoryOp::unpack(op->imm));
    return next(f, op);
}
template <typename T>
const Op *store_pair(Frame &f, const Op *op) {
    const u64 va = f.get<u64>(op->args[0]);
    const MemoryOp info = MemoryOp::unpack(op->imm);
    store_scalar<T>(f, va, f.get<u64>(op->args[1]), info);
    if (failed(f)) return nullptr;
    store_scalar<T>(f, va + sizeof(T), f.get<u64>(op->args[2]), info);
    return next(f, op);
}
const Op *store_pair128(Frame &f, const Op *op) {
    const u64 va = f.get<u64>(op->args[0]);
    const MemoryOp info = MemoryOp::unpack(op->imm);
    store_vector(f, va, f.get<Vec>(op->args[1]), info);
    if (failed(f)) return nullptr;
    store_vector(f, va + 16, f.get<Vec>(op->args[2]), info);
    return next(f, op);
}

const Op *atomic_rmw(Frame &f, const Op *op) {
    f.set(op->dst, f.ctx.memory->atomic(f.ctx, f.get<u64>(op->args[0]), f.get<u64>(op->args[1]),
                                        MemoryOp::unpack(op->imm)));
    return next(f, op);
}
const Op *compare_swap(Frame &f, const Op *op) {
    f.set(op->dst,
          f.ctx.memory->compare_swap(f.ctx, f.get<u64>(op->args[0]), f.get<u64>(op->args[1]),
                                     f.get<u64>(op->args[2]), MemoryOp::unpack(op->imm)));
    return next(f, op);
}
const Op *compare_swap128(Frame &f, const Op *op) {
    f.set(op->dst,
          f.ctx.memory->compare_swap128(f.ctx, f.get<u64>(op->args[0]), f.get<Vec>(op->args[1]),
                                        f.get<Vec>(op->args[2]), MemoryOp::unpack(op->imm)));
    return next(f, op);
}
const Op *load_exclusive(Frame &f, const Op *op) {
    f.set(op->dst,
          f.ctx.memory->load_exclusive(f.ctx, f.get<u64>(op->args[0]), MemoryOp::unpack(op->imm)));
    return next(f, op);
}
template <typename T>
const Op *store_exclusive(Frame &f, const Op *op) {
    const Vec value = [&] {
        if constexpr (std::is_same_v<T, Vec>)
            return f.get<Vec>(op->args[1]);
        else
            return Vec{{f.get<u64>(op->args[1]), 0}};
    }();
    f.set(op->dst, f.ctx.memory->store_exclusive(f.ctx, f.get<u64>(op->args[0]), value,
                                                 MemoryOp::unpack(op->imm)));
    return next(f, op);
}

} // namespace

Handler memory_handler(Opcode op) {
    switch (op) {
    case Opcode::Load8: return load<u8>;
    case Opcode::Load16:
    case Opcode::LoadF16: return load<u16>;
    case Opcode::Load32:
    case Opcode::LoadF32: return load<u32>;
    case Opcode::Load64:
    case Opcode::LoadF64: return load<u64>;
    case Opcode::LoadV128: return load128;
    case Opcode::LoadPair32:
    case Opcode::LoadPairF32: return load_pair<u32>;
    case Opcode::LoadPair64:
    case Opcode::LoadPairF64: return load_pair<u64>;
    case Opcode::LoadPairV128: return load_pair128;
    case Opcode::Store8: return store<u8>;
    case Opcode::Store16:
    case Opcode::StoreF16: return store<u16>;
    case Opcode::Store32:
    case Opcode::StoreF32: return store<u32>;
    case Opcode::Store64:
    case Opcode::StoreF64: return store<u64>;
    case Opcode::StoreV128: return store128;
    case Opcode::StorePair32:
    case Opcode::StorePairF32: return store_pair<u32>;
    case Opcode::StorePair64:
    case Opcode::StorePairF64: return store_pair<u64>;
    case Opcode::StorePairV128: return store_pair128;
    case Opcode::AtomicRmw: return atomic_rmw;
    case Opcode::CompareSwap: return compare_swap;
    case Opcode::CompareSwap128: return compare_swap128;
    case Opcode::LoadExclusive:
    case Opcode::LoadExclusive128: return load_exclusive;
    case Opcode::StoreExclusive: return store_exclusive<u64>;
    case Opcode::StoreExclusive128: return store_exclusive<Vec>;
    default: return nullptr;
    }
}

} // namespace tandem::ir
