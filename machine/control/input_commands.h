#pragma once
/// QMP's commands about what hands do (QEMU, qapi/ui.json).
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] QmpResult input_send_event(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult send_key(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult query_mice(MachineControl &, const nlohmann::json &arguments);

} // namespace tandem::machine
