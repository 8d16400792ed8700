#pragma once
/// QMP's commands about sensors, our own.
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] QmpResult query_sensors(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult set_sensor(MachineControl &, const nlohmann::json &arguments);

} // namespace tandem::machine
