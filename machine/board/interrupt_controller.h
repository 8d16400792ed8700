#pragma once
/// The board's interrupt controller, whichever version it is.
#include "devices/core/irq_line.h"
#include "devices/core/msi_sink.h"
#include "devices/core/vcpu_identity.h"
#include "devices/gic/cpu_interrupt_sink.h"
#include "machine/accel/jit/jit_accelerator.h"
#include "machine/boot/fdt_tree.h"
#include "machine/memory/physical_map.h"

#include <memory>
#include <vector>

namespace tandem::machine {

class InterruptController : public PrivateInterrupts {
public:
    /// `affinities` are the CPUs' MPIDR_EL1 values without RES1.
    [[nodiscard]] static std::unique_ptr<InterruptController>
    create(unsigned version, const std::vector<u64> &affinities, devices::CpuInterruptSink &,
           const devices::VcpuIdentity &, PhysicalMap &);

    [[nodiscard]] virtual devices::IrqSink &spis() = 0;
    [[nodiscard]] virtual devices::MsiSink &messages() = 0;
    virtual void map_into(PhysicalMap &) = 0;
    virtual void save(devices::StateWriter &) const = 0;
    [[nodiscard]] virtual Result<> restore(devices::StateReader &) = 0;
    struct Phandles {
        u32 controller = 0, messages = 0;
    };
    /// Adds the nodes.
    virtual Phandles describe(FdtTreeNode &root) const = 0;
    /// Third cell of a PPI's interrupt specifier.
    [[nodiscard]] virtual u32 ppi_flags() const = 0;
};

} // namespace tandem::machine
