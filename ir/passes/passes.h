#pragma once
/// Optimisation of a block, in four sweeps. It keeps the contract: the same instructions retire,
/// the same exceptions rise at the same instruction with the same state visible.
#include "ir/passes/slot_table.h"

#include <span>

namespace tandem::ir {

/// Not thread-safe: one per translating thread; it reuses its memory.
class Optimiser {
public:
    explicit Optimiser(std::span<const Helper> helpers) : helpers_(helpers) {}

    void run(Block &block);

private:
    /// A read of state already read or written in the block becomes a use of the known value
    /// (forward_state.cpp); integer operations on constants are evaluated, x + 0, x & ~0 and their
    /// like simplified (fold_constants.cpp).
    void forward(Block &block);
    /// Removes writes of state (flags among them) that a later write in the block overwrites before
    /// anything could observe them (an exit, an exception, a helper), and values nobody uses.
    void remove_dead(Block &block);
    /// Finds accesses to one page that can share a look into the TLB, and says so in their
    /// MemoryOp. Executors use it or not: it changes nothing of what an access does.
    static void share_checks(Block &block);

    std::span<const Helper> helpers_;
    SlotTable<ValueId> known_; ///< what slots hold
    struct Nothing {};
    SlotTable<Nothing> overwritten_; ///< slots that will be overwritten unseen
};

/// The same, for a single block.
void optimise(Block &block, std::span<const Helper> helpers);

} // namespace tandem::ir
