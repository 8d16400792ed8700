#include "machine/accel/jit/counted_jit_cpu.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/timer/generic_timer.h"

#include <algorithm>

namespace tandem::machine {

CountedJitCpu::CountedJitCpu(jit::Engine &engine, arm::Mmu &mmu, const arm::CpuModel &model,
                             const JitWiring &wiring, const JitDebug &debug, u32 index)
    : engine_(engine), clock_(*wiring.counted_clock),
      core_(engine, mmu, model, wiring, index, *this, *this), debug_(core_, mmu, debug) {}

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
    switch (engine_.run(state, static_cast<i64>(budget), jit::StopAt::Exactly,
                        {.passes_points = passes})) {
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
