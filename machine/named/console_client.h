#pragma once
/// Connects this terminal to the serial line of a machine in another process.
#include "support/result.h"

#include <functional>
#include <string>

namespace tandem::machine {

/// Returns when the user leaves (Ctrl-A x), the machine ends or standard input does. Ctrl-A p calls
/// `press_power_key`.
[[nodiscard]] Result<> attach_console(const std::string &path,
                                      const std::function<void()> &press_power_key);

} // namespace tandem::machine
