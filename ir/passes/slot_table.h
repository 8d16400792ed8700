#pragma once
/// What a pass knows of pieces of guest state, found by offset without a search.
#include "ir/block.h"

#include <algorithm>
#include <vector>

namespace tandem::ir {

/// At most one fact for each 8 bytes of state: facts may be forgotten at any time, so a new one
/// takes the place of another there, and state beyond kBytes has none.
template <typename Fact>
class SlotTable {
public:
    struct Entry {
        u32 generation = 0;
        u32 offset = 0;
        u32 size = 0;
        Fact fact{};
    };

    SlotTable() : entries_(kBytes / kUnit + 1) {}

    void clear() {
        if (++generation_ == 0) {
            std::ranges::fill(entries_, Entry{});
            generation_ = 1;
        }
    }

    /// The fact about exactly this offset, or null.
    [[nodiscard]] const Entry *find(u64 offset) const {
        if (offset >= kBytes) return nullptr;
        const Entry &entry = entries_[offset / kUnit + 1];
        return entry.generation == generation_ && entry.offset == offset ? &entry : nullptr;
    }
    /// A fact about a piece that holds all of this one, or null.
    [[nodiscard]] const Entry *find_around(u64 offset, u32 size) const {
        if (offset >= kBytes) return nullptr;
        // A piece of 16 bytes may begin in the unit before.
        for (const u64 unit : {offset / kUnit + 1, offset / kUnit}) {
            const Entry &entry = entries_[unit];
            if (entry.generation == generation_ && entry.offset <= offset &&
                offset + size <= entry.offset + entry.size)
                return &entry;
        }
        return nullptr;
    }
    void set(u64 offset, u32 size, const Fact &fact) {
        if (offset >= kBytes) return;
        entries_[offset / kUnit + 1] = {generation_, static_cast<u32>(offset), size, fact};
    }
    /// Forgets what is known of pieces that overlap this one.
    void forget(u64 offset, u32 size) {
        if (offset >= kBytes) return;
        for (u64 unit = offset / kUnit; unit <= (offset + size - 1) / kUnit + 1; ++unit) {
            if (unit >= entries_.size()) return;
            Entry &entry = entries_[unit];
            if (entry.offset < offset + size && offset < entry.offset + entry.size)
                entry.generation = 0;
        }
    }

private:
    static constexpr u64 kBytes = 16384; ///< the state of all guests' registers and more
    static constexpr u64 kUnit = 8;

    std::vector<Entry> entries_; ///< by unit + 1, so that each has one before it
    u32 generation_ = 1;
};

} // namespace tandem::ir
