#pragma once
/// What the board for x86-64 guests has not, yet or at all.
#include "machine/board/machine_config.h"
#include "support/result.h"

namespace tandem::machine {

/// Part of check_config(), for BoardKind::Microvm: the error is one line naming the option.
[[nodiscard]] Result<> check_microvm(const MachineConfig &);

} // namespace tandem::machine
