#include "machine/host/net/forward_text.h"

#include <charconv>

namespace tandem::machine {
namespace {

bool parse_port(std::string_view text, u16 &port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

} // namespace

Result<HostForward> parse_forward_end(std::string_view text) {
    const std::size_t first = text.find(':'), last = text.rfind(':');
    HostForward forward;
    if (first == last || !parse_port(text.substr(last + 1), forward.port))
        return failure("write tcp:ADDRESS:PORT");
    const std::string_view protocol = text.substr(0, first);
    if (protocol != "tcp" && protocol != "udp") return failure("forwards are tcp or udp");
    forward.protocol = protocol == "udp" ? HostForward::Protocol::Udp : HostForward::Protocol::Tcp;
    forward.address = std::string{text.substr(first + 1, last - first - 1)};
    return forward;
}

Result<HostForward> parse_forward(std::string_view text) {
    const auto bad = [] { return failure("write tcp:ADDRESS:PORT-:PORT"); };
    const std::size_t dash = text.rfind("-:");
    if (dash == std::string_view::npos) return bad();
    auto forward = parse_forward_end(text.substr(0, dash));
    if (!forward.has_value()) return forward;
    if (!parse_port(text.substr(dash + 2), forward->guest_port) || forward->guest_port == 0)
        return bad();
    return forward;
}

} // namespace tandem::machine
