#pragma once
/// The textual form of blocks. parse(print(b)) equals b.
///
///     block offset=0x40 mode=0x1 bytes=8 instructions=2
///       Insn #0x40
///       %1 = GetState64 #0x8
///       SetState64 %1 #0x10
///       Exit #0x48
///
/// A value is named by the index of its instruction, so parsing restores the same indices:
/// instructions without a result are counted as well.
#include "ir/block.h"
#include "support/result.h"

#include <string>
#include <string_view>

namespace tandem::ir {

class Frontend;

/// With a frontend, state offsets are followed by the slot's name as a comment ("; x1").
[[nodiscard]] std::string print(const Block &block, const Frontend *frontend = nullptr);

/// Errors name the line. The result is syntactically sound; verify() says whether it is valid.
[[nodiscard]] Result<Block> parse(std::string_view text);

} // namespace tandem::ir
