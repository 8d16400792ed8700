#pragma once
/// A region: the blocks of a loop, compiled as a whole by T2.
///
/// Blocks are found along direct branches and calls, among code that T1 has compiled already (so it
/// is warm). A loop may lead through functions and back by their returns, and along branches to an
/// address in a register, as those of interpreters, to what is warm on the loop's page. A region is
/// entered at the header of its loop and at those of the loops inside, if they are on its page: a
/// slice that ends in a region ends at one of them, so the next slice finds its way back.
///
/// Places are addresses in bytes from the region's page, the one of its first block. While the
/// region runs, ExecContext::pc_page is that page's address. What maps it need not map other pages:
/// the way to one of them leads over a crossing, where the jump cache must know the block that the
/// region was made from, unless one entry of the guest's tables maps both (softmmu/reach.h).
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
    u32 pages = 4;
};

/// The place of the page that a place is on.
[[nodiscard]] constexpr i64 page_of(i64 place) {
    return place & ~i64{0xfff};
}

struct RegionBlock : ir::Block {
    i64 page = 0; ///< the place of its page

    [[nodiscard]] i64 place() const { return target(page_offset); }
    /// Where an exit with this immediate leads.
    [[nodiscard]] i64 target(u64 imm) const { return page + static_cast<i64>(imm); }
};

/// Page offsets that all of a region's code on one page lies between.
struct CodeRange {
    i64 page = 0;
    u32 first_byte = 0xfff, end_byte = 0;

    [[nodiscard]] bool is_empty() const { return first_byte >= end_byte; }
    [[nodiscard]] u32 size() const { return end_byte - first_byte; }
    bool operator==(const CodeRange &) const = default;
};

struct Region {
    u32 mode = 0;
    std::vector<RegionBlock> blocks; ///< at most one per place
    std::vector<u32> entries;        ///< indices of the blocks where it is entered; 0 is the first
    std::vector<u32> exit_targets; ///< page offsets outside the region that its direct exits go to
    std::vector<i64> crossings;    ///< places of blocks on other pages where the mapping is checked
    /// Places of blocks that an ExitIndirect may go to, the warmest first; a call has none.
    std::vector<i64> jump_targets, return_targets;
    std::vector<CodeRange> ranges; ///< the region's page is the first
    u32 guest_instructions = 0;

    /// The block that starts at this place, or -1.
    [[nodiscard]] int find(i64 place) const;
    /// The index of an exit target, or -1.
    [[nodiscard]] int find_exit(i64 place) const;
    /// The index of a crossing, or -1.
    [[nodiscard]] int find_crossing(i64 place) const;
    [[nodiscard]] std::span<const i64> indirect_targets(ir::BranchHint hint) const;
    /// Indices of the blocks where this one may go on.
    [[nodiscard]] std::vector<u32> edges(const RegionBlock &block) const;
};

/// What is known of a region without its IR: where it is entered and left, and which guest code it
/// was made from. Region's members of the same name say more.
struct RegionOutline {
    struct Extent {
        i64 page = 0;
        u32 page_offset = 0, bytes = 0;
        bool operator==(const Extent &) const = default;
    };
    u32 mode = 0;
    std::vector<Extent> extents{}; ///< of its blocks
    std::vector<u32> entries{};    ///< page offsets
    std::vector<u32> exit_targets{};
    std::vector<i64> crossings{};
    std::vector<CodeRange> ranges{};
    u32 guest_instructions = 0;

    [[nodiscard]] bool has_one_page() const { return ranges.size() == 1; }
    bool operator==(const RegionOutline &) const = default;
};
[[nodiscard]] RegionOutline outline_of(const Region &region);

/// Places where a block may go on, by direct exits or after a call it makes.
[[nodiscard]] std::vector<i64> successors(const RegionBlock &block);

/// Guest code, as far as it has been translated.
struct CodeSource {
    /// The optimised IR of the block at a place; false if that is not worth compiling.
    std::function<bool(i64 place, ir::Block &out)> block;
    /// Page offsets of blocks on the region's page that take time, the warmest first: branches to
    /// an address in a register lead there.
    std::function<std::vector<u32>()> warm = [] { return std::vector<u32>{}; };
    /// Whether what maps the region's page maps the one at this place too.
    std::function<bool(i64 page)> is_within_reach = [](i64 page) { return page == 0; };
};

/// The outermost loop around the block at `offset` that the limits allow; without blocks if there
/// is none.
[[nodiscard]] Region form_loop(u32 offset, u32 mode, const CodeSource &source,
                               const RegionLimits &limits = {});
/// What is reached from `offset`, loop or not, entered there first.
[[nodiscard]] Region form_trace(u32 offset, u32 mode, const CodeSource &source,
                                const RegionLimits &limits = {});

} // namespace tandem::jit
