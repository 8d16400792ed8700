#pragma once
/// QMP's commands about devices and back ends that come and go (QEMU, qapi/qdev.json,
/// block-core.json, net.json and pci.json).
#include "machine/control/qmp_commands.h"

namespace tandem::machine {

[[nodiscard]] QmpResult blockdev_add(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult blockdev_del(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult device_add(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult device_del(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult netdev_add(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult netdev_del(MachineControl &, const nlohmann::json &arguments);
[[nodiscard]] QmpResult query_pci(MachineControl &, const nlohmann::json &arguments);

} // namespace tandem::machine
