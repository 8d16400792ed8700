#pragma once
/// Parts of the program that are loaded when they are needed.
#include "support/result.h"

#include <string>
#include <string_view>

namespace tandem::machine {

/// Beside the program, or where it is installed.
[[nodiscard]] std::string module_path(std::string_view file);

/// Loads it for good; returns the function of that name. `option` is what the error line begins
/// with.
[[nodiscard]] Result<void *> function_of_module(std::string_view option, std::string_view file,
                                                const char *function);

} // namespace tandem::machine
