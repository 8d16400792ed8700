#pragma once
/// What the board provides to the CPUs of the JIT.
#include "frontend-arm/state/environment.h"
#include "machine/host/clock.h"
#include "machine/memory/physical_map.h"

#include <vector>

namespace tandem::machine {

/// The interrupt controller as one CPU's own wires reach it.
class PrivateInterrupts {
public:
    virtual ~PrivateInterrupts() = default;
    /// INTID 16..31 of one CPU.
    virtual void set_ppi(u32 cpu, u32 intid, bool level) = 0;
    /// ICC_* registers; null without a system register interface.
    [[nodiscard]] virtual arm::GicCpuInterface *cpu_interface(u32 cpu) = 0;
};

/// What the board provides to its CPUs. All of it outlives the accelerator.
struct JitWiring {
    PhysicalMap *memory = nullptr;
    PrivateInterrupts *interrupts = nullptr;
    arm::Firmware *firmware = nullptr;
    arm::SemihostingCalls *semihosting = nullptr; ///< null: there is none
    arm::EventBus *events = nullptr;
    arm::Entropy *entropy = nullptr;
    const HostClock *clock = nullptr;              ///< the system counter is its time
    const devices::Clock *counted_clock = nullptr; ///< takes its place for counted CPUs
    std::vector<u64> affinities;
};

} // namespace tandem::machine
