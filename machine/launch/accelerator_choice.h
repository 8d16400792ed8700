#pragma once
/// What runs a guest: the JIT, or KVM where the guest's architecture is the host's. The board
/// follows from that.
#include "machine/board/machine_config.h"
#include "support/result.h"

namespace tandem::machine {

struct AcceleratorChoice {
    BoardKind board = BoardKind::Virt;
    AcceleratorKind accelerator = AcceleratorKind::Auto;
    std::string line; ///< for people, if there was something to choose; else empty
};

/// Looks at the kernel, if one is named and can be read, and at this host's KVM. Fails if nothing
/// here runs that guest, or not what was asked for. `kvm_device` as KvmHost::open().
[[nodiscard]] Result<AcceleratorChoice> choose_accelerator(const MachineConfig &);
[[nodiscard]] Result<AcceleratorChoice> choose_accelerator(const MachineConfig &,
                                                           const char *kvm_device);

} // namespace tandem::machine
