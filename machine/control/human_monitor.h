#pragma once
/// The monitor's commands for people, of QEMU's names; their answers are text.
#include "machine/control/machine_control.h"

#include <string>

namespace tandem::machine {

/// `cpu` is the current one.
[[nodiscard]] std::string run_monitor_command(MachineControl &, const std::string &line,
                                              u32 cpu = 0);

} // namespace tandem::machine
