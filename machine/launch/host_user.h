#pragma once
/// The person at the host: whom a guest should let in.
#include "support/result.h"

#include <string>
#include <vector>

namespace tandem::machine {

/// Empty if there is none.
[[nodiscard]] std::string home_directory();
/// A login for guests: the host's, unless that is root or no name that every system takes.
[[nodiscard]] std::string guest_login();
/// The lines of ~/.ssh/id_*.pub.
[[nodiscard]] std::vector<std::string> public_keys();
/// Makes a key pair with ssh-keygen(1) at `path`, if it is not there; returns the public line.
[[nodiscard]] Result<std::string> own_public_key(const std::string &path);

} // namespace tandem::machine
