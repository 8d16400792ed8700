#pragma once
/// The board that a configuration wants.
#include "machine/board/board.h"

namespace tandem::machine {

/// Both outlive the board.
[[nodiscard]] Result<std::unique_ptr<Board>> create_board(const MachineConfig &,
                                                          const HostBackends &);

} // namespace tandem::machine
