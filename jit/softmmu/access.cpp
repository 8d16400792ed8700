// Guest memory accesses beyond the inline TLB hit.
#include "ir/host_access.h"
#include "jit/softmmu/softmmu_internal.h"

#include <bit>
#include <cstring>

namespace tandem::jit {
namespace {

using ir::AccessKind;
using ir::Alignment;
using ir::AtomicKind;
using ir::MemoryOp;
using ir::read_host;
using ir::read_host_vec;
using ir::Vec;
using ir::write_host;
using ir::write_host_vec;

u64 read_host(const std::byte *p, unsigned size_log2) {
    switch (size_log2) {
    case 0: return read_host<u8>(p);
    case 1: return read_host<u16>(p);
    case 2: return read_host<u32>(p);
    default: return read_host<u64>(p);
    }
}
void write_host(std::byte *p, unsigned size_log2, u64 value) {
    switch (size_log2) {
    case 0: write_host<u8>(p, static_cast<u8>(value)); break;
    case 1: write_host<u16>(p, static_cast<u16>(value)); break;
    case 2: write_host<u32>(p, static_cast<u32>(value)); break;
    default: write_host<u64>(p, value); break;
    }
}

bool is_misaligned(u64 va, u32 bytes, Alignment alignment) {
    switch (alignment) {
    case Alignment::Any: return false;
    case Alignment::Natural: return (va & (bytes - 1)) != 0;
    case Alignment::Within16: return (va & 15) + bytes > 16;
    }
    __builtin_unreachable();
}
bool crosses_page(u64 va, u32 bytes) {
    return (va & 0xfff) + bytes > 4096;
}

u128 to_u128(Vec v) {
    return u128{v.d[1]} << 64 | v.d[0];
}
Vec to_vec(u128 v) {
    return {{static_cast<u64>(v), static_cast<u64>(v >> 64)}};
}

/// Compare and swap of 16 aligned bytes; returns the old value.
u128 swap_16_bytes(std::byte *p, u128 expected, u128 desired) {
    return __sync_val_compare_and_swap(reinterpret_cast<u128 *>(p), expected, desired);
}

/// 16 bytes at once, at a 16-byte boundary. A compare-and-swap that changes nothing needs a page
/// that may be written; in ROM nothing changes.
u128 read_16_bytes(std::byte *p, bool writable) {
    if (!ir::has_atomic_vectors() && writable) return swap_16_bytes(p, 0, 0);
    return to_u128(read_host_vec(p));
}
void write_16_bytes(std::byte *p, u128 value) {
    if (ir::has_atomic_vectors()) return write_host_vec(p, to_vec(value));
    u128 old = to_u128(read_host_vec(p));
    for (;;) {
        const u128 found = swap_16_bytes(p, old, value);
        if (found == old) return;
        old = found;
    }
}

/// Compare and swap of sizeof(T) bytes anywhere within an aligned 16; returns the old value.
template <typename T>
T swap_host(std::byte *p, T expected, T desired) {
    const u64 offset = reinterpret_cast<u64>(p) & 15;
    if (offset % sizeof(T) == 0)
        return __sync_val_compare_and_swap(reinterpret_cast<T *>(p), expected, desired);
    std::byte *whole = p - offset;
    const unsigned shift = static_cast<unsigned>(offset) * 8;
    const u128 mask = u128{static_cast<T>(~T{0})} << shift;
    u128 old = read_16_bytes(whole, true);
    for (;;) {
        const T current = static_cast<T>(old >> shift);
        if (current != expected) return current;
        const u128 found = swap_16_bytes(whole, old, (old & ~mask) | u128{desired} << shift);
        if (found == old) return current;
        old = found;
    }
}

template <typename T>
T combine(AtomicKind kind, T old, T operand) {
    using Signed = std::make_signed_t<T>;
    const auto a = static_cast<Signed>(old);
    const auto b = static_cast<Signed>(operand);
    switch (kind) {
    case AtomicKind::Add: return static_cast<T>(old + operand);
    case AtomicKind::Clear: return static_cast<T>(old & ~operand);
    case AtomicKind::Xor: return static_cast<T>(old ^ operand);
    case AtomicKind::Set: return static_cast<T>(old | operand);
    case AtomicKind::SMax: return a > b ? old : operand;
    case AtomicKind::SMin: return a < b ? old : operand;
    case AtomicKind::UMax: return old > operand ? old : operand;
    case AtomicKind::UMin: return old < operand ? old : operand;
    case AtomicKind::Swap: return operand;
    }
    __builtin_unreachable();
}

template <typename T>
T combine_host(std::byte *p, AtomicKind kind, T operand) {
    if (reinterpret_cast<u64>(p) % sizeof(T) == 0) {
        T *at = reinterpret_cast<T *>(p);
        switch (kind) {
        case AtomicKind::Add: return __atomic_fetch_add(at, operand, __ATOMIC_SEQ_CST);
        case AtomicKind::Swap: return __atomic_exchange_n(at, operand, __ATOMIC_SEQ_CST);
        default: break;
        }
    }
    T old = read_host<T>(p);
    for (;;) {
        const T found = swap_host<T>(p, old, combine(kind, old, operand));
        if (found == old) return old;
        old = found;
    }
}

/// Calls f(T{}) with the unsigned type of 1 << size_log2 bytes (0..3).
template <typename F>
auto with_type(unsigned size_log2, F f) {
    switch (size_log2) {
    case 0: return f(u8{});
    case 1: return f(u16{});
    case 2: return f(u32{});
    default: return f(u64{});
    }
}

} // namespace

// --- stores to code
// ------------------------------------------------------------------------------------

/// False: the store goes into the running block, which has to be left first.
bool Softmmu::may_store_code(const Page &page, u64 va, u32 bytes) {
    const CodePage *code = shared_.code_map.find(page.physical);
    if (code == nullptr) return true;
    ++statistics.code_stores;
    const auto offset = static_cast<u32>(va & 0xfff);
    if (stepping_ || !code->covers(offset, bytes)) return true;
    const FetchPage &running = fetch_pages_[fetch_index(context_.pc)];
    // When it is not known where the running block is, leaving it is always right.
    if (running.va_page == (context_.pc & kPageMask) &&
        running.generation == generation_of(context_.mode)) {
        const u64 pc = running.physical_page | (context_.pc & 0xfff);
        if (!shared_.code_writes.hits_block_at(page.physical_at(va), bytes, pc)) return true;
    }
    ++statistics.store_replays;
    return isolate();
}

/// Leaves the block before the current instruction, which will run alone.
bool Softmmu::isolate() {
    isolation_ = true;
    context_.pending_exit = ir::PendingExit::Resume;
    return false;
}

// --- watchpoints of a debugger
// ---------------------------------------------------------------------------------------

/// False: the access hits one, and is not made.
bool Softmmu::may_pass_watchpoints(u64 va, u32 bytes, bool is_store) {
    if (ignores_watchpoints_) return true;
    const std::optional<WatchHit> hit = shared_.debug_points.find_watchpoint(va, bytes, is_store);
    if (!hit.has_value()) return true;
    watch_hit_ = *hit;
    watch_stop_ = true;
    context_.pending_exit = ir::PendingExit::Stop;
    return false;
}

/// A store to memory, from before it is made until no block holds what it replaces. Blocks go
/// first: whoever has seen the new bytes must not find old code. What is translated from the old
/// bytes meanwhile either sees in slow_store_ that they are being replaced, or is seen here.
class Softmmu::SlowStore {
public:
    SlowStore(Softmmu &softmmu, const Page &page, u64 va, u32 bytes)
        : softmmu_(softmmu), page_(page), va_(va), bytes_(bytes) {
        if (!page.is_slow) return;
        softmmu.shared_.bus.will_store(page.physical);
        softmmu.slow_store_.store(page.physical_at(va) << kStoreSizeBits | bytes,
                                  std::memory_order_seq_cst);
        const CodePage *code = softmmu.shared_.code_map.find(page.physical);
        if (code == nullptr) return;
        reservations_before_ = code->reservations_made.load(std::memory_order_seq_cst);
        drop_blocks(code);
    }
    ~SlowStore() {
        if (!page_.is_slow) return;
        // Either a translator that marks the granule now reads the new bytes, or this sees the
        // mark.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const CodePage *code = softmmu_.shared_.code_map.find(page_.physical);
        if (code != nullptr &&
            code->reservations_made.load(std::memory_order_seq_cst) != reservations_before_)
            drop_blocks(code);
        softmmu_.slow_store_.store(0, std::memory_order_release);
        if (code == nullptr || code->granules.load(std::memory_order_relaxed) == 0)
            softmmu_.allow_fast_writes(page_.physical, va_);
    }
    SlowStore(const SlowStore &) = delete;
    SlowStore &operator=(const SlowStore &) = delete;

private:
    void drop_blocks(const CodePage *code) {
        if (code->covers(static_cast<u32>(va_ & 0xfff), bytes_))
            softmmu_.shared_.code_writes.code_written(page_.physical_at(va_), bytes_,
                                                      softmmu_.statistics);
    }

    Softmmu &softmmu_;
    const Page &page_;
    u64 va_;
    u32 bytes_;
    u32 reservations_before_ = 0;
};

// --- checks before an access
// ------------------------------------------------------------------------

/// Everything between translation and the access itself. `bytes` do not leave the page. False: the
/// access must not happen (an exception, or the running block must be left first).
bool Softmmu::prepare(u64 va, u32 bytes, bool aligned, ir::Regime regime, AccessKind kind,
                      Page &page) {
    if (!translate_page(va, regime, kind, page)) return false;
    if (!page.is_slow) return true;
    const bool is_store = kind == AccessKind::Store;
    // Arm ARM B2.8.2: an unaligned access to any type of Device memory faults.
    if ((page.flags & kTlbDevice) != 0 && !aligned) {
        shared_.translator.raise_alignment_fault(context_, va, is_store);
        return false;
    }
    // The guest's own first: an access that raises an exception is none.
    if ((page.flags & kTlbWatched) != 0 &&
        (!shared_.translator.check_watchpoint(context_, va, bytes, regime, is_store) ||
         !may_pass_watchpoints(va, bytes, is_store)))
        return false;
    const u64 devices = is_store ? kTlbMmio | kTlbRom : kTlbMmio;
    if ((page.flags & devices) != 0) return !shared_.isolate_devices || stepping_ || isolate();
    return !is_store || may_store_code(page, va, bytes);
}

bool Softmmu::prepare_aligned(u64 va, MemoryOp op, bool is_store) {
    if (!is_misaligned(va, 1u << op.size_log2, op.alignment)) return true;
    shared_.translator.raise_alignment_fault(context_, va, is_store);
    return false;
}

/// For an atomic update: readable and writable. Arm ARM, ISS.WnR: of an atomic, a fault that a read
/// would take as well is reported as a read's, alignment faults among them.
bool Softmmu::prepare_update(u64 va, u32 bytes, MemoryOp op, Page &page) {
    if (crosses_page(va, bytes)) {
        // Only an unaligned one does, and those are for Normal memory within 16 bytes.
        shared_.translator.raise_alignment_fault(context_, va, false);
        return false;
    }
    const bool aligned = (va & (bytes - 1)) == 0;
    return prepare(va, bytes, aligned, op.regime, AccessKind::Load, page) &&
           prepare(va, bytes, aligned, op.regime, AccessKind::Store, page);
}

// --- bytes: devices, page crossings
// -------------------------------------------------------------------

bool Softmmu::read_bytes(const Page &page, u64 va, u32 count, std::byte *out) {
    if (page.host != nullptr) {
        std::memcpy(out, page.at(va), count);
        return true;
    }
    const ActivityScope accessing(activity, Activity::Device);
    ++statistics.mmio_accesses;
    const u32 unit =
        std::has_single_bit(count) && (va & (count - 1)) == 0 ? std::min(count, 8u) : 1;
    for (u32 i = 0; i < count; i += unit) {
        u64 value = 0;
        if (!shared_.bus.read(page.physical_at(va) + i,
                              static_cast<unsigned>(std::countr_zero(unit)), value)) {
            shared_.translator.raise_external_abort(context_, va, AccessKind::Load);
            return false;
        }
        std::memcpy(out + i, &value, unit);
    }
    return true;
}

bool Softmmu::write_bytes(const Page &page, u64 va, u32 count, const std::byte *in) {
    if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
        const SlowStore store(*this, page, va, count);
        std::memcpy(page.at(va), in, count);
        return true;
    }
    const ActivityScope accessing(activity, Activity::Device);
    ++statistics.mmio_accesses;
    const u32 unit =
        std::has_single_bit(count) && (va & (count - 1)) == 0 ? std::min(count, 8u) : 1;
    for (u32 i = 0; i < count; i += unit) {
        u64 value = 0;
        std::memcpy(&value, in + i, unit);
        if (!shared_.bus.write(page.physical_at(va) + i,
                               static_cast<unsigned>(std::countr_zero(unit)), value)) {
            shared_.translator.raise_external_abort(context_, va, AccessKind::Store);
            return false;
        }
    }
    return true;
}

/// The access leaves its page.
bool Softmmu::read_crossing(u64 va, u32 bytes, MemoryOp op, std::byte *out) {
    const u64 boundary = (va & kPageMask) + 4096;
    const auto head = static_cast<u32>(boundary - va);
    Page first;
    Page second;
    return prepare(va, head, false, op.regime, AccessKind::Load, first) &&
           prepare(boundary, bytes - head, false, op.regime, AccessKind::Load, second) &&
           read_bytes(first, va, head, out) &&
           read_bytes(second, boundary, bytes - head, out + head);
}

bool Softmmu::write_crossing(u64 va, u32 bytes, MemoryOp op, const std::byte *in) {
    const u64 boundary = (va & kPageMask) + 4096;
    const auto head = static_cast<u32>(boundary - va);
    Page first;
    Page second;
    // Both pages are checked before either is written.
    return prepare(va, head, false, op.regime, AccessKind::Store, first) &&
           prepare(boundary, bytes - head, false, op.regime, AccessKind::Store, second) &&
           write_bytes(first, va, head, in) &&
           write_bytes(second, boundary, bytes - head, in + head);
}

// --- ir::MemoryAccess
// -----------------------------------------------------------------------------------

u64 Softmmu::load(ir::ExecContext &, u64 va, unsigned size_log2, MemoryOp op) {
    ++statistics.slow_accesses;
    op.size_log2 = static_cast<u8>(size_log2);
    if (!prepare_aligned(va, op, false)) return 0;
    const u32 bytes = 1u << size_log2;
    if (!crosses_page(va, bytes)) {
        Page page;
        const bool aligned = (va & (bytes - 1)) == 0;
        if (!prepare(va, bytes, aligned, op.regime, AccessKind::Load, page)) return 0;
        if (page.host != nullptr) return read_host(page.at(va), size_log2);
        u64 value = 0;
        return read_bytes(page, va, bytes, reinterpret_cast<std::byte *>(&value)) ? value : 0;
    }
    u64 value = 0;
    return read_crossing(va, bytes, op, reinterpret_cast<std::byte *>(&value)) ? value : 0;
}

void Softmmu::store(ir::ExecContext &, u64 va, unsigned size_log2, u64 value, MemoryOp op) {
    ++statistics.slow_accesses;
    op.size_log2 = static_cast<u8>(size_log2);
    if (!prepare_aligned(va, op, true)) return;
    const u32 bytes = 1u << size_log2;
    if (!crosses_page(va, bytes)) {
        Page page;
        const bool aligned = (va & (bytes - 1)) == 0;
        if (!prepare(va, bytes, aligned, op.regime, AccessKind::Store, page)) return;
        if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
            const SlowStore store(*this, page, va, bytes);
            write_host(page.at(va), size_log2, value);
        } else {
            static_cast<void>(
                write_bytes(page, va, bytes, reinterpret_cast<const std::byte *>(&value)));
        }
        return;
    }
    static_cast<void>(write_crossing(va, bytes, op, reinterpret_cast<const std::byte *>(&value)));
}

Vec Softmmu::load128(ir::ExecContext &, u64 va, MemoryOp op) {
    op.size_log2 = 4;
    if (!prepare_aligned(va, op, false)) return {};
    if (!crosses_page(va, 16)) {
        Page page;
        if (!prepare(va, 16, (va & 15) == 0, op.regime, AccessKind::Load, page)) return {};
        if (page.host != nullptr) return std::bit_cast<Vec>(read_host_vec(page.at(va)));
        Vec value;
        return read_bytes(page, va, 16, reinterpret_cast<std::byte *>(&value)) ? value : Vec{};
    }
    Vec value;
    return read_crossing(va, 16, op, reinterpret_cast<std::byte *>(&value)) ? value : Vec{};
}

void Softmmu::store128(ir::ExecContext &, u64 va, Vec value, MemoryOp op) {
    op.size_log2 = 4;
    if (!prepare_aligned(va, op, true)) return;
    if (!crosses_page(va, 16)) {
        Page page;
        if (!prepare(va, 16, (va & 15) == 0, op.regime, AccessKind::Store, page)) return;
        if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
            const SlowStore store(*this, page, va, 16);
            write_host_vec(page.at(va), value);
        } else {
            static_cast<void>(
                write_bytes(page, va, 16, reinterpret_cast<const std::byte *>(&value)));
        }
        return;
    }
    static_cast<void>(write_crossing(va, 16, op, reinterpret_cast<const std::byte *>(&value)));
}

Vec Softmmu::load_pair(ir::ExecContext &ctx, u64 va, unsigned size_log2, MemoryOp op) {
    op.size_log2 = static_cast<u8>(size_log2);
    if (!prepare_aligned(va, op, false)) return {};
    const u32 bytes = 2u << size_log2;
    if (!is_misaligned(va, bytes, Alignment::Within16)) {
        Page page;
        const bool aligned = (va & (bytes / 2 - 1)) == 0;
        if (!prepare(va, bytes, aligned, op.regime, AccessKind::Load, page)) return {};
        if (page.host != nullptr) {
            ++statistics.slow_accesses;
            std::byte *host = page.at(va);
            if (size_log2 == 3) return to_vec(read_16_bytes(host, (page.flags & kTlbRom) == 0));
            const u64 both = read_host<u64>(host);
            return {{both & 0xffffffff, both >> 32}};
        }
    }
    return MemoryAccess::load_pair(ctx, va, size_log2, op);
}

void Softmmu::store_pair(ir::ExecContext &ctx, u64 va, unsigned size_log2, Vec values,
                         MemoryOp op) {
    op.size_log2 = static_cast<u8>(size_log2);
    if (!prepare_aligned(va, op, true)) return;
    const u32 bytes = 2u << size_log2;
    if (!is_misaligned(va, bytes, Alignment::Within16)) {
        Page page;
        const bool aligned = (va & (bytes / 2 - 1)) == 0;
        if (!prepare(va, bytes, aligned, op.regime, AccessKind::Store, page)) return;
        if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
            ++statistics.slow_accesses;
            const SlowStore store(*this, page, va, bytes);
            if (size_log2 == 3)
                write_16_bytes(page.at(va), to_u128(values));
            else
                write_host<u64>(page.at(va), (values.d[0] & 0xffffffff) | values.d[1] << 32);
            return;
        }
    }
    MemoryAccess::store_pair(ctx, va, size_log2, values, op);
}

/// operation(p) updates host memory; on devices the update is a load and a store of what
/// operation does to a copy: nothing else can be atomic there.
template <typename T, typename Operation>
u64 Softmmu::update(u64 va, MemoryOp op, Operation operation) {
    if (op.alignment == Alignment::Any) op.alignment = Alignment::Within16;
    if (!prepare_aligned(va, op, false)) return 0;
    Page page;
    if (!prepare_update(va, sizeof(T), op, page)) return 0;
    if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
        const SlowStore store(*this, page, va, sizeof(T));
        return operation(page.at(va));
    }
    alignas(16) std::byte copy[16] = {};
    if (!read_bytes(page, va, sizeof(T), copy)) return 0;
    const T old = operation(copy);
    return write_bytes(page, va, sizeof(T), copy) ? old : 0;
}

u64 Softmmu::atomic(ir::ExecContext &, u64 va, u64 operand, MemoryOp op) {
    return with_type(op.size_log2, [&]<typename T>(T) {
        return update<T>(va, op, [&](std::byte *p) {
            return combine_host<T>(p, op.atomic, static_cast<T>(operand));
        });
    });
}

u64 Softmmu::compare_swap(ir::ExecContext &, u64 va, u64 expected, u64 desired, MemoryOp op) {
    return with_type(op.size_log2, [&]<typename T>(T) {
        return update<T>(va, op, [&](std::byte *p) {
            return swap_host<T>(p, static_cast<T>(expected), static_cast<T>(desired));
        });
    });
}

Vec Softmmu::compare_swap128(ir::ExecContext &, u64 va, Vec expected, Vec desired, MemoryOp op) {
    op.size_log2 = 4;
    op.alignment = Alignment::Natural; // CASP wants 16-byte alignment with FEAT_LSE2 too
    if (!prepare_aligned(va, op, false)) return {};
    Page page;
    if (!prepare_update(va, 16, op, page)) return {};
    if ((page.flags & (kTlbMmio | kTlbRom)) == 0) {
        const SlowStore store(*this, page, va, 16);
        return to_vec(swap_16_bytes(page.at(va), to_u128(expected), to_u128(desired)));
    }
    Vec old;
    if (!read_bytes(page, va, 16, reinterpret_cast<std::byte *>(&old))) return {};
    if (old == expected &&
        !write_bytes(page, va, 16, reinterpret_cast<const std::byte *>(&desired)))
        return {};
    return old;
}

Vec Softmmu::load_exclusive(ir::ExecContext &, u64 va, MemoryOp op) {
    op.alignment = Alignment::Natural;
    monitor_.size = 0;
    if (!prepare_aligned(va, op, false)) return {};
    const u32 bytes = 1u << op.size_log2;
    Page page;
    if (!prepare(va, bytes, true, op.regime, AccessKind::Load, page)) return {};
    Vec value;
    if (page.host == nullptr) {
        // No exclusive access to a device succeeds; the load itself is an ordinary one.
        if (!read_bytes(page, va, bytes, reinterpret_cast<std::byte *>(&value))) return {};
        return value;
    }
    std::byte *host = page.at(va);
    value = bytes == 16 ? to_vec(read_16_bytes(host, (page.flags & kTlbRom) == 0))
                        : Vec{{read_host(host, op.size_log2), 0}};
    monitor_ = {host, bytes, value};
    return value;
}

u32 Softmmu::store_exclusive(ir::ExecContext &, u64 va, Vec value, MemoryOp op) {
    op.alignment = Alignment::Natural;
    if (!prepare_aligned(va, op, true)) return 0;
    const u32 bytes = 1u << op.size_log2;
    Page page;
    // Arm ARM, AArch64.ExclusiveMonitorsPass: faults are taken whether or not the monitor passes.
    if (!prepare(va, bytes, true, op.regime, AccessKind::Store, page)) return 0;
    const ExclusiveMonitor monitor = std::exchange(monitor_, {});
    if (monitor.size != bytes || page.host == nullptr || (page.flags & kTlbRom) != 0 ||
        page.at(va) != monitor.host)
        return 1;
    const SlowStore store(*this, page, va, bytes);
    // The monitor holds if memory still has the value that was loaded.
    std::byte *host = page.at(va);
    const bool stored =
        bytes == 16
            ? swap_16_bytes(host, to_u128(monitor.value), to_u128(value)) == to_u128(monitor.value)
            : with_type(op.size_log2, [&]<typename T>(T) {
                  const T expected = static_cast<T>(monitor.value.d[0]);
                  return swap_host<T>(host, expected, static_cast<T>(value.d[0])) == expected;
              });
    return stored ? 0 : 1;
}

} // namespace tandem::jit
