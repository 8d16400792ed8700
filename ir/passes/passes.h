#pragma once
/// Optimisations of a block. Each keeps the contract: the same instructions retire, the same
/// exceptions rise at the same instruction with the same state visible. Removed instructions become
/// Nop; compact() drops them.
#include "ir/block.h"

#include <span>

namespace tandem::ir {

/// A read of state already read or written in the block becomes a use of the known value.
void forward_state(Block &block, std::span<const Helper> helpers);

/// Evaluates integer operations on constants and simplifies x + 0, x & ~0 and their like.
void fold_constants(Block &block);

/// Removes writes of state (flags among them) that a later write in the block overwrites before
/// anything could observe them: an exit, an exception, a helper.
void remove_dead_state_writes(Block &block, std::span<const Helper> helpers);

/// Removes values nobody uses.
void remove_dead_values(Block &block);

/// Drops Nops and renumbers values.
void compact(Block &block);

/// All of the above, in the order that pays.
void optimise(Block &block, std::span<const Helper> helpers);

} // namespace tandem::ir
