#pragma once
/// QMP's commands about screens (QEMU, qapi/ui.json), and our own.
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] QmpResult screendump(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult query_screens(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult set_screen(MachineControl &, const nlohmann::json &arguments);

} // namespace tandem::machine
