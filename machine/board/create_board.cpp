#include "machine/board/create_board.h"

#include "machine/board/microvm/microvm_board.h"
#include "machine/board/virt_board.h"

namespace tandem::machine {

Result<std::unique_ptr<Board>> create_board(const MachineConfig &config,
                                            const HostBackends &backends) {
    if (config.board == BoardKind::Microvm) return TRY(MicrovmBoard::create(config, backends));
    return TRY(VirtBoard::create(config, backends));
}

} // namespace tandem::machine
