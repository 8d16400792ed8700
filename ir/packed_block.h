#pragma once
/// A block in few bytes: some 5 for each instruction, of which a Block takes 24. This is how a
/// translated block keeps its optimised IR for the tiers above T0, which need not decode, translate
/// and optimise it again.
#include "ir/block.h"
#include "support/arena.h"

namespace tandem::ir {

/// Immutable: any thread may unpack it.
class PackedBlock {
public:
    PackedBlock() = default;
    /// The block must be valid (ir/verifier).
    PackedBlock(const Block &block, Arena &arena);

    /// Makes `out` equal to the packed block; its memory is reused.
    void unpack(Block &out) const;

    [[nodiscard]] std::size_t byte_size() const { return unit_count_ * sizeof(u16); }

private:
    ArenaArray<u16> units_;
    u32 unit_count_ = 0;
    u32 inst_count_ = 0;
    u32 page_offset_ = 0;
    u32 mode_ = 0;
    u32 guest_bytes_ = 0;
    u32 guest_instructions_ = 0;
};

} // namespace tandem::ir
