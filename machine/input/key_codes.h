#pragma once
/// Keys by the names that QMP has for them.
#include "support/bits.h"

#include <optional>
#include <string_view>

namespace tandem::machine {

/// Linux's code of a QKeyCode.
[[nodiscard]] std::optional<u16> key_named(std::string_view name);
/// Of a number as QMP has it: PC scan code set 1, with bit 7 for the prefix 0xe0.
[[nodiscard]] std::optional<u16> key_numbered(i64 number);

} // namespace tandem::machine
