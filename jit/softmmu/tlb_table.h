#pragma once
/// The parts a vCPU's translation caches are made of. All are changed under the vCPU's lock only;
/// tags are also read, without it, by translated code of the owner.
#include "ir/exec_context.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <vector>

namespace tandem::jit {

using ir::kTlbEntries;
using ir::TlbEntry;

inline constexpr u64 kPageMask = ~u64{0xfff};

/// Bit in a tag: the page is mapped with this permission, but each access takes the slow path. None
/// of the low bits that translated code leaves in an address to find it misaligned: such an address
/// would equal the tag.
inline constexpr u64 kSlowTag = u64{1} << 11;

/// Flags in the low bits of TlbEntry::physical_page.
enum TlbFlag : u64 {
    kTlbGlobal = 1,
    kTlbMmio = 2,   ///< no host memory behind it
    kTlbDevice = 4, ///< Device memory type: unaligned accesses fault
    kTlbRom = 8,    ///< stores go to the bus
    kTlbWatched = 16,
};
inline constexpr u64 kTlbSlowRead = kTlbMmio | kTlbDevice | kTlbWatched;
inline constexpr u64 kTlbSlowWrite = kTlbSlowRead | kTlbRom;

using ir::load_tag;
inline void store_tag(u64 &tag, u64 value) {
    __atomic_store_n(&tag, value, __ATOMIC_RELAXED);
}

[[nodiscard]] inline u32 tlb_index(u64 va) {
    return static_cast<u32>(va >> 12) & (kTlbEntries - 1);
}
/// Same page, whatever the pointer tag in the top byte? (Low bits of a tag are flags.)
[[nodiscard]] inline bool same_page(u64 tag, u64 va) {
    return tag != TlbEntry::kInvalidTag && ((tag ^ va) << 8) >> 20 == 0;
}
[[nodiscard]] inline bool is_valid(const TlbEntry &entry) {
    return entry.read_tag != TlbEntry::kInvalidTag || entry.write_tag != TlbEntry::kInvalidTag;
}
inline void invalidate_entry(TlbEntry &entry) {
    store_tag(entry.read_tag, TlbEntry::kInvalidTag);
    store_tag(entry.write_tag, TlbEntry::kInvalidTag);
}

/// A set of naturally aligned ranges of addresses (their top byte aside), each a power of two in
/// size and at least a page: mappings that something was taken from.
class RangeSet {
public:
    void clear() {
        if (count_ == 0) return;
        std::ranges::fill(slots_, 0);
        count_ = 0;
        sizes_ = 0;
    }
    /// The range of 1 << size_log2 bytes around va.
    void insert(u64 va, unsigned size_log2) {
        if (count_ * 2 >= slots_.size()) grow();
        sizes_ |= u64{1} << size_log2;
        put(key(va, size_log2));
    }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// Does a range in the set overlap these pages?
    [[nodiscard]] bool overlaps(u64 va, u64 pages) const {
        bool any = false;
        for_each_overlap(va, pages, [&](u64, unsigned) { any = true; });
        return any;
    }
    /// Calls f(start, size_log2) for each range that overlaps these pages.
    template <typename F>
    void for_each_overlap(u64 va, u64 pages, F f) const {
        if (count_ == 0) return;
        va = (va << 8) >> 8;
        const u64 last = va + (std::min(pages, u64{1} << 44) << 12) - 1;
        for (u64 sizes = sizes_; sizes != 0; sizes &= sizes - 1) {
            const auto size_log2 = static_cast<unsigned>(std::countr_zero(sizes));
            const u64 touched = (last >> size_log2) - (va >> size_log2) + 1;
            if (touched <= kMaxProbes) {
                for (u64 i = 0; i < touched; ++i) {
                    const u64 k = key(va + (i << size_log2), size_log2);
                    if (contains(k)) f(k & kPageMask, size_log2);
                }
            } else {
                for (const u64 k : slots_) {
                    const u64 start = k & kPageMask;
                    if (k != 0 && (k & ~kPageMask) == size_log2 && start <= last &&
                        start + ones(size_log2) >= va)
                        f(start, size_log2);
                }
            }
        }
    }

private:
    static constexpr u64 kMaxProbes = 64;

    /// Never 0, as a range has a size.
    static u64 key(u64 va, unsigned size_log2) {
        return (((va << 8) >> 8) & ~ones(size_log2)) | size_log2;
    }
    [[nodiscard]] std::size_t first(u64 k) const {
        return static_cast<std::size_t>((k * 0x9e3779b97f4a7c15) >> 32) & (slots_.size() - 1);
    }
    [[nodiscard]] bool contains(u64 k) const {
        for (std::size_t i = first(k); slots_[i] != 0; i = (i + 1) & (slots_.size() - 1))
            if (slots_[i] == k) return true;
        return false;
    }
    void put(u64 k) {
        std::size_t i = first(k);
        for (; slots_[i] != 0; i = (i + 1) & (slots_.size() - 1))
            if (slots_[i] == k) return;
        slots_[i] = k;
        ++count_;
    }
    void grow() {
        std::vector<u64> old(std::max<std::size_t>(64, slots_.size() * 2), 0);
        old.swap(slots_);
        count_ = 0;
        for (const u64 k : old)
            if (k != 0) put(k);
    }

    std::vector<u64> slots_; ///< open addressing, at most half full; 0: free
    std::size_t count_ = 0;
    u64 sizes_ = 0; ///< bit n: there is a range of 1 << n bytes
};

/// One regime's (for User: one address space's) TLB.
struct TlbTable {
    /// Invalidates everything; costs as much as was filled. Like all of these: was there anything?
    bool clear() {
        const bool any = filled_count_ != 0;
        if (filled_count_ > filled_.size()) {
            for (TlbEntry &entry : entries) invalidate_entry(entry);
        } else {
            for (const u16 index : std::span(filled_).first(filled_count_))
                invalidate_entry(entries[index]);
        }
        filled_count_ = 0;
        non_global_count_ = 0;
        has_global = false;
        large.clear();
        return any;
    }
    void note_fill(u32 index, bool global) {
        if (filled_count_ < filled_.size()) filled_[filled_count_] = static_cast<u16>(index);
        if (filled_count_ <= filled_.size()) ++filled_count_;
        if (global) {
            has_global = true;
            return;
        }
        if (non_global_count_ < non_global_.size())
            non_global_[non_global_count_] = static_cast<u16>(index);
        if (non_global_count_ <= non_global_.size()) ++non_global_count_;
    }
    bool clear_non_global() {
        const bool any = non_global_count_ != 0;
        const auto clear_one = [](TlbEntry &entry) {
            if ((entry.physical_page & kTlbGlobal) == 0) invalidate_entry(entry);
        };
        if (non_global_count_ > non_global_.size()) {
            for (TlbEntry &entry : entries) clear_one(entry);
        } else {
            for (const u16 index : std::span(non_global_).first(non_global_count_))
                clear_one(entries[index]);
        }
        non_global_count_ = 0;
        return any;
    }
    /// Precise for mappings of one page; a larger mapping goes as a whole.
    bool clear_range(u64 va, u64 pages) {
        if (filled_count_ == 0) return false;
        if (pages > kTlbEntries / 2) return clear();
        bool any = clear_pages(va, pages);
        large.for_each_overlap(va, pages, [&](u64 start, unsigned size_log2) {
            any |= clear_pages(start, u64{1} << (size_log2 - 12));
        });
        return any;
    }

    alignas(64) std::array<TlbEntry, kTlbEntries> entries{};
    RangeSet large; ///< mappings of more than a page that entries were filled from
    bool has_global = false;
    u16 asid = 0;       ///< User tables: whose entries these are
    u32 generation = 0; ///< User tables: of instruction fetch in this address space
    u64 last_used = 0;
    RangeSet fetched; ///< User tables: what was fetched since `generation` began

private:
    bool clear_pages(u64 va, u64 pages) {
        bool any = false;
        if (pages >= kTlbEntries) {
            for (TlbEntry &entry : entries) {
                const u64 tag =
                    entry.read_tag != TlbEntry::kInvalidTag ? entry.read_tag : entry.write_tag;
                const u64 distance = (((tag & kPageMask) - va) << 8) >> 20;
                if (tag == TlbEntry::kInvalidTag || distance >= pages) continue;
                invalidate_entry(entry);
                any = true;
            }
            return any;
        }
        for (u64 i = 0; i < pages; ++i) {
            const u64 page = va + (i << 12);
            TlbEntry &entry = entries[tlb_index(page)];
            if (!same_page(entry.read_tag, page) && !same_page(entry.write_tag, page)) continue;
            invalidate_entry(entry);
            any = true;
        }
        return any;
    }

    u32 filled_count_ = 0;
    u32 non_global_count_ = 0;
    std::array<u16, 256> filled_{};
    std::array<u16, 64> non_global_{};
};

/// Finds the TLB entries through which a physical page can be written without the slow path, so
/// that they can be made slow when code appears on it, or its next store is to be noticed. Complete
/// by construction: when it has to forget an entry, that entry loses its write tag.
template <typename Tables>
class WriteIndex {
public:
    void insert(Tables &tables, u64 physical_page, u32 table, u32 index) {
        auto &set = sets_[set_of(physical_page)];
        Slot *target = nullptr;
        for (Slot &slot : set) {
            if (slot.page == physical_page && slot.table == table && slot.index == index) return;
            if (target == nullptr && entry_of(tables, slot) == nullptr) target = &slot;
        }
        if (target == nullptr) {
            target = &set[next_victim_++ % set.size()];
            store_tag(entry_of(tables, *target)->write_tag, TlbEntry::kInvalidTag);
        }
        *target = {physical_page, static_cast<u16>(table), static_cast<u16>(index)};
    }
    /// Makes every fast write entry of the page slow. Was there any?
    [[nodiscard]] bool slow_down(Tables &tables, u64 physical_page) {
        bool any = false;
        for (Slot &slot : sets_[set_of(physical_page)]) {
            if (slot.page != physical_page) continue;
            TlbEntry *entry = entry_of(tables, slot);
            if (entry == nullptr) continue;
            store_tag(entry->write_tag, entry->write_tag | kSlowTag);
            any = true;
        }
        return any;
    }

    /// The same for every page.
    void slow_down_all(Tables &tables) {
        for (auto &set : sets_)
            for (Slot &slot : set)
                if (TlbEntry *entry = entry_of(tables, slot); entry != nullptr)
                    store_tag(entry->write_tag, entry->write_tag | kSlowTag);
    }

private:
    struct Slot {
        u64 page = ~u64{0};
        u16 table = 0;
        u16 index = 0;
    };
    static constexpr unsigned kSetBits = 12;

    static u32 set_of(u64 physical_page) {
        return static_cast<u32>(((physical_page >> 12) * 0x9e3779b97f4a7c15) >> (64 - kSetBits));
    }
    /// The entry a slot stands for if that still is a fast write entry of the slot's page.
    static TlbEntry *entry_of(Tables &tables, const Slot &slot) {
        if (slot.page == ~u64{0} || tables[slot.table] == nullptr) return nullptr;
        TlbEntry &entry = tables[slot.table]->entries[slot.index];
        if ((entry.physical_page & kPageMask) != slot.page) return nullptr;
        return (entry.write_tag & ~kPageMask) == 0 ? &entry : nullptr;
    }

    std::array<std::array<Slot, 4>, 1u << kSetBits> sets_{};
    u32 next_victim_ = 0;
};

} // namespace tandem::jit
