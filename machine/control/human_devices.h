#pragma once
/// The monitor's commands for people about devices and back ends that come and go; their answers
/// are text, empty when all went well.
#include "machine/control/machine_control.h"

#include <string>
#include <string_view>

namespace tandem::machine {

/// "DRIVER,PROPERTY=VALUE,...", as QEMU writes it (two commas are one in a value).
[[nodiscard]] std::string human_device_add(MachineControl &, std::string_view arguments);
[[nodiscard]] std::string human_device_del(MachineControl &, std::string_view id);
/// "[WHERE] file=PATH,id=NAME,..."
[[nodiscard]] std::string human_drive_add(MachineControl &, std::string_view arguments);
[[nodiscard]] std::string human_drive_del(MachineControl &, std::string_view id);
[[nodiscard]] std::string human_netdev_add(MachineControl &, std::string_view arguments);
[[nodiscard]] std::string human_netdev_del(MachineControl &, std::string_view id);
/// "[NETDEV] tcp:ADDRESS:PORT-:PORT"
[[nodiscard]] std::string human_hostfwd_add(MachineControl &, std::string_view arguments);
/// "[NETDEV] tcp:ADDRESS:PORT"
[[nodiscard]] std::string human_hostfwd_remove(MachineControl &, std::string_view arguments);
[[nodiscard]] std::string human_info_pci(const MachineControl &);

} // namespace tandem::machine
