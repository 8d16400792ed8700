#include "frontend-arm/a64/decoder.h"

#include <algorithm>
#include <map>

namespace tandem::arm::a64 {

Decoder::Decoder(FeatureSet features) {
    std::vector<Row> rows;
    for (unsigned i = 0; i < kRowCount; ++i)
        if (features.has(kRows[i].feature)) rows.push_back(static_cast<Row>(i));
    std::sort(rows.begin(), rows.end(), [](Row a, Row b) {
        const int fixed_a = std::popcount(info(a).mask);
        const int fixed_b = std::popcount(info(b).mask);
        return fixed_a != fixed_b ? fixed_a > fixed_b : a < b;
    });

    std::vector<std::vector<Row>> lists(1u << kBucketBits);
    for (const Row row : rows) {
        // All buckets that agree with the row's fixed bits: count through the free ones.
        const u32 fixed = bucket(info(row).mask);
        const u32 free = ~fixed & ((1u << kBucketBits) - 1);
        const u32 base = bucket(info(row).value);
        u32 variation = 0;
        do {
            lists[base | variation].push_back(row);
            variation = (variation - free) & free;
        } while (variation != 0);
    }

    std::map<std::vector<Row>, u32> known; // equal lists are stored once
    buckets_.reserve(lists.size());
    for (const auto &list : lists) {
        const auto [place, is_new] = known.try_emplace(list, static_cast<u32>(entries_.size()));
        buckets_.push_back(place->second);
        if (!is_new) continue;
        for (const Row row : list) entries_.push_back({info(row).mask, info(row).value, row});
        entries_.push_back({});
    }
}

} // namespace tandem::arm::a64
