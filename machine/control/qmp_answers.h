#pragma once
/// Answers that many commands give.
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] inline std::unexpected<QmpError> refused(std::string description) {
    return std::unexpected(QmpError{.description = std::move(description)});
}
/// Of a command without a value.
[[nodiscard]] inline QmpResult done(const Result<> &result) {
    if (result.has_value()) return nlohmann::json::object();
    return refused(result.error().message);
}

} // namespace tandem::machine
