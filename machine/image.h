#pragma once
/// Decides what `tandem run IMAGE` means.
#include "machine/board/machine_config.h"
#include "support/result.h"

#include <string>

namespace tandem::machine {

/// Looks into the file and makes it the configuration's kernel or first disk.
[[nodiscard]] Result<> use_image(MachineConfig &, const std::string &path);

} // namespace tandem::machine
