#pragma once
/// What the compiler makes of a region: code that holds no address, and the table of its side
/// exits. It runs wherever place_image() puts it, in this process or in another one of the same
/// build.
#include "jit/regions/code_arena.h"
#include "jit/regions/side_exits.h"
#include "support/result.h"

#include <memory>
#include <span>
#include <vector>

namespace tandem::jit {

/// A signed 32-bit displacement from its own place to something outside the image.
struct Relocation {
    enum class Target : u8 {
        ExitLookup,
        ExitPcSet,
        Exit,     ///< number `index` of Region::exit_targets
        Helper,   ///< the address of helper `index`, in memory
        Crossing, ///< the address of the block at number `index` of Region::crossings, in memory
    };
    u32 offset = 0; ///< in the code
    Target target = Target::Exit;
    u32 index = 0;
    i32 addend = 0;
};

struct RegionImage {
    static constexpr std::size_t kAlignment = 64;
    /// The size of the call that a side exit becomes.
    static constexpr u32 kSideExitCallBytes = 5;

    std::vector<std::byte> code; ///< at kAlignment
    u32 entry = 0;               ///< offset of the function
    std::vector<Relocation> relocations;
    /// As in SideTable; SideExit::helper is not known yet.
    std::vector<SideTable::Site> sites;
    std::vector<SideExit> exits;
    std::vector<HostLocation> locations;
    std::vector<u64> constants;
};

/// Addresses that a region's function refers to.
struct RegionSymbols {
    /// What all sites of SideTable call. It preserves all registers but r11.
    const void *side_exit = nullptr;
    /// To the guest address in rsi.
    const void *exit_lookup = nullptr;
    /// To ExecContext::pc, by the dispatcher.
    const void *exit_pc_set = nullptr;
    /// To Region::exit_targets.
    std::vector<const void *> exits{};
    std::span<const ir::Helper> helpers{};
    /// Their addresses, in memory that code can reach.
    const void *const *helper_table = nullptr;
    /// The blocks at Region::crossings, likewise.
    std::span<const u64> crossing_table{};
};

/// A region's function, ready to run.
struct CompiledRegion {
    ArenaPiece code{};
    const void *entry = nullptr;
    std::unique_ptr<SideTable> side_table{};
};

/// An image that does not hang together is refused, whatever it holds.
[[nodiscard]] Result<CompiledRegion> place_image(RegionImage image, const RegionSymbols &symbols,
                                                 CodeArena &arena);

} // namespace tandem::jit
