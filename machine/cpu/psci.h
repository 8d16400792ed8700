#pragma once
/// PSCI 1.1 (Arm DEN 0022) and the discovery part of SMCCC 1.1 (DEN 0028), over HVC.
#include "frontend-arm/state/environment.h"
#include "support/bits.h"

#include <optional>

namespace tandem::machine {

/// What PSCI asks of the machine. Called on the calling CPU's thread.
class PowerControl {
public:
    enum class CpuPower : u8 { On, Off, OnPending };
    virtual ~PowerControl() = default;
    /// Index of the CPU with this affinity (MPIDR_EL1 format), if there is one.
    [[nodiscard]] virtual std::optional<u32> find_cpu(u64 mpidr) const = 0;
    [[nodiscard]] virtual CpuPower power_of(u32 cpu) const = 0;
    /// Starts a CPU that is off; false if it was not.
    [[nodiscard]] virtual bool power_on(u32 cpu, u64 entry, u64 context) = 0;
    /// The calling CPU stops for good (until power_on): its run() returns after this.
    virtual void power_off(u32 cpu) = 0;
    virtual void system_off() = 0;
    virtual void system_reset() = 0;
};

class Psci final : public arm::Firmware {
public:
    /// Entry points must lie in [ram_base, ram_base + ram_size) or in flash, below it.
    Psci(PowerControl &power, u64 ram_end) : power_(power), ram_end_(ram_end) {}

    bool call(arm::ArmState &, arm::Conduit) override;

private:
    [[nodiscard]] i64 cpu_on(u64 target, u64 entry, u64 context);
    [[nodiscard]] i64 affinity_info(u64 target, u64 level) const;
    [[nodiscard]] static i64 features(u32 function);

    PowerControl &power_;
    u64 ram_end_;
};

} // namespace tandem::machine
