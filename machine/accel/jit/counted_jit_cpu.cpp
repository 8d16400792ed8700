#include "machine/accel/jit/counted_jit_cpu.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/timer/generic_timer.h"

#include <algorithm>

namespace tandem::machine {
namespace {

struct Progress {
    static constexpr u32 kVersion = 1;

    bool is_waiting = false, is_roused = false, waits_for_event = false;
    u64 nap_end = 0;
    std::array<bool, 2> timer_levels{}; ///< as they were last driven
    u64 overflow_instructions = 0, overflow_counter = 0;
    u32 fetch_stale = 0, tlb_maintenance_pending = 0;
    // The exclusive monitor.
    u64 exclusive_address = 0;
    u32 exclusive_size = 0;
    std::array<u64, 2> exclusive_value{};

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.is_waiting, self.is_roused, self.waits_for_event, self.nap_end,
                self.timer_levels, self.overflow_instructions, self.overflow_counter,
                self.fetch_stale, self.tlb_maintenance_pending, self.exclusive_address,
                self.exclusive_size, self.exclusive_value);
    }
};

constexpr std::array kTimers{arm::TimerChannel::Physical, arm::TimerChannel::Virtual};

} // namespace

CountedJitCpu::CountedJitCpu(jit::Engine &engine, arm::Mmu &mmu, const arm::CpuModel &model,
                             const JitWiring &wiring, const JitDebug &debug,
                             JitProfiling *profiling, u32 index)
    : engine_(engine), memory_(*wiring.memory), clock_(*wiring.counted_clock),
      core_(engine, mmu, model, wiring, index, *this, *this), debug_(core_, mmu, debug) {
    if (profiling != nullptr) profile_.emplace(core_.state, *profiling);
}

void CountedJitCpu::start(const CpuStart &start) {
    core_.start(start);
    is_waiting_ = false;
}

void CountedJitCpu::leave() {
    jit::Engine::kick(core_.state);
}

void CountedJitCpu::set_interrupt_lines(bool irq, bool fiq) {
    // Only ever between two instructions of this CPU: it sees them before the next.
    static_cast<void>(core_.set_interrupt_lines(irq, fiq));
}

void CountedJitCpu::signal_event() {
    core_.state.event_register.store(1, std::memory_order_relaxed);
}

void CountedJitCpu::save_progress(devices::StateWriter &writer) const {
    const arm::ArmState &state = core_.state;
    Progress progress{.is_waiting = is_waiting_,
                      .is_roused = is_roused_,
                      .waits_for_event = state.waits_for_event,
                      .nap_end = nap_end_,
                      .overflow_instructions = overflow_instructions_,
                      .overflow_counter = overflow_counter_,
                      .fetch_stale = state.fetch_stale,
                      .tlb_maintenance_pending = state.tlb_maintenance_pending};
    for (std::size_t i = 0; i < kTimers.size(); ++i)
        progress.timer_levels[i] = core_.timer(kTimers[i]).level;
    const jit::ExclusiveMonitor &monitor = jit::Engine::exclusive_monitor(core_.state);
    // One of cells that are no RAM never lets a store through.
    if (const auto address = memory_.address_of(monitor.host);
        monitor.size != 0 && address.has_value()) {
        progress.exclusive_address = address->value();
        progress.exclusive_size = monitor.size;
        progress.exclusive_value = monitor.value.d;
    }
    devices::save_state(writer, "progress", progress);
}

Result<> CountedJitCpu::restore_progress(devices::StateReader &reader) {
    Progress progress;
    TRY(devices::restore_state(reader, "progress", progress));
    is_waiting_ = progress.is_waiting;
    is_roused_ = progress.is_roused;
    nap_end_ = progress.nap_end;
    overflow_instructions_ = progress.overflow_instructions;
    overflow_counter_ = progress.overflow_counter;
    arm::ArmState &state = core_.state;
    state.waits_for_event = progress.waits_for_event;
    state.fetch_stale = progress.fetch_stale;
    state.tlb_maintenance_pending = progress.tlb_maintenance_pending;
    for (std::size_t i = 0; i < kTimers.size(); ++i)
        core_.timer(kTimers[i]).level = progress.timer_levels[i];
    debug_.forget_told_access();
    jit::ExclusiveMonitor &monitor = jit::Engine::exclusive_monitor(state);
    monitor = {};
    if (progress.exclusive_size != 0)
        monitor = {memory_.map(GuestPhysAddr{progress.exclusive_address}, progress.exclusive_size,
                               devices::DmaAccess::Read),
                   progress.exclusive_size, ir::Vec{progress.exclusive_value}};
    return {};
}

CountedCpu::TurnEnd CountedJitCpu::run_turn(u64 instructions) {
    arm::ArmState &state = core_.state;
    turn_end_ = clock_.now_ns() + instructions;
    // Whatever a debugger has asked for, the CPU does what it would have done without one.
    const bool steps = debug_.steps();
    if (steps && arm::take_interrupt(state)) {
        // It stops before the handler's first instruction.
        state.pending_exit = ir::PendingExit::None;
        debug_.stepped();
        return TurnEnd::Attention;
    }
    const bool passes = steps ? debug_.passes_points() : debug_.stands_at_told_access();
    const u64 budget = steps || passes ? 1 : instructions;
    TurnEnd end = TurnEnd::Attention;
    switch (execute(budget, {.passes_points = passes})) {
    case jit::ExitReason::BudgetUsed:
        if (budget == instructions) end = TurnEnd::Used;
        break;
    case jit::ExitReason::Halt:
        begin_wait();
        end = TurnEnd::Waits;
        break;
    case jit::ExitReason::Kicked: return end;
    case jit::ExitReason::Stop: return TurnEnd::Stopped;
    case jit::ExitReason::Breakpoint: debug_.stopped_at_breakpoint(); return end;
    case jit::ExitReason::Watchpoint: debug_.stopped_at_watchpoint(); return end;
    }
    if (steps) debug_.stepped();
    return end;
}

/// In pieces that end where the profiler looks; nothing else tells one piece from several.
jit::ExitReason CountedJitCpu::execute(u64 instructions, jit::StepControl control) {
    arm::ArmState &state = core_.state;
    if (!profile_.has_value())
        return engine_.run(state, static_cast<i64>(instructions), jit::StopAt::Exactly, control);
    const profile::Sampler::CpuScope sampled(&*profile_);
    for (const u64 end = state.retired + instructions;;) {
        const u64 left = std::min(end - state.retired, profile_->instructions_left(state.retired));
        const jit::ExitReason reason =
            engine_.run(state, static_cast<i64>(left), jit::StopAt::Exactly, control);
        profile_->has_executed(state.retired);
        if (reason != jit::ExitReason::BudgetUsed || state.retired == end) return reason;
    }
}

void CountedJitCpu::begin_wait() {
    const arm::ArmState &state = core_.state;
    is_waiting_ = true;
    is_roused_ = false;
    if (state.waits_for_event) {
        const u64 now = clock_.now_ns();
        nap_end_ = std::min(now + kNapNs, arm::next_event_stream_tick(state, now));
    }
}

bool CountedJitCpu::can_run() {
    if (!is_waiting_) return true;
    arm::ArmState &state = core_.state;
    // Arm ARM D1.6.1: WFE may complete early; WFI does when it should.
    const bool nap_is_over = state.waits_for_event && (is_roused_ || clock_.now_ns() >= nap_end_);
    if (!nap_is_over && !arm::should_wake(state)) return false;
    arm::finish_wait(state);
    is_waiting_ = false;
    nap_end_ = kNever;
    return true;
}

u64 CountedJitCpu::next_deadline() const {
    return std::min(core_.next_rise(), overflow_counter_);
}

u64 CountedJitCpu::instructions_to_deadline() const {
    if (overflow_instructions_ == kNever) return kNever;
    return overflow_instructions_ > executed() ? overflow_instructions_ - executed() : 0;
}

void CountedJitCpu::time_passed() {
    const u64 now = clock_.now_ns();
    core_.drive_timers(now);
    if (now < overflow_counter_ && executed() < overflow_instructions_) return;
    overflow_counter_ = overflow_instructions_ = kNever;
    arm::pmu_poll(core_.state);
}

void CountedJitCpu::set_timer(arm::TimerChannel channel, u64 rises_at) {
    JitCpuCore::Timer &timer = core_.timer(channel);
    timer.rises_at = rises_at;
    core_.drive(timer, clock_.now_ns());
    // The instruction that sets a timer is the last of its block then: the turn is planned again
    // before the next one.
    if (!timer.level && rises_at < turn_end_) jit::Engine::kick(core_.state);
}

void CountedJitCpu::set_overflow_deadline(u64 instructions, u64 counter) {
    overflow_instructions_ = instructions == kNever ? kNever : executed() + instructions;
    overflow_counter_ = counter;
    jit::Engine::kick(core_.state); // as above
}

} // namespace tandem::machine
