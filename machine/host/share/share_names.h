#pragma once
/// Which names of the guest may reach the host.
#include <string_view>

namespace tandem::machine {

/// One component that leads nowhere but to an entry of the directory.
[[nodiscard]] inline bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

/// Only what belongs to users: the rest is access control lists, capabilities and labels, which
/// mean something to the host.
[[nodiscard]] inline bool is_plain_attribute(std::string_view name) {
    return name.starts_with("user.") && name.size() > 5 &&
           name.find('\0') == std::string_view::npos;
}

} // namespace tandem::machine
