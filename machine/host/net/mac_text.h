#pragma once
/// How people write the addresses of cards: "52:54:00:12:34:56".
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::machine {

/// Nothing: it is none, or one of a group, which no card has.
[[nodiscard]] std::optional<std::array<std::uint8_t, 6>> parse_mac(std::string_view text);
[[nodiscard]] std::string mac_to_text(const std::array<std::uint8_t, 6> &mac);

} // namespace tandem::machine
