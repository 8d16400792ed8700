#pragma once
/// From what LLVM says of a function's patch points, in a section of the object file, to the table
/// of its side exits.
#include "jit/regions/code_arena.h"
#include "jit/regions/side_exits.h"
#include "support/result.h"

#include <memory>
#include <span>

namespace tandem::jit::llvm_tier {

/// `code` and `entry` are where the function was put. Its sites become calls of `target`.
[[nodiscard]] Result<std::unique_ptr<SideTable>>
make_side_table(std::span<const char> object, std::vector<SideExit> exits, const CodeWindow &code,
                const void *entry, const void *target);

} // namespace tandem::jit::llvm_tier
