#pragma once
/// Members of JSON that somebody else wrote: of another type counts as missing.
#include <nlohmann/json.hpp>

#include <string>

namespace tandem::machine {

[[nodiscard]] inline std::string text_member(const nlohmann::json &value, const char *name,
                                             const char *otherwise = "") {
    if (!value.is_object()) return otherwise;
    const auto member = value.find(name);
    return member != value.end() && member->is_string() ? member->get<std::string>() : otherwise;
}

} // namespace tandem::machine
