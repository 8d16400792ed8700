#pragma once
/// What the control socket can do: QMP's commands and the human monitor's (QEMU, docs/interop and
/// qapi/). One row of a table each.
#include "machine/control/jobs.h"
#include "machine/control/machine_control.h"

#include <nlohmann/json.hpp>

#include <expected>
#include <string>

namespace tandem::machine {

struct QmpError {
    const char *error_class = "GenericError";
    std::string description;
};
using QmpResult = std::expected<nlohmann::json, QmpError>;

/// What commands act on; all clients share it.
struct QmpTarget {
    MachineControl &machine;
    Jobs &jobs;
};

/// The greeting's and query-version's.
[[nodiscard]] nlohmann::json qmp_version();

/// QEMU's MigrationStatus (qapi/migration.json).
[[nodiscard]] const char *status_name(MoveState);

/// Runs a command with its arguments, an object.
[[nodiscard]] QmpResult run_qmp_command(const QmpTarget &, const std::string &name,
                                        const nlohmann::json &arguments);

} // namespace tandem::machine
