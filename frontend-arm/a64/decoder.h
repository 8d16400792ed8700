#pragma once
/// Finds the table row of an instruction word, for a CPU with given features.
#include "frontend-arm/a64/instruction_table.h"

#include <vector>

namespace tandem::arm::a64 {

class Decoder {
public:
    explicit Decoder(FeatureSet features);

    /// Row::kUndefined if no row of a feature the CPU has matches.
    [[nodiscard]] Row decode(u32 word) const {
        for (const Entry *entry = &entries_[buckets_[bucket(word)]];; ++entry)
            if ((word & entry->mask) == entry->value) return entry->row;
    }

private:
    struct Entry {
        u32 mask = 0; ///< an entry that matches all words ends each bucket's list
        u32 value = 0;
        Row row = Row::kUndefined;
    };
    /// Bits 28:21 and 15:10 tell nearly all rows apart.
    static constexpr unsigned kBucketBits = 14;
    static constexpr u32 kBucketMask = 0x1fe0fc00;
    [[nodiscard]] static constexpr u32 bucket(u32 word) {
        return bits32(word, 28, 21) << 6 | bits32(word, 15, 10);
    }

    std::vector<u32> buckets_; ///< index of the first entry of each bucket's list
    std::vector<Entry> entries_;
};

} // namespace tandem::arm::a64
