#pragma once
/// Host code between T1's blocks and T2's functions.
#include "jit/baseline/compiler.h"
#include "jit/regions/region_compiler.h"

namespace tandem::jit {

/// What all regions share.
class RegionStubs {
public:
    static constexpr std::size_t kSize = 8192;
    /// Emits into `window`, of kSize bytes. All must outlive this.
    RegionStubs(const Runtime &runtime, std::span<const ir::Helper> helpers, CodeWindow window);

    /// Bytes of a region's gate: what stands between its function and the rest.
    [[nodiscard]] static std::size_t gate_size(const RegionOutline &region) {
        return crossing_offset(region) + region.crossings.size() * sizeof(u64);
    }
    /// What the function at a gate will refer to.
    [[nodiscard]] RegionSymbols symbols(const RegionOutline &region, CodeWindow gate) const;
    /// Where T1 code enters the region, for each of its entries.
    [[nodiscard]] static const void *entry(CodeWindow gate, std::size_t index) {
        return gate.executable + kSideExitSize + index * kEntrySize;
    }
    /// Emits the gate. Its exits are links like T1's.
    /// Each entry counts in `entries`. `crossings` are the blocks at the region's crossings.
    void emit_gate(const RegionOutline &region, u64 owner, std::atomic<u64> &entries,
                   std::span<const u64> crossings, const CompiledRegion &compiled, CodeWindow gate,
                   CompiledBlock &out) const;

private:
    static constexpr std::size_t kSideExitSize = 32;
    static constexpr std::size_t kEntrySize = 64;
    static constexpr std::size_t kExitSize = 64;
    static std::size_t exit_offset(const RegionOutline &region, std::size_t index) {
        return kSideExitSize + region.entries.size() * kEntrySize + index * kExitSize;
    }
    static std::size_t crossing_offset(const RegionOutline &region) {
        return exit_offset(region, region.exit_targets.size());
    }

    std::span<const ir::Helper> helpers_;
    bool has_avx_ = false;
    const void *const *helper_table_ = nullptr;
    const std::byte *exit_direct_ = nullptr;
    const void *exit_lookup_ = nullptr;
    const void *exit_pc_set_ = nullptr;
    const void *side_exit_ = nullptr;
};

} // namespace tandem::jit
