#pragma once
/// Finds UEFI firmware for the board among what distributions package.
#include "support/result.h"

#include <string>

namespace tandem::machine {

/// The path of the first flash bank's image; the error says how to get one.
[[nodiscard]] Result<std::string> find_firmware();

} // namespace tandem::machine
