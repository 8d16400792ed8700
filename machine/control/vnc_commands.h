#pragma once
/// QMP's commands about the VNC server (QEMU, qapi/ui.json).
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] QmpResult query_vnc(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult change_vnc_password(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult set_password(MachineControl &, const nlohmann::json &arguments);

} // namespace tandem::machine
