#pragma once
/// Every stage that a block passes before it runs, each held to its contract.
#include "ir/block.h"

#include <span>

namespace tandem::fuzz {

/// Prints and parses, packs and unpacks; optimises and verifies the result. `block` must be valid.
void pass_ir_stages(ir::Block &block, std::span<const ir::Helper> helpers);

/// Predecodes for T0 and compiles for T1. `block` must be one that a frontend made: the verifier
/// does not know which immediates an operation may have.
void pass_executors(const ir::Block &block, std::span<const ir::Helper> helpers);

} // namespace tandem::fuzz
