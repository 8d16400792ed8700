#pragma once
/// Where Tandem keeps what outlives a run (XDG Base Directory Specification 0.8).
#include "support/result.h"

#include <string>
#include <string_view>

namespace tandem::machine {

/// $XDG_STATE_HOME/tandem, or ~/.local/state/tandem. It may not exist yet.
[[nodiscard]] Result<std::string> state_directory();
/// $XDG_CACHE_HOME/tandem, or ~/.cache/tandem, for what can be made again; empty without a home.
[[nodiscard]] std::string cache_directory();
/// $XDG_RUNTIME_DIR/tandem, for sockets; without one, `fallback`.
[[nodiscard]] std::string runtime_directory(const std::string &fallback);
/// Makes a directory and those above it, for this user alone.
[[nodiscard]] Result<> make_private_directory(const std::string &path);
/// Writes a file for this user alone: whole, or the old one stays.
[[nodiscard]] Result<> write_private_file(const std::string &path, std::string_view content);

} // namespace tandem::machine
