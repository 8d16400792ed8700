#pragma once
/// The value of --display, from text.
#include "machine/board/machine_config.h"
#include "support/result.h"

#include <string>
#include <vector>

namespace tandem::app {

/// Each "none", "sdl[,full-screen][,scale=N]" or
/// "vnc[=[ADDR:]N][,password-file=FILE][,password=on|off][,head=N]".
[[nodiscard]] Result<machine::DisplayConfig> parse_displays(const std::vector<std::string> &texts);

/// A machine that somebody looks at has a screen, a keyboard and a tablet, unless it has others.
void add_devices_for_display(machine::MachineConfig &);

} // namespace tandem::app
