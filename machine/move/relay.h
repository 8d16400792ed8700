#pragma once
/// What a process does for a machine that comes through it, as behind ssh.
#include "support/result.h"

#include <string>

namespace tandem::machine::move {

/// Passes bytes on between two descriptors and a socket in the file system, both ways, until both
/// have ended.
[[nodiscard]] Result<> relay(const std::string &socket_path, int in, int out);

} // namespace tandem::machine::move
