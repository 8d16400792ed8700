#include "machine/accel/jit/jit_cpu.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/timer/generic_timer.h"

#include <immintrin.h>

#include <algorithm>
#include <thread>

namespace tandem::machine {

JitCpu::JitCpu(jit::Engine &engine, arm::Mmu &mmu, const arm::CpuModel &model,
               const JitWiring &wiring, const JitDebug &debug, JitProfiling *profiling, u32 index)
    : engine_(engine), clock_(*wiring.clock),
      may_poll_(wiring.affinities.size() <= std::thread::hardware_concurrency()),
      core_(engine, mmu, model, wiring, index, *this, *this), debug_(core_, mmu, debug) {
    if (profiling != nullptr) profile_.emplace(state_, *profiling);
}

void JitCpu::run() {
    const profile::Sampler::CpuScope sampled(profile_.has_value() ? &*profile_ : nullptr);
    while (!leaving_.exchange(false) && !stopped_) run_planned();
    stopped_ = false;
}

void JitCpu::run_slice() {
    const u64 began = poll_timers();
    const i64 slice = next_slice(began);
    const u64 retired = state_.retired;
    switch (engine_.run(state_, slice, jit::StopAt::Nearly)) {
    case jit::ExitReason::BudgetUsed: {
        const u64 elapsed = std::max<u64>(counter() - began, 1);
        const double rate =
            static_cast<double>(state_.retired - retired) / static_cast<double>(elapsed);
        rate_ += (rate - rate_) / 4;
        break;
    }
    case jit::ExitReason::Kicked: break;
    case jit::ExitReason::Halt: wait(); break;
    case jit::ExitReason::Stop: stopped_ = true; break;
    case jit::ExitReason::Breakpoint: debug_.stopped_at_breakpoint(); break;
    case jit::ExitReason::Watchpoint: debug_.stopped_at_watchpoint(); break;
    }
}

void JitCpu::run_planned() {
    const CpuPlan &plan = debug_.plan();
    if (plan.kind == CpuPlan::Kind::Run && !debug_.stands_at_told_access()) [[likely]]
        run_slice();
    else if (plan.kind == CpuPlan::Kind::Run)
        step(true, true);
    else if (plan.kind == CpuPlan::Kind::Hold)
        parking_.park(Parking::kForever);
    else if (step(debug_.passes_points(), plan.holds_interrupts))
        debug_.stepped();
}

bool JitCpu::step(bool passes_points, bool holds_interrupts) {
    poll_timers();
    if (!holds_interrupts && arm::take_interrupt(state_)) {
        // It stops before the handler's first instruction.
        state_.pending_exit = ir::PendingExit::None;
        return true;
    }
    switch (engine_.run(state_, 1, jit::StopAt::Exactly,
                        {.holds_interrupts = true, .passes_points = passes_points})) {
    case jit::ExitReason::BudgetUsed: return true;
    case jit::ExitReason::Kicked: return false;                        // again
    case jit::ExitReason::Halt: arm::finish_wait(state_); return true; // it may wake at once
    case jit::ExitReason::Stop: stopped_ = true; return false;
    case jit::ExitReason::Breakpoint: debug_.stopped_at_breakpoint(); return false;
    case jit::ExitReason::Watchpoint: debug_.stopped_at_watchpoint(); return false;
    }
    return false;
}

i64 JitCpu::next_slice(u64 now) {
    const u64 deadline = next_deadline();
    const u64 horizon = deadline > now ? std::min(deadline - now, kMaxSliceNs) : 0;
    slice_end_ = now + horizon;
    const i64 slice =
        std::clamp(static_cast<i64>(static_cast<double>(horizon) * rate_), kMinSlice, kMaxSlice);
    if (overflow_instructions_ == kNever) return slice;
    const u64 left =
        overflow_instructions_ > state_.retired ? overflow_instructions_ - state_.retired : 1;
    return static_cast<i64>(std::min<u64>(static_cast<u64>(slice), left));
}

void JitCpu::leave() {
    leaving_ = true;
    jit::Engine::kick(state_);
    parking_.unpark();
}

void JitCpu::set_interrupt_lines(bool irq, bool fiq) {
    if (!core_.set_interrupt_lines(irq, fiq)) return;
    jit::Engine::kick(state_);
    parking_.unpark();
}

void JitCpu::signal_event() {
    state_.event_register.store(1);
    parking_.unpark();
}

void JitCpu::set_timer(arm::TimerChannel channel, u64 rises_at) {
    JitCpuCore::Timer &timer = core_.timer(channel);
    timer.rises_at = rises_at;
    core_.drive(timer, counter());
    // The slice under way may be too long now.
    if (!timer.level && rises_at < slice_end_) jit::Engine::kick(state_);
}

u64 JitCpu::poll_timers() {
    const u64 now = counter();
    core_.drive_timers(now);
    if (now >= overflow_counter_ || state_.retired >= overflow_instructions_) {
        overflow_counter_ = overflow_instructions_ = kNever;
        arm::pmu_poll(state_);
    }
    return now;
}

u64 JitCpu::next_deadline() const {
    return std::min(overflow_counter_, core_.next_rise());
}

u64 JitCpu::instructions() {
    return state_.instructions_retired();
}

void JitCpu::set_overflow_deadline(u64 instructions, u64 counter) {
    overflow_instructions_ = instructions == kNever ? kNever : this->instructions() + instructions;
    overflow_counter_ = counter;
    jit::Engine::kick(state_); // plan the slice again
}

bool JitCpu::may_wake() const {
    return arm::should_wake(state_) || leaving_;
}

void JitCpu::wait() {
    const profile::Sampler::IdleScope idle;
    if (state_.waits_for_event) {
        wait_for_event();
    } else {
        wait_for_interrupt();
    }
    arm::finish_wait(state_);
}

bool JitCpu::poll_for_wake(u64 now) const {
    for (const u64 end = now + poll_ns_; now < end; now = clock_.now_ns()) {
        for (int i = 0; i < 16; ++i) {
            if (may_wake()) return true;
            _mm_pause();
        }
    }
    return false;
}

void JitCpu::wait_for_interrupt() {
    // Waking a sleeping thread takes the host longer than most replies of another CPU do. So a CPU
    // whose sleeps were short spins a little first; long sleeps teach it to stop that.
    static constexpr u64 kFirstPoll = 4'000, kMaxPoll = 50'000;
    const u64 start = poll_timers();
    if (may_wake() || (poll_ns_ != 0 && poll_for_wake(start))) return;
    u64 now = start;
    while (!may_wake()) {
        const u64 deadline = next_deadline();
        parking_.park(deadline == kNever ? Parking::kForever : clock_.host_ns(deadline));
        now = poll_timers();
    }
    if (now - start > kMaxPoll) {
        poll_ns_ = poll_ns_ > kFirstPoll ? poll_ns_ / 2 : 0;
    } else if (may_poll_) {
        poll_ns_ = std::clamp(poll_ns_ * 2, kFirstPoll, kMaxPoll);
    }
}

void JitCpu::wait_for_event() {
    // Arm ARM D1.6.1: WFE may complete early. A loop that waits for another CPU's store (a spin
    // lock) sees no event for it here, so it spins on for a while and then sleeps in short naps.
    static constexpr u64 kQuick = 5'000, kNap = 50'000;
    static constexpr u32 kSpins = 4;
    u64 now = poll_timers();
    quick_waits_ = now - last_wait_ < kQuick ? quick_waits_ + 1 : 0;
    for (int i = 0; i < 16 && !may_wake(); ++i) _mm_pause();
    if (quick_waits_ >= kSpins) {
        const u64 nap_end = std::min(now + kNap, arm::next_event_stream_tick(state_, now));
        while (!may_wake() && now < nap_end) {
            parking_.park(clock_.host_ns(std::min(next_deadline(), nap_end)));
            now = poll_timers();
        }
    }
    last_wait_ = now;
}

} // namespace tandem::machine
