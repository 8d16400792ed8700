#pragma once
/// Puts an object file's code into a CodeArena, by JITLink. No execution session stands behind it:
/// an object refers to nothing but the symbols it is given. Its stack maps stay behind.
#include "jit/regions/code_arena.h"
#include "support/result.h"

#include <functional>
#include <span>
#include <string_view>

namespace tandem::jit::llvm_tier {

struct LinkedObject {
    ArenaPiece code{};
    const void *entry = nullptr;
};

/// `entry` is the function wanted; `resolve` gives addresses, null for what it does not know.
[[nodiscard]] Result<LinkedObject>
link_object(std::span<const char> object, CodeArena &arena, std::string_view entry,
            const std::function<const void *(std::string_view)> &resolve);

} // namespace tandem::jit::llvm_tier
