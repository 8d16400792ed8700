#pragma once
/// What a profiler sees of a CPU run by jit::Engine.
#include "frontend-arm/mmu/mmu.h"
#include "frontend-arm/state/arm_state.h"
#include "machine/memory/guest_memory.h"
#include "machine/profile/profiler.h"

namespace tandem::machine {

/// RAM, for walks of the guest's tables in a signal handler: it waits for nothing.
class PeekedMemory final : public ir::PhysicalBus {
public:
    explicit PeekedMemory(const GuestMemory &memory) : memory_(memory) {}

    std::byte *page(u64 physical_page, bool &writable) override;
    bool read(u64, unsigned, u64 &) override { return false; }
    bool write(u64, unsigned, u64) override { return false; }

private:
    const GuestMemory &memory_;
};

/// What the CPUs of a machine share for its profiler. Both arguments outlive it.
struct JitProfiling {
    JitProfiling(profile::Profiler &wanted, const GuestMemory &ram)
        : profiler(wanted), memory(ram), mmu(memory) {}

    profile::Profiler &profiler;
    PeekedMemory memory;
    arm::Mmu mmu;
};

class JitCpuProfile final : public profile::SampledCpu {
public:
    /// Both outlive it.
    JitCpuProfile(const arm::ArmState &state, JitProfiling &shared)
        : state_(state), shared_(shared), next_(shared.profiler.guest_interval()) {}

    void capture(const profile::HostRegisters &, profile::Sample &) const noexcept override;

    // --- by guest time, on the CPU's thread, between instructions ---
    /// Instructions until the next sample is due; never 0.
    [[nodiscard]] u64 instructions_left(u64 executed) const;
    /// So many have been executed: takes a sample if one is due.
    void has_executed(u64 executed);

private:
    void describe(u64 pc, profile::Sample &) const;

    const arm::ArmState &state_;
    JitProfiling &shared_;
    u64 next_; ///< the count at which a sample is due; 0: never
};

} // namespace tandem::machine
