#pragma once
/// A region: blocks of guest code on one page with a loop among them, compiled as a whole by T2.
///
/// Its blocks are found from the entry along direct branches, through code that T1 has compiled
/// already (so it is warm); those from which no loop can be reached are left out. Being on one page
/// they share ExecContext::pc_page and one mapping, as linked T1 blocks do.
#include "ir/block.h"

#include <functional>
#include <vector>

namespace tandem::jit {

struct RegionLimits {
    u32 blocks = 48;
    u32 instructions = 640;
};

struct Region {
    u32 mode = 0;
    std::vector<ir::Block> blocks; ///< the first is the entry; at most one per page offset
    std::vector<u32> exit_targets; ///< page offsets outside the region that its direct exits go to
    std::vector<u32> return_offsets; ///< of blocks that a return within the region may go to
    u32 guest_instructions = 0;
    u32 first_byte = 0, end_byte = 0; ///< page offsets: all its code lies between

    /// The block that starts at this page offset, or -1.
    [[nodiscard]] int find(i64 page_offset) const;
    /// The index of an exit target, or -1.
    [[nodiscard]] int find_exit(i64 page_offset) const;
};

/// Where a block may continue within its page, by direct exits or after a call it makes.
[[nodiscard]] std::vector<u32> successors(const ir::Block &block);

/// Gives the optimised IR of the block at a page offset; false if that is not worth compiling.
using BlockSource = std::function<bool(u32 page_offset, ir::Block &out)>;

/// The region entered at `entry`; without blocks if no loop is reached from there. Unless
/// `needs_loop`, what is reached counts, loop or not.
[[nodiscard]] Region form_region(u32 entry, u32 mode, const BlockSource &source, bool needs_loop,
                                 const RegionLimits &limits = {});

} // namespace tandem::jit
