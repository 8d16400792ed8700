#pragma once
/// Listening on a TCP port.
#include "support/bits.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <string>
#include <string_view>

namespace tandem::machine {

/// An empty address is any of this host's; port 0 one that is free. `option` is what the error line
/// begins with.
[[nodiscard]] Result<ScopedFd> listen_on(std::string_view option, const std::string &address,
                                         u16 port);
/// "127.0.0.1 port 1234"
[[nodiscard]] std::string local_name(const ScopedFd &);

} // namespace tandem::machine
