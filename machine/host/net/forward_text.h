#pragma once
/// How people write forwards.
#include "machine/host/net/net_config.h"
#include "support/result.h"

#include <string_view>

namespace tandem::machine {

/// "tcp|udp:[ADDRESS]:PORT-:PORT"; the error begins with what to do.
[[nodiscard]] Result<HostForward> parse_forward(std::string_view text);
/// The host's end alone: "tcp|udp:[ADDRESS]:PORT".
[[nodiscard]] Result<HostForward> parse_forward_end(std::string_view text);

} // namespace tandem::machine
