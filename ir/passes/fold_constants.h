#pragma once
/// Simplification of single instructions.
#include "ir/block.h"

#include <optional>

namespace tandem::ir {

/// If the instruction is a pure integer operation on constants, makes it the constant that its
/// definition says. True if it did.
bool evaluate(const Block &block, Inst &inst);

/// The argument that an operation always equals, if there is one.
[[nodiscard]] std::optional<ValueId> identity(const Block &block, const Inst &inst);

} // namespace tandem::ir
