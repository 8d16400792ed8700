#pragma once
/// A hash of a memory that follows its changes page by page. It depends on the bytes alone: pages
/// of zeros count as if they were not there, since whether they are is the host's affair.
#include "support/bits.h"
#include "support/zeros.h"

#include <xxhash.h>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace tandem::machine {

class PageSum {
public:
    static constexpr std::size_t kPageSize = 4096;

    /// All zeros.
    explicit PageSum(u64 pages) : hashes_(pages) {}

    /// A page holds this now.
    void set(u64 page, std::span<const std::byte, kPageSize> bytes) {
        const u64 hash = is_zero(bytes) ? 0 : ::XXH3_64bits_withSeed(bytes.data(), kPageSize, page);
        sum_ += hash - std::exchange(hashes_[page], hash);
    }
    [[nodiscard]] u64 value() const { return sum_; }

private:
    std::vector<u64> hashes_;
    u64 sum_ = 0;
};

} // namespace tandem::machine
