#include "machine/debug/gdb/gdb_address.h"

#include <fmt/format.h>

#include <charconv>

namespace tandem::machine {

Result<GdbAddress> parse_gdb_address(std::string_view option, std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return failure(
            fmt::format("{} {}: {}; write HOST:PORT, :PORT or unix:PATH", option, text, why));
    };
    GdbAddress address;
    if (text.starts_with("unix:")) {
        address.path = std::string{text.substr(5)};
        if (address.path.empty()) return bad("no path");
        return address;
    }
    std::string_view rest = text;
    if (rest.starts_with("tcp:")) rest.remove_prefix(4);
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos) return bad("no port");
    std::string_view host = rest.substr(0, colon);
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || port.empty())
        return bad("not a port");
    if (host.starts_with('[') && host.ends_with(']')) {
        host.remove_prefix(1);
        host.remove_suffix(1);
    }
    // Whoever reaches the stub owns the machine: other hosts only where they are asked for.
    address.host = host.empty() ? "127.0.0.1" : std::string{host};
    return address;
}

} // namespace tandem::machine
