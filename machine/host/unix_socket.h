#pragma once
/// Sockets in the file system, for this user alone.
#include "support/result.h"
#include "support/scoped_fd.h"

#include <string>

namespace tandem::machine {

/// Listens at `path`. A socket that nobody serves any more is replaced, anything else is not;
/// `option` names what asked for it.
[[nodiscard]] Result<ScopedFd> listen_at(const std::string &path, const std::string &option);
/// Nothing listens there: no descriptor. `flags` are further ones of the socket.
[[nodiscard]] ScopedFd connect_to(const std::string &path, int flags = 0);

} // namespace tandem::machine
