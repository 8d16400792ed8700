// Guest memory operations: the softmmu TLB is looked up inline, all else goes to MemoryAccess.
#include "ir/host_access.h"
#include "ir/interpreter/op.h"

#include <atomic>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;

constexpr u64 kPageMask = ~u64{0xfff};

/// Host address of an access that needs nothing but a TLB hit; null otherwise.
template <bool is_store>
std::byte *fast_address(const ExecContext &ctx, u64 va, unsigned size, MemoryOp op) {
    if (op.alignment != Alignment::Any && (va & (size - 1)) != 0) return nullptr;
    const TlbEntry &entry =
        ctx.tlb[static_cast<unsigned>(op.regime)][(va >> 12) & (kTlbEntries - 1)];
    const u64 tag = load_tag(is_store ? entry.write_tag : entry.read_tag);
    if (((va + size - 1) & kPageMask) != tag || (va & kPageMask) != tag) return nullptr;
    return reinterpret_cast<std::byte *>(va + entry.addend);
}

u64 address(const Frame &f, const Op *op) {
    return f.get<u64>(op->args[0]) + MemoryImm{op->imm}.displacement();
}
/// For what MemoryAccess does in any case.
MemoryOp begin(Frame &f, const Op *op) {
    const MemoryImm imm{op->imm};
    f.begin(imm.mark());
    return imm.op();
}
bool failed(const Frame &f) {
    return f.ctx.pending_exit != PendingExit::None;
}

/// Every host load acquires and every host store releases on x86-64; the compiler must not reorder,
/// and a store-release must be visible before a later load-acquire (RCsc).
void order_after_load() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}
void order_after_store(MemoryOp op) {
    if (op.release)
        std::atomic_thread_fence(std::memory_order_seq_cst);
    else
        std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Out of line, so that handlers need no stack frame for what is rare.
template <typename T>
[[gnu::noinline]] bool load_slowly(Frame &f, const Op *op, u64 va, T &value) {
    const MemoryOp memory_op = begin(f, op);
    if constexpr (std::is_same_v<T, Vec>)
        value = f.ctx.memory->load128(f.ctx, va, memory_op);
    else
        value =
            static_cast<T>(f.ctx.memory->load(f.ctx, va, std::countr_zero(sizeof(T)), memory_op));
    return !failed(f);
}
template <typename T>
[[gnu::noinline]] bool store_slowly(Frame &f, const Op *op, u64 va, const T &value) {
    const MemoryOp memory_op = begin(f, op);
    if constexpr (std::is_same_v<T, Vec>)
        f.ctx.memory->store128(f.ctx, va, value, memory_op);
    else
        f.ctx.memory->store(f.ctx, va, std::countr_zero(sizeof(T)), value, memory_op);
    return !failed(f);
}

/// False: an exception; the block is left.
template <typename T>
bool load_value(Frame &f, const Op *op, u64 va, T &value) {
    const std::byte *host = fast_address<false>(f.ctx, va, sizeof(T), MemoryImm{op->imm}.op());
    if (host == nullptr) return load_slowly(f, op, va, value);
    if constexpr (std::is_same_v<T, Vec>)
        value = read_host_vec(host);
    else
        value = read_host<T>(host);
    order_after_load();
    return true;
}
template <typename T>
bool store_value(Frame &f, const Op *op, u64 va, const T &value) {
    const MemoryOp memory_op = MemoryImm{op->imm}.op();
    std::byte *host = fast_address<true>(f.ctx, va, sizeof(T), memory_op);
    if (host == nullptr) return store_slowly(f, op, va, value);
    if constexpr (std::is_same_v<T, Vec>)
        write_host_vec(host, value);
    else
        write_host<T>(host, value);
    order_after_store(memory_op);
    return true;
}

/// Pairs of general registers are one access (see MemoryAccess::load_pair). Can the host do that?
template <typename T>
bool has_fast_pair() {
    return sizeof(T) == 4 || has_atomic_vectors();
}
template <typename T>
[[gnu::noinline]] bool load_pair_slowly(Frame &f, const Op *op, u64 va, Vec &pair) {
    const MemoryOp memory_op = begin(f, op);
    pair = f.ctx.memory->load_pair(f.ctx, va, std::countr_zero(sizeof(T)), memory_op);
    return !failed(f);
}
template <typename T>
[[gnu::noinline]] bool store_pair_slowly(Frame &f, const Op *op, u64 va, const Vec &pair) {
    const MemoryOp memory_op = begin(f, op);
    f.ctx.memory->store_pair(f.ctx, va, std::countr_zero(sizeof(T)), pair, memory_op);
    return !failed(f);
}

/// `Stored` is how the value is written: 8 bytes, or 16 for the vector class. Nothing is written
/// when there is an exception: the result may be guest state.
template <typename T, typename Stored>
void set_loaded(Frame &f, Operand dst, T value) {
    if constexpr (std::is_same_v<T, Vec> || std::is_same_v<Stored, u64>)
        f.set<Stored>(dst, value);
    else
        f.set<Vec>(dst, Vec{{value, 0}});
}
template <typename T, typename Stored>
const Op *load(Frame &f, const Op *op) {
    T value;
    if (!load_value(f, op, address(f, op), value)) return nullptr;
    set_loaded<T, Stored>(f, op->dst, value);
    return op + 1;
}
/// The second result goes to args[1].
template <typename T, typename Stored>
const Op *load_pair(Frame &f, const Op *op) {
    const u64 va = address(f, op);
    T low, high;
    if (!load_value(f, op, va, low) || !load_value(f, op, va + sizeof(T), high)) return nullptr;
    set_loaded<T, Stored>(f, op->dst, low);
    set_loaded<T, Stored>(f, op->args[1], high);
    return op + 1;
}
template <typename T>
const Op *load_pair_at_once(Frame &f, const Op *op) {
    const u64 va = address(f, op);
    const std::byte *host = nullptr;
    if (has_fast_pair<T>())
        host = fast_address<false>(f.ctx, va, 2 * sizeof(T), MemoryImm{op->imm}.op());
    Vec pair;
    if (host == nullptr) {
        if (!load_pair_slowly<T>(f, op, va, pair)) return nullptr;
    } else if constexpr (sizeof(T) == 4) {
        const u64 both = read_host<u64>(host);
        pair = {{both & 0xffffffff, both >> 32}};
    } else {
        pair = read_host_vec(host);
    }
    f.set<u64>(op->dst, pair.d[0]);
    f.set<u64>(op->args[1], pair.d[1]);
    return op + 1;
}
template <typename T>
const Op *store(Frame &f, const Op *op) {
    return store_value(f, op, address(f, op), f.get<T>(op->args[1])) ? op + 1 : nullptr;
}
template <typename T>
const Op *store_pair(Frame &f, const Op *op) {
    const u64 va = address(f, op);
    return store_value(f, op, va, f.get<T>(op->args[1])) &&
                   store_value(f, op, va + sizeof(T), f.get<T>(op->args[2]))
               ? op + 1
               : nullptr;
}
template <typename T>
const Op *store_pair_at_once(Frame &f, const Op *op) {
    const u64 va = address(f, op);
    const Vec pair{{f.get<T>(op->args[1]), f.get<T>(op->args[2])}};
    std::byte *host = nullptr;
    if (has_fast_pair<T>())
        host = fast_address<true>(f.ctx, va, 2 * sizeof(T), MemoryImm{op->imm}.op());
    if (host == nullptr) return store_pair_slowly<T>(f, op, va, pair) ? op + 1 : nullptr;
    if constexpr (sizeof(T) == 4)
        write_host<u64>(host, pair.d[0] | pair.d[1] << 32);
    else
        write_host_vec(host, pair);
    return op + 1;
}

/// The result of an access that MemoryAccess does, unless there was an exception.
template <typename T>
const Op *finish(Frame &f, const Op *op, const T &result) {
    if (failed(f)) return nullptr;
    f.set<T>(op->dst, result);
    return op + 1;
}
const Op *atomic_rmw(Frame &f, const Op *op) {
    const MemoryOp memory_op = begin(f, op);
    return finish<u64>(
        f, op, f.ctx.memory->atomic(f.ctx, address(f, op), f.get<u64>(op->args[1]), memory_op));
}
const Op *compare_swap(Frame &f, const Op *op) {
    const MemoryOp memory_op = begin(f, op);
    return finish<u64>(f, op,
                       f.ctx.memory->compare_swap(f.ctx, address(f, op), f.get<u64>(op->args[1]),
                                                  f.get<u64>(op->args[2]), memory_op));
}
const Op *compare_swap128(Frame &f, const Op *op) {
    const MemoryOp memory_op = begin(f, op);
    return finish<Vec>(f, op,
                       f.ctx.memory->compare_swap128(f.ctx, address(f, op), f.get<Vec>(op->args[1]),
                                                     f.get<Vec>(op->args[2]), memory_op));
}
template <typename T>
const Op *load_exclusive(Frame &f, const Op *op) {
    const MemoryOp memory_op = begin(f, op);
    const Vec value = f.ctx.memory->load_exclusive(f.ctx, address(f, op), memory_op);
    if constexpr (std::is_same_v<T, Vec>)
        return finish<Vec>(f, op, value);
    else
        return finish<u64>(f, op, value.d[0]);
}
template <typename T>
const Op *store_exclusive(Frame &f, const Op *op) {
    const MemoryOp memory_op = begin(f, op);
    const Vec value = [&] {
        if constexpr (std::is_same_v<T, Vec>)
            return f.get<Vec>(op->args[1]);
        else
            return Vec{{f.get<u64>(op->args[1]), 0}};
    }();
    return finish<u64>(f, op,
                       f.ctx.memory->store_exclusive(f.ctx, address(f, op), value, memory_op));
}

} // namespace

void add_memory_handlers(HandlerTable &table) {
    const auto add = [&](Opcode op, Predecoded::Handler handler) {
        table[static_cast<unsigned>(op)] = {.handler = handler, .action = Action::Memory};
    };
    add(Opcode::Load8, load<u8, u64>);
    add(Opcode::Load16, load<u16, u64>);
    add(Opcode::Load32, load<u32, u64>);
    add(Opcode::Load64, load<u64, u64>);
    add(Opcode::LoadF16, load<u16, Vec>);
    add(Opcode::LoadF32, load<u32, Vec>);
    add(Opcode::LoadF64, load<u64, Vec>);
    add(Opcode::LoadV128, load<Vec, Vec>);
    add(Opcode::LoadPair32, load_pair_at_once<u32>);
    add(Opcode::LoadPair64, load_pair_at_once<u64>);
    add(Opcode::LoadPairF32, load_pair<u32, Vec>);
    add(Opcode::LoadPairF64, load_pair<u64, Vec>);
    add(Opcode::LoadPairV128, load_pair<Vec, Vec>);
    add(Opcode::Store8, store<u8>);
    add(Opcode::Store16, store<u16>);
    add(Opcode::Store32, store<u32>);
    add(Opcode::Store64, store<u64>);
    add(Opcode::StoreF16, store<u16>);
    add(Opcode::StoreF32, store<u32>);
    add(Opcode::StoreF64, store<u64>);
    add(Opcode::StoreV128, store<Vec>);
    add(Opcode::StorePair32, store_pair_at_once<u32>);
    add(Opcode::StorePair64, store_pair_at_once<u64>);
    add(Opcode::StorePairF32, store_pair<u32>);
    add(Opcode::StorePairF64, store_pair<u64>);
    add(Opcode::StorePairV128, store_pair<Vec>);
    add(Opcode::AtomicRmw, atomic_rmw);
    add(Opcode::CompareSwap, compare_swap);
    add(Opcode::CompareSwap128, compare_swap128);
    add(Opcode::LoadExclusive, load_exclusive<u64>);
    add(Opcode::LoadExclusive128, load_exclusive<Vec>);
    add(Opcode::StoreExclusive, store_exclusive<u64>);
    add(Opcode::StoreExclusive128, store_exclusive<Vec>);
}

} // namespace tandem::ir
