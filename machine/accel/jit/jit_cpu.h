#pragma once
/// One CPU run by jit::Engine in slices. Between slices its thread looks at the clock and drives
/// the CPU's own timers, so that a running CPU needs no timer thread and a sleeping one sleeps
/// exactly until its next deadline.
#include "machine/accel/jit/jit_cpu_debug.h"
#include "machine/accel/jit/jit_cpu_profile.h"
#include "machine/host/parking.h"

#include <atomic>

namespace tandem::machine {

class JitCpu final : public AcceleratedCpu, private arm::TimerPort, private arm::PmuPort {
public:
    JitCpu(jit::Engine &, arm::Mmu &, const arm::CpuModel &, const JitWiring &, const JitDebug &,
           JitProfiling *, u32 index);

    void start(const CpuStart &start) override { core_.start(start); }
    void run() override;
    void leave() override;
    void set_interrupt_lines(bool irq, bool fiq) override;
    void signal_event() override;
    void save(devices::StateWriter &writer) const override { core_.save(writer); }
    Result<> restore(devices::StateReader &reader) override { return core_.restore(reader); }

    [[nodiscard]] JitCpuDebug &debug() { return debug_; }

private:
    static constexpr u64 kNever = JitCpuCore::kNever;
    static constexpr u64 kMaxSliceNs = 500'000;
    static constexpr i64 kMinSlice = 2'000, kMaxSlice = 4'000'000;

    u64 counter() override { return clock_.now_ns(); }
    u64 frequency() const override { return JitCpuCore::kCounterFrequency; }
    void set_timer(arm::TimerChannel, u64 rises_at) override;
    u64 instructions() override;
    void set_line(bool high) override { core_.set_pmu_line(high); }
    void set_overflow_deadline(u64 instructions, u64 counter) override;

    /// Drives the timers' outputs; returns the counter.
    u64 poll_timers();
    /// The next counter value at which something happens by itself.
    [[nodiscard]] u64 next_deadline() const;
    /// Instructions to run before the clock must be looked at again.
    [[nodiscard]] i64 next_slice(u64 now);
    void run_slice();
    /// run_slice(), or what a debugger wants.
    void run_planned();
    /// One instruction, or an interrupt that comes before it; false: the CPU stands where it was,
    /// or is off.
    bool step(bool passes_points, bool holds_interrupts);
    /// WFI or WFE.
    void wait();
    void wait_for_event();
    void wait_for_interrupt();
    /// Spins for poll_ns_ at most; true if the CPU should wake.
    [[nodiscard]] bool poll_for_wake(u64 now) const;
    [[nodiscard]] bool may_wake() const;

    jit::Engine &engine_;
    const HostClock &clock_;
    u64 overflow_instructions_ = kNever; ///< PMU: absolute
    u64 overflow_counter_ = kNever;
    u64 slice_end_ = 0;    ///< counter value the running slice was planned to end at
    double rate_ = 0.05;   ///< instructions per nanosecond, lately
    const bool may_poll_;  ///< the host has a core for each CPU
    u64 poll_ns_ = 0;      ///< how long to spin before sleeping; grows while sleeps are short
    u32 quick_waits_ = 0;  ///< WFEs in a row that followed each other closely
    u64 last_wait_ = 0;    ///< counter value when the last one ended
    bool stopped_ = false; ///< the guest gave the CPU up
    std::atomic<bool> leaving_ = false;
    Parking parking_;
    JitCpuCore core_; ///< uses everything above
    arm::ArmState &state_ = core_.state;
    JitCpuDebug debug_;
    std::optional<JitCpuProfile> profile_; ///< none: nobody profiles
};

} // namespace tandem::machine
