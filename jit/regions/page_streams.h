#pragma once
/// Accesses of a loop that stay on one page for a while: those whose address moves in steps, by
/// registers that the loop leaves alone or adds small constants to, or whose address differs by a
/// small index only. Code remembers the last page of such a stream and asks the TLB when it
/// changes.
#include "jit/regions/region.h"

#include <array>
#include <map>
#include <utility>

namespace tandem::jit {

struct PageStreams {
    /// More hold registers that the loops want, and cost more to compile than they gain.
    static constexpr u32 kMaxStreams = 8;

    u32 count = 0;
    std::array<u32, kMaxStreams> span{}; ///< the most bytes that one look into the TLB is for
    /// Block of the region and index of an access to its stream.
    std::map<std::pair<u32, ir::ValueId>, u32> of_access{};
};

/// `edges`: of each block, the blocks where it may continue; `order`: blocks in reverse postorder.
/// `has_barrier`: blocks with a call that may change any state.
[[nodiscard]] PageStreams find_page_streams(const Region &region,
                                            const std::vector<std::vector<u32>> &edges,
                                            std::span<const u32> order,
                                            const std::vector<bool> &has_barrier);

} // namespace tandem::jit
