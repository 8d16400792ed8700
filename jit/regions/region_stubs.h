#pragma once
/// Host code between T1's blocks and T2's functions.
#include "jit/baseline/compiler.h"
#include "jit/regions/region_compiler.h"

namespace tandem::jit {

/// What all regions share.
class RegionStubs {
public:
    static constexpr std::size_t kSize = 2048;
    RegionStubs(const Runtime &runtime, CodeWindow window);

    /// With `exits` still empty.
    [[nodiscard]] const RegionSymbols &symbols() const { return symbols_; }

    /// Bytes of a region's gate: its entry and its exits.
    [[nodiscard]] static std::size_t gate_size(const Region &region) {
        return 64 + region.exit_targets.size() * kExitSize;
    }
    /// Where the exits of a gate will be.
    [[nodiscard]] static std::vector<const void *> gate_exits(const Region &region,
                                                              CodeWindow gate);
    /// Emits the gate: its start is what T1 code may jump to; its exits are links like T1's.
    void emit_gate(const Region &region, u64 owner, const void *function, CodeWindow gate,
                   CompiledBlock &out) const;

private:
    static constexpr std::size_t kExitSize = 48;
    static constexpr std::size_t kEntrySize = 48;

    const std::byte *exit_direct_ = nullptr;
    RegionSymbols symbols_;
};

} // namespace tandem::jit
