#include "machine/host/net/mac_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace tandem::machine {

std::optional<std::array<std::uint8_t, 6>> parse_mac(std::string_view text) {
    constexpr std::size_t kStride = 3;
    std::array<std::uint8_t, 6> mac{};
    if (text.size() != mac.size() * kStride - 1) return {};
    for (std::size_t i = 0; i < mac.size(); ++i) {
        const char *at = text.data() + i * kStride;
        const bool is_separated = i + 1 == mac.size() || at[2] == ':';
        if (std::from_chars(at, at + 2, mac[i], 16).ptr != at + 2 || !is_separated) return {};
    }
    if ((mac[0] & 1) != 0) return {};
    return mac;
}

std::string mac_to_text(const std::array<std::uint8_t, 6> &mac) {
    return fmt::format("{:02x}", fmt::join(mac, ":"));
}

} // namespace tandem::machine
