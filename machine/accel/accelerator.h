#pragma once
/// What runs the guest's CPUs: the JIT (or its interpreter), later KVM. The machine creates one CPU
/// per vCPU thread and knows nothing else of how instructions are executed.
#include "devices/core/state.h"
#include "machine/memory/physical_map.h"
#include "support/bits.h"

#include <memory>
#include <string>
#include <string_view>

namespace tandem::machine {

/// How a CPU starts: after reset, or by PSCI CPU_ON.
struct CpuStart {
    u64 entry = 0;
    std::array<u64, 4> arguments{}; ///< X0-X3
};

/// One CPU. run() and start() are called on its own thread, save() and restore() while it has none
/// or that waits outside run(), the rest by any.
class AcceleratedCpu {
public:
    virtual ~AcceleratedCpu() = default;
    /// Puts the CPU into its reset state, about to execute `entry`.
    virtual void start(const CpuStart &) = 0;
    /// Executes guest code, and sleeps while the guest waits for an interrupt or event. Returns
    /// when the guest gave the CPU up (PSCI) or after leave(); which of these, the caller knows.
    virtual void run() = 0;
    /// Makes run() return soon, or at once if it is entered later.
    virtual void leave() = 0;
    /// State of the interrupt inputs, as the interrupt controller sees it.
    virtual void set_interrupt_lines(bool irq, bool fiq) = 0;
    /// SEV by another CPU.
    virtual void signal_event() = 0;
    virtual void save(devices::StateWriter &) const = 0;
    /// In place of start(); the interrupt controller has been restored.
    [[nodiscard]] virtual Result<> restore(devices::StateReader &) = 0;
};

class Accelerator : public MemoryObserver {
public:
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// Before any CPU runs.
    [[nodiscard]] virtual std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) = 0;
    /// Multi-line report for --stats.
    [[nodiscard]] virtual std::string statistics_report() const = 0;
};

} // namespace tandem::machine
