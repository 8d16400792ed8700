#pragma once
/// Checks that a block obeys the rules every executor relies on:
///  - arguments are defined before use and have the type their row demands;
///  - the first instruction other than Nop is Insn; indices of Insn count up from 0 and agree with
///    Block::guest_instructions; page offsets lie in the page;
///  - the last instruction is an unconditional exit, and no other one is;
///  - Second* follow a pair operation of the matching type;
///  - helper indices exist, and immediates of integer operations are in their range.
#include "ir/block.h"
#include "support/result.h"

namespace tandem::ir {

/// The error names the first offending instruction.
[[nodiscard]] Result<> verify(const Block &block, std::span<const Helper> helpers);

} // namespace tandem::ir
