#pragma once
/// Keys by the keysyms that VNC clients send.
#include "support/bits.h"

#include <optional>

namespace tandem::machine {

/// Linux's code of the key.
[[nodiscard]] std::optional<u16> key_of_keysym(u32 keysym);

} // namespace tandem::machine
