#include "machine/replay/sequencer.h"

#include <algorithm>
#include <utility>

namespace tandem::machine::replay {
namespace {

struct SequencerState {
    static constexpr u32 kVersion = 1;

    Turn turn;
    u64 executed = 0, next_check = 0;
    u32 last_cpu = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.turn, self.executed, self.next_check, self.last_cpu);
    }
};

} // namespace

Sequencer::Sequencer(VirtualClock &clock, Gate &gate, Schedule &schedule, StopPoint stop_at,
                     Owner owner)
    : clock_(clock), gate_(gate), schedule_(schedule), owner_(std::move(owner)),
      stop_at_(std::move(stop_at)) {
    gate_.set_alarm([this] { call_back(); });
}

void Sequencer::wake() {
    call_back();
    gate_.wake();
}

void Sequencer::call_back() {
    const std::lock_guard lock(mutex_);
    if (running_ != nullptr) running_->leave();
}

void Sequencer::interrupted(u32 cpu) {
    if (running_ == nullptr || !schedule_.yields_to_interrupts()) return;
    const CountedCpu *other = cpus_->started(cpu);
    if (other == nullptr || !other->is_waiting()) return;
    // The instruction that did it is the last before the CPU comes back.
    is_interrupted_ = true;
    running_->leave();
}

void Sequencer::run(SequencedCpus &cpus) {
    cpus_ = &cpus;
    for (;;) {
        if (executed_ >= mark_) {
            mark_ = kNever;
            owner_.mark();
            if (cpus.must_leave()) return;
            continue;
        }
        if (executed_ >= next_check_) {
            next_check_ += kCheckInterval;
            owner_.check();
        }
        settle(cpus);
        if (clock_.now_ns() >= errand_) {
            errand_ = kNever;
            owner_.errand();
        }
        const bool is_there = clock_.now_ns() >= stop_at_.moment || executed_ >= stop_at_.position;
        if (is_there || gate_.is_over()) owner_.stop();
        if (cpus.must_leave()) return;
        if (CountedCpu *cpu = take_turn(cpus); cpu != nullptr)
            execute(cpus, *cpu);
        else
            idle(cpus);
    }
}

void Sequencer::stop_here() {
    if (running_ == nullptr) {
        stop_at_.position = executed_;
        return;
    }
    // As with an interrupt: the CPU comes back after the instruction.
    stops_here_ = true;
    running_->leave();
}

// -------------------------------------------------------------------------------- between turns

void Sequencer::settle(SequencedCpus &cpus) {
    let_time_pass(cpus);
    gate_.admit();
    let_time_pass(cpus);
}

void Sequencer::let_time_pass(SequencedCpus &cpus) {
    do {
        for (u32 i = 0; i < cpus.count(); ++i)
            if (CountedCpu *cpu = cpus.started(i); cpu != nullptr) cpu->time_passed();
        clock_.fire_due();
    } while (next_deadline(cpus) <= clock_.now_ns());
}

u64 Sequencer::next_deadline(SequencedCpus &cpus) const {
    u64 next = clock_.next_deadline();
    for (u32 i = 0; i < cpus.count(); ++i)
        if (const CountedCpu *cpu = cpus.started(i); cpu != nullptr)
            next = std::min(next, cpu->next_deadline());
    return next;
}

u64 Sequencer::next_moment(SequencedCpus &cpus) const {
    return std::min({next_deadline(cpus), stop_at_.moment, errand_, gate_.next_moment()});
}

CountedCpu *Sequencer::take_turn(SequencedCpus &cpus) {
    if (turn_.instructions != 0)
        if (CountedCpu *cpu = cpus.started(turn_.cpu); cpu != nullptr && cpu->can_run()) return cpu;
    cpus.start_pending();
    runnable_.clear();
    for (u32 i = 0; i < cpus.count(); ++i)
        if (CountedCpu *cpu = cpus.started(i); cpu != nullptr && cpu->can_run())
            runnable_.push_back(i);
    if (runnable_.empty()) return nullptr;
    turn_ = schedule_.next(runnable_);
    return cpus.started(turn_.cpu);
}

u64 Sequencer::longest_run(SequencedCpus &cpus, const CountedCpu &cpu) const {
    u64 longest =
        std::min({turn_.instructions, next_moment(cpus) - clock_.now_ns(),
                  std::max<u64>(cpu.instructions_to_deadline(), 1), next_check_ - executed_,
                  mark_ - executed_, stop_at_.position - executed_});
    // What has arrived in this moment already enters in the next.
    if (gate_.is_waiting()) longest = 1;
    return longest;
}

void Sequencer::execute(SequencedCpus &cpus, CountedCpu &cpu) {
    cpus.enter(turn_.cpu);
    const u64 longest = longest_run(cpus, cpu);
    {
        const std::lock_guard lock(mutex_);
        running_ = &cpu;
    }
    // Whoever asked before this moment has not found the CPU.
    if (cpus.must_leave() || (gate_.is_waiting() && longest != 1)) cpu.leave();
    clock_.begin_turn(cpu, longest);
    const CountedCpu::TurnEnd end = cpu.run_turn(longest);
    const u64 executed = clock_.end_turn();
    {
        const std::lock_guard lock(mutex_);
        running_ = nullptr;
    }
    executed_ += executed;
    if (executed != 0) last_cpu_ = turn_.cpu;
    if (std::exchange(stops_here_, false)) stop_at_.position = executed_;
    turn_.instructions -= executed;
    schedule_.over(executed);
    const bool gives_up = end == CountedCpu::TurnEnd::Waits || end == CountedCpu::TurnEnd::Stopped;
    if (std::exchange(is_interrupted_, false) || gives_up) turn_.instructions = 0;
    if (turn_.instructions != 0) return;
    for (u32 i = 0; i < cpus.count(); ++i)
        if (CountedCpu *other = cpus.started(i); other != nullptr && other != &cpu) other->rouse();
}

void Sequencer::save(devices::StateWriter &writer) const {
    devices::save_state(writer, "sequencer",
                        SequencerState{turn_, executed_, next_check_, last_cpu_});
}

Result<> Sequencer::restore(devices::StateReader &reader) {
    SequencerState state;
    TRY(devices::restore_state(reader, "sequencer", state));
    turn_ = state.turn;
    executed_ = state.executed;
    next_check_ = state.next_check;
    last_cpu_ = state.last_cpu;
    is_interrupted_ = false;
    return {};
}

void Sequencer::idle(SequencedCpus &cpus) {
    u64 moment = next_moment(cpus);
    for (u32 i = 0; i < cpus.count(); ++i)
        if (const CountedCpu *cpu = cpus.started(i); cpu != nullptr)
            moment = std::min(moment, cpu->nap_end());
    const u64 now = clock_.now_ns();
    const u64 passed = gate_.wait(moment == kNever ? kNever : moment - now);
    clock_.advance_to(now + passed);
}

} // namespace tandem::machine::replay
