#pragma once
/// What every CPU run by jit::Engine has: its architectural state, bound to the board.
#include "frontend-arm/mmu/mmu.h"
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "jit/tiering/engine.h"
#include "machine/accel/accelerator.h"
#include "machine/accel/jit/jit_wiring.h"

namespace tandem::machine {

class JitCpuCore {
public:
    static constexpr u64 kNever = arm::TimerPort::kNever;
    /// The system counter ticks in nanoseconds (Arm ARM D12.1.2: 1 GHz from Armv8.6 on).
    static constexpr u64 kCounterFrequency = 1'000'000'000;

    JitCpuCore(jit::Engine &, arm::Mmu &, const arm::CpuModel &, const JitWiring &, u32 index,
               arm::TimerPort &, arm::PmuPort &);
    ~JitCpuCore();
    JitCpuCore(const JitCpuCore &) = delete;
    JitCpuCore &operator=(const JitCpuCore &) = delete;

    /// The output of one of the CPU's timers.
    struct Timer {
        u64 rises_at = kNever;
        bool level = false;
        u32 intid = 0;
    };

    // Parts of GuestCpu.
    void start(const CpuStart &);
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);
    /// Returns whether a line has risen.
    bool set_interrupt_lines(bool irq, bool fiq);

    [[nodiscard]] Timer &timer(arm::TimerChannel channel) {
        return timers_[static_cast<unsigned>(channel)];
    }
    [[nodiscard]] const Timer &timer(arm::TimerChannel channel) const {
        return timers_[static_cast<unsigned>(channel)];
    }
    /// Sets the outputs as they are at that time.
    void drive_timers(u64 now);
    void drive(Timer &timer, u64 now);
    /// When the next output rises.
    [[nodiscard]] u64 next_rise() const;
    void set_pmu_line(bool high);

    arm::ArmState state;

private:
    PrivateInterrupts &interrupts_;
    jit::Engine &engine_;
    u64 affinity_;
    arm::Environment environment_;
    std::array<Timer, 2> timers_;
};

} // namespace tandem::machine
