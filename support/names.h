#pragma once
/// Values that people know by names: tables of pairs of both, looked up either way.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace tandem {

/// Empty if the table has no such value.
template <typename Value, std::size_t N>
[[nodiscard]] constexpr std::string_view
name_in(const std::pair<std::string_view, Value> (&names)[N], Value value) {
    const auto found = std::ranges::find(names, value, [](const auto &row) { return row.second; });
    return found != std::end(names) ? found->first : std::string_view{};
}

template <typename Value, std::size_t N>
[[nodiscard]] constexpr std::optional<Value>
value_in(const std::pair<std::string_view, Value> (&names)[N], std::string_view name) {
    const auto found = std::ranges::find(names, name, [](const auto &row) { return row.first; });
    return found != std::end(names) ? std::optional(found->second) : std::nullopt;
}

} // namespace tandem
