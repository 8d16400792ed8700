#pragma once
/// Keys by SDL's scancodes.
#include "support/bits.h"

#include <optional>

namespace tandem::machine {

/// Linux's code of the key.
[[nodiscard]] std::optional<u16> key_of_scancode(int scancode);

} // namespace tandem::machine
