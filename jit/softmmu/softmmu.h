#pragma once
/// A vCPU's view of guest memory: its TLBs, its cache of instruction-fetch translations, its jump
/// cache, its exclusive monitor, and the slow path of every access.
///
/// Tables. The Kernel regimes have one TLB each; the User regime has one per recently used address
/// space, so that a context switch changes a pointer and flushes next to nothing (non-global
/// entries of the Kernel regimes, which Linux hardly makes).
///
/// Threads. Only the owner fills entries and reads them for accesses; any thread may invalidate or
/// slow down entries under lock(). The owner therefore fills under the lock too, and walks again if
/// something was invalidated while it walked (flush_sequence_).
#include "ir/frontend.h"
#include "ir/memory_access.h"
#include "ir/tlb_control.h"
#include "jit/runtime/activity.h"
#include "jit/runtime/safepoint.h"
#include "jit/runtime/statistics.h"
#include "jit/softmmu/code_map.h"
#include "jit/softmmu/debug_points.h"
#include "jit/softmmu/exclusive_monitor.h"
#include "jit/softmmu/tlb_table.h"

#include <memory>
#include <utility>
#include <vector>

namespace tandem::jit {

/// What the softmmu tells the block cache about stores to pages with code.
class CodeWriteHandler {
public:
    virtual ~CodeWriteHandler() = default;
    /// Would a store to these bytes invalidate a block that contains the byte at `running`?
    [[nodiscard]] virtual bool hits_block_at(u64 physical, u32 length, u64 running) = 0;
    /// Bytes were written; they may or may not be code.
    virtual void code_written(u64 physical, u64 length, Statistics &) = 0;
};

/// Where an instruction fetch goes.
struct FetchPage {
    u64 va_page = ~u64{0};
    u32 generation = 0;
    u32 mode_bits =
        0; ///< the frontend's for code on this page, and its reach (jit/softmmu/reach.h)
    u64 physical_page = 0;
    const std::byte *host = nullptr;
};

/// What all vCPUs of a machine share.
struct SoftmmuShared {
    ir::AddressTranslator &translator;
    ir::PhysicalBus &bus;
    CodeMap &code_map;
    CodeWriteHandler &code_writes;
    DebugPoints &debug_points;
    u32 privileged_mode_mask = 0; ///< Frontend::privileged_mode_mask()
    bool isolate_devices = false; ///< EngineOptions::isolate_devices
};

class Softmmu final : public ir::MemoryAccess {
public:
    Softmmu(ir::ExecContext &context, const SoftmmuShared &shared);
    ~Softmmu() override;
    Softmmu(const Softmmu &) = delete;
    Softmmu &operator=(const Softmmu &) = delete;

    // --- ir::MemoryAccess ---
    u64 load(ir::ExecContext &, u64 va, unsigned size_log2, ir::MemoryOp) override;
    void store(ir::ExecContext &, u64 va, unsigned size_log2, u64 value, ir::MemoryOp) override;
    ir::Vec load128(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    void store128(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    ir::Vec load_pair(ir::ExecContext &, u64 va, unsigned size_log2, ir::MemoryOp) override;
    void store_pair(ir::ExecContext &, u64 va, unsigned size_log2, ir::Vec values,
                    ir::MemoryOp) override;
    u64 atomic(ir::ExecContext &, u64 va, u64 operand, ir::MemoryOp) override;
    u64 compare_swap(ir::ExecContext &, u64 va, u64 expected, u64 desired, ir::MemoryOp) override;
    ir::Vec compare_swap128(ir::ExecContext &, u64 va, ir::Vec expected, ir::Vec desired,
                            ir::MemoryOp) override;
    ir::Vec load_exclusive(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    u32 store_exclusive(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    void clear_exclusive(ir::ExecContext &) override { monitor_.size = 0; }
    [[nodiscard]] ExclusiveMonitor &monitor() { return monitor_; }

    // --- owner's thread: instruction fetch ---

    /// Brings ExecContext::exec_tag up to date; once per dispatcher pass.
    [[nodiscard]] u64 update_exec_tag() {
        const u64 tag = u64{generation_of(context_.mode)} << 32 | context_.mode;
        context_.exec_tag = tag;
        return tag;
    }
    /// Translates for execution under the current exec_tag. False: the exception has been raised.
    [[nodiscard]] bool fetch(u64 pc, FetchPage &out) {
        if (const FetchPage *known = known_fetch(pc)) [[likely]] {
            out = *known;
            return true;
        }
        return fetch_slow(pc, out);
    }
    /// What an earlier fetch() found, if that is good under the current exec_tag; else null.
    [[nodiscard]] const FetchPage *known_fetch(u64 pc) const {
        const FetchPage &cached = fetch_pages_[fetch_index(pc)];
        const bool is_good = cached.va_page == (pc & kPageMask) &&
                             cached.generation == static_cast<u32>(context_.exec_tag >> 32);
        return is_good ? &cached : nullptr;
    }
    [[nodiscard]] ir::JumpCacheEntry &jump_cache_entry(u64 va) {
        return jump_cache_[(va >> 2) & (ir::kJumpCacheEntries - 1)];
    }
    /// With the code that the block has at this moment. Does nothing if it is invalid: see
    /// forget_block().
    void fill_jump_cache(u64 va, u64 tag, const TranslationBlock &block,
                         const std::atomic<const void *> &code,
                         const std::atomic<bool> &block_is_invalid);
    void clear_jump_cache();

    /// The block was left before an access that its instruction has to make alone: a store to the
    /// running block, or what EngineOptions::isolate_devices says. Run that one instruction with
    /// stepping set. The flag is cleared by reading.
    [[nodiscard]] bool take_isolation() { return std::exchange(isolation_, false); }
    void set_stepping(bool stepping) { stepping_ = stepping; }

    /// A debugger's watchpoint was hit by the access about to be made: its block was left before
    /// that instruction. The flag is cleared by reading.
    [[nodiscard]] bool take_watch_stop() { return std::exchange(watch_stop_, false); }
    [[nodiscard]] const WatchHit &watch_hit() const { return watch_hit_; }
    void set_ignores_watchpoints(bool ignores) { ignores_watchpoints_ = ignores; }

    /// At a point where no guest access is under way and nobody's request may be missed.
    void acknowledge() {
        unacknowledged_.store(false, std::memory_order_relaxed);
        safepoint.acknowledge();
    }

    // --- owner's thread: TLB maintenance (see ir::TlbControl) ---
    void set_address_space(u16 asid);
    /// Applies to this vCPU. True: other code may have to be waited for (owner running).
    [[nodiscard]] bool invalidate(const ir::TlbInvalidation &what);
    void watchpoints_changed();

    // --- owner's thread: pages with code ---
    /// Stores to this physical page take the slow path from now on.
    void slow_down_writes(u64 physical_page);

    // --- any thread ---

    /// As invalidate(), for another vCPU. True: the owner may still be using what is gone; wait for
    /// the ticket.
    [[nodiscard]] bool invalidate_remotely(const ir::TlbInvalidation &what, u64 &ticket);
    /// As slow_down_writes(), for another vCPU. True: the owner may be between its TLB check and a
    /// store that does not; wait for the ticket.
    [[nodiscard]] bool slow_down_writes_remotely(u64 physical_page, u64 &ticket);
    /// Every store takes the slow path once more. True: the owner may be making one that it has
    /// announced (PhysicalBus::will_store) or that needs no announcement; wait for the ticket.
    [[nodiscard]] bool slow_down_all_writes(u64 &ticket);
    /// Is the owner making a store to these bytes, so that what is read there may be outdated?
    [[nodiscard]] bool is_storing_to(u64 physical, u64 length) const {
        const u64 store = slow_store_.load(std::memory_order_seq_cst);
        const u64 first = store >> kStoreSizeBits;
        return first < physical + length && physical < first + (store & ones(kStoreSizeBits));
    }
    /// Jump cache entries for this block go; it must have been marked invalid before.
    void forget_block(const TranslationBlock &block, u32 page_offset);
    /// Instruction fetches are translated again. While the owner does not run.
    void forget_fetches();

    [[nodiscard]] ir::ExecContext &context() { return context_; }

    void *owner = nullptr; ///< for whoever made this
    Safepoint safepoint;
    Statistics statistics;                     ///< written by the owner
    ActivityMark activity = Activity::Outside; ///< of the owner's thread
    /// Tickets of other vCPUs that TlbBroadcast::complete() has to wait for.
    std::vector<std::pair<Softmmu *, u64>> awaited;

private:
    struct Page;
    class SlowStore;
    static constexpr unsigned kFetchBits = 10;
    [[nodiscard]] static u32 fetch_index(u64 pc) {
        return static_cast<u32>(((pc >> 12) * 0x9e3779b97f4a7c15) >> (64 - kFetchBits));
    }

    static constexpr unsigned kStoreSizeBits = 5;

    static constexpr u32 kKernelTable = 0;
    static constexpr u32 kKernelNoUserTable = 1;
    static constexpr u32 kFirstUserTable = 2;
    static constexpr u32 kUserTables = 16;
    using Tables = std::array<std::unique_ptr<TlbTable>, kFirstUserTable + kUserTables>;

    [[nodiscard]] u32 generation_of(u32 mode) const {
        const u32 &generation = (mode & shared_.privileged_mode_mask) != 0
                                    ? kernel_generation_
                                    : tables_[user_table_]->generation;
        return __atomic_load_n(&generation, __ATOMIC_RELAXED);
    }
    [[nodiscard]] u32 table_of(ir::Regime regime) const {
        switch (regime) {
        case ir::Regime::User: return user_table_;
        case ir::Regime::Kernel: return kKernelTable;
        case ir::Regime::KernelNoUser: return kKernelNoUserTable;
        }
        __builtin_unreachable();
    }

    // Under the lock.
    void new_generation(u32 &generation);
    void forget_kernel_fetches();
    void forget_user_fetches(TlbTable &table);
    bool apply(const ir::TlbInvalidation &what);
    [[nodiscard]] bool request_acknowledgement(u64 &ticket);
    bool apply_to_users(const ir::TlbInvalidation &what);

    bool fetch_slow(u64 pc, FetchPage &out);
    bool fill(u64 va, ir::Regime regime, ir::AccessKind kind, Page &out);
    bool translate_page(u64 va, ir::Regime regime, ir::AccessKind kind, Page &out);
    bool prepare(u64 va, u32 bytes, bool aligned, ir::Regime regime, ir::AccessKind kind,
                 Page &page);
    bool prepare_aligned(u64 va, ir::MemoryOp op, bool is_store);
    bool prepare_update(u64 va, u32 bytes, ir::MemoryOp op, Page &page);
    bool may_pass_watchpoints(u64 va, u32 bytes, bool is_store);
    bool may_store_code(const Page &page, u64 va, u32 bytes);
    bool isolate();
    void allow_fast_writes(u64 physical_page, u64 va);
    bool read_bytes(const Page &page, u64 va, u32 count, std::byte *out);
    bool write_bytes(const Page &page, u64 va, u32 count, const std::byte *in);
    bool read_crossing(u64 va, u32 bytes, ir::MemoryOp op, std::byte *out);
    bool write_crossing(u64 va, u32 bytes, ir::MemoryOp op, const std::byte *in);
    template <typename T, typename Operation>
    u64 update(u64 va, ir::MemoryOp op, Operation operation);

    ir::ExecContext &context_;
    const SoftmmuShared &shared_;
    SpinLock lock_;
    std::atomic<u64> flush_sequence_ = 0;      ///< changed under the lock
    std::atomic<bool> unacknowledged_ = false; ///< something went that the owner may still be using
    /// The store that is being made on the slow path: address, and in the low bits size; 0: none.
    std::atomic<u64> slow_store_ = 0;
    u32 user_table_ = kFirstUserTable;
    u32 kernel_generation_ = 1;
    u32 last_generation_ = 1;
    bool kernel_fetched_non_global_ = false;
    bool isolation_ = false;
    bool stepping_ = false;
    bool ignores_watchpoints_ = false;
    bool watch_stop_ = false;
    WatchHit watch_hit_;
    u64 switches_ = 0;
    ExclusiveMonitor monitor_;
    Tables tables_;
    RangeSet kernel_fetched_;
    std::unique_ptr<ir::JumpCacheEntry[]> jump_cache_;
    std::array<FetchPage, 1u << kFetchBits> fetch_pages_{};
    WriteIndex<Tables> write_index_;
};

} // namespace tandem::jit
