#pragma once
/// A CPU of a deterministic machine, run by jit::Engine for exact numbers of instructions. Its
/// timers follow guest time, which grows with each instruction, and nothing here asks the host.
#include "devices/core/clock.h"
#include "machine/accel/jit/jit_cpu_debug.h"
#include "machine/accel/jit/jit_cpu_profile.h"

namespace tandem::machine {

class CountedJitCpu final : public CountedCpu, private arm::TimerPort, private arm::PmuPort {
public:
    CountedJitCpu(jit::Engine &, arm::Mmu &, const arm::CpuModel &, const JitWiring &,
                  const JitDebug &, JitProfiling *, u32 index);

    void start(const CpuStart &) override;
    void leave() override;
    void set_interrupt_lines(bool irq, bool fiq) override;
    void signal_event() override;
    void save(devices::StateWriter &writer) const override { core_.save(writer); }
    Result<> restore(devices::StateReader &reader) override { return core_.restore(reader); }

    void save_progress(devices::StateWriter &) const override;
    Result<> restore_progress(devices::StateReader &) override;
    TurnEnd run_turn(u64 instructions) override;
    u64 executed() const override { return core_.state.instructions_retired(); }
    bool can_run() override;
    bool is_waiting() const override { return is_waiting_; }
    void rouse() override { is_roused_ = true; }
    u64 nap_end() const override { return nap_end_; }
    u64 next_deadline() const override;
    u64 instructions_to_deadline() const override;
    void time_passed() override;

    [[nodiscard]] JitCpuDebug &debug() { return debug_; }

private:
    static constexpr u64 kNever = CountedCpu::kNever;
    /// A WFE ends by itself after this time: what it waits for may be a store that makes no event.
    static constexpr u64 kNapNs = 50'000;

    u64 counter() override { return clock_.now_ns(); }
    u64 frequency() const override { return JitCpuCore::kCounterFrequency; }
    void set_timer(arm::TimerChannel, u64 rises_at) override;
    u64 instructions() override { return executed(); }
    void set_line(bool high) override { core_.set_pmu_line(high); }
    void set_overflow_deadline(u64 instructions, u64 counter) override;
    void begin_wait();
    [[nodiscard]] jit::ExitReason execute(u64 instructions, jit::StepControl);

    jit::Engine &engine_;
    PhysicalMap &memory_;
    const devices::Clock &clock_;
    u64 overflow_instructions_ = kNever; ///< PMU: absolute
    u64 overflow_counter_ = kNever;
    u64 turn_end_ = 0; ///< guest time at which the running turn will be over
    bool is_waiting_ = false;
    bool is_roused_ = false;
    u64 nap_end_ = kNever; ///< of a wait for an event
    JitCpuCore core_;      ///< uses everything above
    JitCpuDebug debug_;
    std::optional<JitCpuProfile> profile_; ///< none: nobody profiles
};

} // namespace tandem::machine
