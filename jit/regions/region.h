#pragma once
/// A region: the blocks of a loop on one page of guest code, compiled as a whole by T2.
///
/// Blocks are found along direct branches and calls, among code that T1 has compiled already (so it
/// is warm). A loop may lead through functions on its page and back by their returns, and along
/// branches to an address in a register, as those of interpreters, to what is warm. Being on one
/// page, blocks share ExecContext::pc_page and one mapping, as linked T1 blocks do. A region is
/// entered at the header of its loop and at those of the loops inside: a slice that ends in a
/// region ends at one of them, so the next slice finds its way back.
#include "ir/block.h"

#include <functional>
#include <span>
#include <vector>

namespace tandem::jit {

struct RegionLimits {
    u32 blocks = 48;
    u32 instructions = 640;
    u32 entries = 8;
    u32 indirect_targets = 16;
};

struct Region {
    u32 mode = 0;
    std::vector<ir::Block> blocks; ///< at most one per page offset
    std::vector<u32> entries;      ///< indices of the blocks where it is entered; 0 is the first
    std::vector<u32> exit_targets; ///< page offsets outside the region that its direct exits go to
    /// Page offsets of blocks that an ExitIndirect may go to, by its hint, the warmest first.
    std::vector<u32> jump_offsets, call_offsets, return_offsets;
    u32 guest_instructions = 0;
    u32 first_byte = 0, end_byte = 0; ///< page offsets: all its code lies between

    /// The block that starts at this page offset, or -1.
    [[nodiscard]] int find(i64 page_offset) const;
    /// The index of an exit target, or -1.
    [[nodiscard]] int find_exit(i64 page_offset) const;
    [[nodiscard]] std::span<const u32> indirect_offsets(ir::BranchHint hint) const;
    /// Indices of the blocks where this one may go on.
    [[nodiscard]] std::vector<u32> edges(const ir::Block &block) const;
};

/// What is known of a region without its IR: where it is entered and left, and which guest code it
/// was made from. Region's members of the same name say more.
struct RegionOutline {
    struct Extent {
        u32 page_offset = 0, bytes = 0;
        bool operator==(const Extent &) const = default;
    };
    u32 mode = 0;
    std::vector<Extent> extents{}; ///< of its blocks
    std::vector<u32> entries{};    ///< page offsets
    std::vector<u32> exit_targets{};
    u32 guest_instructions = 0;
    u32 first_byte = 0, end_byte = 0;

    bool operator==(const RegionOutline &) const = default;
};
[[nodiscard]] RegionOutline outline_of(const Region &region);

/// Where a block may continue within its page, by direct exits or after a call it makes.
[[nodiscard]] std::vector<u32> successors(const ir::Block &block);

/// A page of guest code, as far as it has been translated.
struct CodeSource {
    /// The optimised IR of the block at a page offset; false if that is not worth compiling.
    std::function<bool(u32 page_offset, ir::Block &out)> block;
    /// Page offsets of blocks that take time, the warmest first: branches to an address in a
    /// register lead there.
    std::function<std::vector<u32>()> warm = [] { return std::vector<u32>{}; };
};

/// The outermost loop around the block at `offset` that the limits allow; without blocks if there
/// is none.
[[nodiscard]] Region form_loop(u32 offset, u32 mode, const CodeSource &source,
                               const RegionLimits &limits = {});
/// What is reached from `offset`, loop or not, entered there first.
[[nodiscard]] Region form_trace(u32 offset, u32 mode, const CodeSource &source,
                                const RegionLimits &limits = {});

} // namespace tandem::jit
