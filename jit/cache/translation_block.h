#pragma once
/// What is known of one translated piece of guest code, in every tier.
#include "ir/interpreter/interpreter.h"
#include "ir/packed_block.h"
#include "jit/baseline/compiler.h"
#include "jit/regions/code_arena.h"
#include "jit/regions/side_exits.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace tandem::jit {

struct CodePage;

/// Guest code of a region on another page than its first.
struct VisitedCode {
    CodePage *page = nullptr;
    u64 physical = 0;
    u32 bytes = 0;
};

/// Where T1 code gets into a region.
struct RegionEntry {
    u32 page_offset = 0; ///< of the block that it takes the place of
    const void *code = nullptr;
};

/// The least time of slices that began and ended at one place; approximate.
struct SliceTimes {
    std::atomic<u32> count = 0;
    std::atomic<u64> best_ticks = ~u64{0};

    void add(u64 ticks) {
        count.fetch_add(1, std::memory_order_relaxed);
        if (ticks < best_ticks.load(std::memory_order_relaxed))
            best_ticks.store(ticks, std::memory_order_relaxed);
    }
};

/// Found by physical address and mode, shared by all vCPUs. Members without a remark are constant
/// once the block is in the cache. A block that has been invalidated stays allocated until no vCPU
/// can hold a pointer to it.
struct alignas(64) TranslationBlock {
    struct Link {
        LinkSite site;
        TranslationBlock *target = nullptr; ///< what the jump goes to now; guarded by the mutex
    };
    struct Incoming {
        TranslationBlock *from = nullptr;
        u32 link = 0;
    };

    u64 physical = 0; ///< of the first instruction; of a region, the lowest
    u32 mode = 0;     ///< frontend's mode bits, the page's included
    u32 guest_bytes = 0;
    u32 guest_instructions = 0;
    std::atomic<u32> runs = 0; ///< in T0; approximate
    std::atomic<bool> is_invalid = false;
    std::atomic<bool> stays_interpreted = false; ///< T1 cannot compile it
    bool is_region = false;                      ///< not a block, but code of T2 that blocks enter
    /// Of a block: the region that it enters, null if it runs in T1.
    std::atomic<TranslationBlock *> region = nullptr;
    std::atomic<u32> samples = 0;       ///< how often a slice ended here; approximate
    std::atomic<bool> is_added = false; ///< to the cache, by a thread that others need not know of
    std::atomic<bool> is_promoted = false; ///< T2 has been asked for a region with this block
    /// Guest instructions of the largest region entered here that was demoted.
    std::atomic<u32> demoted_instructions = 0;
    SliceTimes slice_times; ///< in T1, or of a region in T2
    /// Of a region: how often it was entered; counted by its gate, approximate.
    std::atomic<u64> entries = 0;
    u64 baseline_ticks = 0; ///< of a region: the time of a slice in T1; 0: not known
    std::vector<RegionEntry> entry_points{};           ///< of a region
    std::vector<VisitedCode> visits{};                 ///< of a region
    std::optional<std::array<u64, 2>> disk_cache_id{}; ///< of a region, if it is there
    /// The entry point: T1's code, or a region's gate; null before there is any. Set after `window`
    /// and `links`.
    std::atomic<const void *> code = nullptr;
    /// T0's form; serves exact stops when there is T1 code.
    ir::Predecoded predecoded;
    /// The optimised IR, for every tier above T0: they translate this, not the guest's code.
    ir::PackedBlock packed;

    // Guarded by BlockCache's mutex from here on.
    CodeWindow window;
    std::vector<ArenaPiece> owned_code; ///< of a region, as is the next
    std::unique_ptr<SideTable> side_table;
    std::vector<Link> links;
    std::vector<Incoming> incoming;
    CodePage *page = nullptr;
    TranslationBlock *next_in_page = nullptr;
    std::atomic<TranslationBlock *> next_in_bucket = nullptr; ///< read without the mutex

    TranslationBlock() = default;
    TranslationBlock(const TranslationBlock &) = delete;
    TranslationBlock &operator=(const TranslationBlock &) = delete;

    [[nodiscard]] u32 page_offset() const { return static_cast<u32>(physical & 0xfff); }
    [[nodiscard]] bool overlaps(u64 address, u64 length) const {
        const auto meets = [&](u64 first, u64 bytes) {
            return address < first + bytes && first < address + length;
        };
        return meets(physical, guest_bytes) ||
               std::ranges::any_of(visits, [&](const VisitedCode &visit) {
                   return meets(visit.physical, visit.bytes);
               });
    }
};

} // namespace tandem::jit
