#pragma once
/// Where a debugger finds the machine.
#include "support/bits.h"
#include "support/result.h"

#include <string>
#include <string_view>

namespace tandem::machine {

struct GdbAddress {
    std::string host; ///< of TCP
    u16 port = 0;     ///< 0: one that is free
    std::string path; ///< of a Unix socket; empty: TCP

    bool operator==(const GdbAddress &) const = default;
};

/// [tcp:][HOST]:PORT, without a HOST on the loopback interface, or unix:PATH. `option` is what the
/// error line begins with.
[[nodiscard]] Result<GdbAddress> parse_gdb_address(std::string_view option, std::string_view text);

} // namespace tandem::machine
