#include "jit/softmmu/softmmu.h"

#include "jit/softmmu/reach.h"
#include "jit/softmmu/softmmu_internal.h"
#include "support/check.h"

#include <mutex>
#include <span>

namespace tandem::jit {

using ir::AccessKind;
using ir::Regime;
using ir::TlbInvalidation;

Softmmu::Softmmu(ir::ExecContext &context, const SoftmmuShared &shared)
    : safepoint(context.attention), context_(context), shared_(shared),
      jump_cache_(std::make_unique<ir::JumpCacheEntry[]>(ir::kJumpCacheEntries)) {
    tables_[kKernelTable] = std::make_unique<TlbTable>();
    tables_[kKernelNoUserTable] = std::make_unique<TlbTable>();
    tables_[kFirstUserTable] = std::make_unique<TlbTable>();
    new_generation(kernel_generation_);
    new_generation(tables_[kFirstUserTable]->generation);
    context_.jump_cache = jump_cache_.get();
    context_.memory = this;
    context_.tlb[static_cast<unsigned>(Regime::Kernel)] = tables_[kKernelTable]->entries.data();
    context_.tlb[static_cast<unsigned>(Regime::KernelNoUser)] =
        tables_[kKernelNoUserTable]->entries.data();
    set_address_space(0);
}

Softmmu::~Softmmu() {
    context_.jump_cache = nullptr;
    context_.memory = nullptr;
    context_.tlb.fill(nullptr);
}

// --- generations of instruction fetch -----------------------------------------------------------

void Softmmu::new_generation(u32 &generation) {
    if (++last_generation_ == 0) {
        // Generations start again: nothing tagged with an old one may be left.
        last_generation_ = 1;
        context_.attention.fetch_or(kAttentionFlush, std::memory_order_release);
    }
    __atomic_store_n(&generation, last_generation_, __ATOMIC_RELAXED);
}

void Softmmu::forget_kernel_fetches() {
    ++statistics.fetch_flushes;
    new_generation(kernel_generation_);
    kernel_fetched_.clear();
    kernel_fetched_non_global_ = false;
}

void Softmmu::forget_user_fetches(TlbTable &table) {
    ++statistics.fetch_flushes;
    new_generation(table.generation);
    table.fetched.clear();
}

void Softmmu::forget_fetches() {
    const std::lock_guard guard(lock_);
    forget_kernel_fetches();
    for (const auto &table : std::span(tables_).subspan(kFirstUserTable))
        if (table != nullptr) forget_user_fetches(*table);
}

void Softmmu::clear_jump_cache() {
    const std::lock_guard guard(lock_);
    for (u32 i = 0; i < ir::kJumpCacheEntries; ++i) jump_cache_[i] = {};
    fetch_pages_.fill({});
}

void Softmmu::forget_block(const TranslationBlock &block, u32 page_offset) {
    // The low 12 bits of the address are those of the physical one; the rest of the index may be
    // anything.
    const std::lock_guard guard(lock_);
    for (u64 page = 0; page < ir::kJumpCacheEntries / 1024; ++page) {
        ir::JumpCacheEntry &entry = jump_cache_entry(page << 12 | page_offset);
        if (entry.block == reinterpret_cast<u64>(&block)) store_tag(entry.tag, 0);
    }
}

// --- address spaces and invalidation -------------------------------------------------------------

void Softmmu::set_address_space(u16 asid) {
    {
        const std::lock_guard guard(lock_);
        u32 chosen = user_table_;
        if (tables_[chosen]->asid != asid) {
            u32 oldest = 0;
            chosen = 0;
            for (u32 i = kFirstUserTable; i < tables_.size() && chosen == 0; ++i) {
                if (tables_[i] == nullptr) {
                    // Tables are handed out in order; the first free one ends the search.
                    tables_[i] = std::make_unique<TlbTable>();
                    new_generation(tables_[i]->generation);
                    tables_[i]->asid = asid;
                    chosen = i;
                } else if (tables_[i]->asid == asid) {
                    chosen = i;
                } else if (oldest == 0 || tables_[i]->last_used < tables_[oldest]->last_used) {
                    oldest = i;
                }
            }
            if (chosen == 0) {
                chosen = oldest;
                tables_[chosen]->clear();
                forget_user_fetches(*tables_[chosen]);
                tables_[chosen]->asid = asid;
            }
            tables_[kKernelTable]->clear_non_global();
            tables_[kKernelNoUserTable]->clear_non_global();
            if (kernel_fetched_non_global_) forget_kernel_fetches();
            user_table_ = chosen;
            ++statistics.address_space_switches;
        }
        tables_[chosen]->last_used = ++switches_;
        context_.tlb[static_cast<unsigned>(Regime::User)] = tables_[chosen]->entries.data();
    }
    static_cast<void>(update_exec_tag());
}

bool Softmmu::apply_to_users(const TlbInvalidation &what) {
    bool any = false;
    for (u32 i = kFirstUserTable; i < tables_.size() && tables_[i] != nullptr; ++i) {
        TlbTable &table = *tables_[i];
        switch (what.scope) {
        case TlbInvalidation::Scope::All: any |= table.clear(); break;
        case TlbInvalidation::Scope::Asid:
            if (table.asid != what.asid) continue;
            any |= table.clear();
            break;
        case TlbInvalidation::Scope::Range:
            if (table.asid != what.asid && !table.has_global) continue;
            [[fallthrough]];
        case TlbInvalidation::Scope::RangeGlobal:
            any |= table.clear_range(what.va, what.pages);
            if (!table.fetched.overlaps(what.va, what.pages)) continue;
            break;
        }
        if (table.fetched.empty()) continue;
        forget_user_fetches(table);
        any = true;
    }
    return any;
}

bool Softmmu::apply(const TlbInvalidation &what) {
    flush_sequence_.fetch_add(1, std::memory_order_release);
    bool any = apply_to_users(what);
    bool forget_fetches = false;
    for (const u32 i : {kKernelTable, kKernelNoUserTable}) {
        TlbTable &table = *tables_[i];
        switch (what.scope) {
        case TlbInvalidation::Scope::All: any |= table.clear(); break;
        case TlbInvalidation::Scope::Asid:
            // Non-global entries here belong to the current address space.
            if (tables_[user_table_]->asid == what.asid) any |= table.clear_non_global();
            break;
        case TlbInvalidation::Scope::Range:
        case TlbInvalidation::Scope::RangeGlobal:
            any |= table.clear_range(what.va, what.pages);
            break;
        }
    }
    switch (what.scope) {
    case TlbInvalidation::Scope::All: forget_fetches = !kernel_fetched_.empty(); break;
    case TlbInvalidation::Scope::Asid: forget_fetches = kernel_fetched_non_global_; break;
    case TlbInvalidation::Scope::Range:
    case TlbInvalidation::Scope::RangeGlobal:
        forget_fetches = kernel_fetched_.overlaps(what.va, what.pages);
        break;
    }
    if (forget_fetches) forget_kernel_fetches();
    return any || forget_fetches;
}

bool Softmmu::invalidate(const TlbInvalidation &what) {
    bool any = false;
    {
        const std::lock_guard guard(lock_);
        any = apply(what);
    }
    static_cast<void>(update_exec_tag());
    return any;
}

bool Softmmu::invalidate_remotely(const TlbInvalidation &what, u64 &ticket) {
    {
        const std::lock_guard guard(lock_);
        if (apply(what)) unacknowledged_.store(true, std::memory_order_relaxed);
    }
    return request_acknowledgement(ticket);
}

/// After a change to the tables, which set unacknowledged_ if the owner may be using what is gone.
bool Softmmu::request_acknowledgement(u64 &ticket) {
    // If there was nothing to change, the owner cannot be using it either, unless somebody else
    // changed it a moment ago.
    if (!unacknowledged_.load(std::memory_order_relaxed)) return false;
    // The change becomes visible before `safepoint` is read; pairs with begin_accesses().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return safepoint.request(ticket);
}

void Softmmu::watchpoints_changed() {
    const std::lock_guard guard(lock_);
    for (const auto &table : tables_)
        if (table != nullptr) table->clear();
}

// --- code pages
// --------------------------------------------------------------------------------------

void Softmmu::slow_down_writes(u64 physical_page) {
    const std::lock_guard guard(lock_);
    static_cast<void>(write_index_.slow_down(tables_, physical_page));
}

bool Softmmu::slow_down_writes_remotely(u64 physical_page, u64 &ticket) {
    {
        const std::lock_guard guard(lock_);
        if (write_index_.slow_down(tables_, physical_page))
            unacknowledged_.store(true, std::memory_order_relaxed);
    }
    return request_acknowledgement(ticket);
}

bool Softmmu::slow_down_all_writes(u64 &ticket) {
    {
        const std::lock_guard guard(lock_);
        write_index_.slow_down_all(tables_);
    }
    // Whatever was there: a store on the slow path may be under way too.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return safepoint.request(ticket);
}

// --- filling
// -------------------------------------------------------------------------------------------

bool Softmmu::fill(u64 va, Regime regime, AccessKind kind, Page &out) {
    const ActivityScope walking(activity, Activity::Softmmu);
    ++statistics.tlb_fills;
    for (;;) {
        const u64 sequence = flush_sequence_.load(std::memory_order_acquire);
        ir::PageMapping mapping;
        if (!shared_.translator.translate(context_, va, regime, kind, mapping)) return false;
        bool writable_memory = false;
        std::byte *host = shared_.bus.page(mapping.physical, writable_memory);
        const u64 page = va & kPageMask;
        u64 flags = mapping.global ? u64{kTlbGlobal} : 0;
        if (host == nullptr) flags |= kTlbMmio;
        if (mapping.device) flags |= kTlbDevice;
        if (!writable_memory) flags |= kTlbRom;
        if (shared_.translator.may_watch(context_, page) || shared_.debug_points.watches_page(page))
            flags |= kTlbWatched;

        const std::lock_guard guard(lock_);
        if (flush_sequence_.load(std::memory_order_relaxed) != sequence) continue;
        const u32 table_number = table_of(regime);
        TlbTable &table = *tables_[table_number];
        const u32 index = tlb_index(va);
        TlbEntry &entry = table.entries[index];
        // Not before the lock: a block cache that marks the page from now on finds this entry.
        const bool has_code = shared_.code_map.has_code(mapping.physical);

        // Permission for this access is what the walk has just granted.
        const bool readable = mapping.readable || kind == AccessKind::Load;
        const bool writable = mapping.writable || kind == AccessKind::Store;
        bool slow_write = (flags & kTlbSlowWrite) != 0 || has_code;
        if (writable && !slow_write) {
            // Under the lock, as has_code is: writes that are slowed down from now on find the
            // entry, and what was announced before that is collected after it.
            if (kind == AccessKind::Store) shared_.bus.will_store(mapping.physical);
            slow_write = shared_.bus.tracks_stores_to(mapping.physical);
        }
        entry.addend = reinterpret_cast<u64>(host) - page;
        entry.physical_page = mapping.physical | flags;
        store_tag(entry.read_tag, !readable                     ? TlbEntry::kInvalidTag
                                  : (flags & kTlbSlowRead) != 0 ? page | kSlowTag
                                                                : page);
        store_tag(entry.write_tag, !writable    ? TlbEntry::kInvalidTag
                                   : slow_write ? page | kSlowTag
                                                : page);
        if (writable && !slow_write)
            write_index_.insert(tables_, mapping.physical, table_number, index);
        table.note_fill(index, mapping.global);
        if (mapping.size_log2 > 12) table.large.insert(va, mapping.size_log2);

        out = {host, mapping.physical, flags,
               kind == AccessKind::Load ? (flags & kTlbSlowRead) != 0 : slow_write};
        return true;
    }
}

void Softmmu::allow_fast_writes(u64 physical_page, u64 va) {
    const std::lock_guard guard(lock_);
    if (shared_.code_map.has_code(physical_page) || shared_.bus.tracks_stores_to(physical_page))
        return;
    for (const u32 i : {kKernelTable, kKernelNoUserTable, user_table_}) {
        TlbEntry &entry = tables_[i]->entries[tlb_index(va)];
        const u64 flags = entry.physical_page & ~kPageMask;
        if (entry.write_tag != ((va & kPageMask) | kSlowTag) || (flags & kTlbSlowWrite) != 0 ||
            (entry.physical_page & kPageMask) != physical_page)
            continue;
        store_tag(entry.write_tag, va & kPageMask);
        write_index_.insert(tables_, physical_page, i, tlb_index(va));
    }
}

bool Softmmu::fetch_slow(u64 pc, FetchPage &out) {
    const ActivityScope walking(activity, Activity::Softmmu);
    ++statistics.fetch_walks;
    for (;;) {
        const u64 sequence = flush_sequence_.load(std::memory_order_acquire);
        const bool privileged = (context_.mode & shared_.privileged_mode_mask) != 0;
        ir::PageMapping mapping;
        if (!shared_.translator.translate(context_, pc, privileged ? Regime::Kernel : Regime::User,
                                          AccessKind::Execute, mapping))
            return false;
        bool writable = false;
        const std::byte *host = shared_.bus.page(mapping.physical, writable);
        if (host == nullptr) {
            shared_.translator.raise_external_abort(context_, pc, AccessKind::Execute);
            return false;
        }
        if (shared_.debug_points.has_breakpoints()) [[unlikely]] {
            // Cut before they go: whoever translates from now on knows.
            for (const u64 cut : shared_.debug_points.note_fetch(pc & kPageMask, mapping.physical,
                                                                 mapping.size_log2))
                shared_.code_writes.code_written(cut, 1, statistics);
        }
        const std::lock_guard guard(lock_);
        if (flush_sequence_.load(std::memory_order_relaxed) != sequence) continue;
        RangeSet &fetched = privileged ? kernel_fetched_ : tables_[user_table_]->fetched;
        fetched.insert(pc, std::max<unsigned>(mapping.size_log2, 12));
        if (!mapping.global) {
            if (privileged) kernel_fetched_non_global_ = true;
        } else if (!privileged) {
            // A global page may be invalidated under any ASID.
            tables_[user_table_]->has_global = true;
        }
        // exec_tag may be out of date if another CPU has invalidated since the dispatcher set it.
        static_cast<void>(update_exec_tag());
        out = {pc & kPageMask, generation_of(context_.mode),
               mapping.mode_bits | reach_bits(mapping.size_log2), mapping.physical, host};
        fetch_pages_[fetch_index(pc)] = out;
        return true;
    }
}

void Softmmu::fill_jump_cache(u64 va, u64 tag, const TranslationBlock &block,
                              const std::atomic<const void *> &code,
                              const std::atomic<bool> &block_is_invalid) {
    const std::lock_guard guard(lock_);
    if (block_is_invalid.load(std::memory_order_relaxed)) return;
    ir::JumpCacheEntry &entry = jump_cache_entry(va);
    entry.va = va;
    entry.code = code.load(std::memory_order_acquire);
    entry.block = reinterpret_cast<u64>(&block);
    store_tag(entry.tag, tag);
}

} // namespace tandem::jit
