#pragma once
/// Executes the CPUs of a deterministic machine in turns. Whatever happens to the machine by itself
/// or from outside happens here, between two instructions, in one order: timers of CPUs, timers of
/// devices, inputs.
#include "machine/cpu/cpu_sequencer.h"
#include "machine/replay/gate.h"
#include "machine/replay/schedule.h"
#include "machine/replay/stop_point.h"
#include "machine/replay/virtual_clock.h"

#include <functional>
#include <mutex>
#include <vector>

namespace tandem::machine::replay {

class Sequencer final : public CpuSequencer {
public:
    static constexpr u64 kNever = CountedCpu::kNever;

    struct Owner {
        /// The point to stop at has come, or the recording's end, with all that happens then.
        std::function<void()> stop;
        std::function<void()> check; ///< after every kCheckInterval instructions
        /// What set_mark() asked for; the machine may be another afterwards, or have to leave.
        std::function<void()> mark = [] {};
        /// The moment of set_errand() has come, and all has happened that happens then: the machine
        /// stands as at the end of a recording.
        std::function<void()> errand = [] {};
    };
    static constexpr u64 kCheckInterval = 10'000'000;

    /// All outlive the sequencer. The text of the point to stop at is the owner's business.
    Sequencer(VirtualClock &, Gate &, Schedule &, StopPoint, Owner);

    void run(SequencedCpus &) override;
    void wake() override;
    void interrupted(u32 cpu) override;
    /// Any thread: has the CPU that executes come back soon.
    void call_back();

    /// By the instruction that executes, or outside of turns: the machine stops after it.
    void stop_here();

    [[nodiscard]] u64 executed() const { return executed_; }
    /// Before what happens in this moment: Owner::check is about to be called.
    [[nodiscard]] bool is_check_due() const { return executed_ >= next_check_; }
    /// Within a turn: up to the current instruction.
    [[nodiscard]] u64 position() const {
        return executed_ + (clock_.now_ns() - clock_.turn_began_ns());
    }
    /// The CPU of the last instruction.
    [[nodiscard]] u32 last_cpu() const { return last_cpu_; }

    // On the machine's thread outside of turns, or while it stands still.
    /// Once, when so many instructions have been executed, before anything else happens.
    void set_mark(u64 executed) { mark_ = executed; }
    /// Once, at this moment of guest time or as soon after as a turn ends.
    void set_errand(u64 moment) { errand_ = moment; }
    /// Nothing to stop at is known any more.
    void forget_stop_point() { stop_at_ = {}; }
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    void settle(SequencedCpus &);
    void let_time_pass(SequencedCpus &);
    [[nodiscard]] u64 next_deadline(SequencedCpus &) const;
    /// When something happens whatever the CPUs do.
    [[nodiscard]] u64 next_moment(SequencedCpus &) const;
    /// The CPU whose turn it is; null: none can run.
    [[nodiscard]] CountedCpu *take_turn(SequencedCpus &);
    [[nodiscard]] u64 longest_run(SequencedCpus &, const CountedCpu &) const;
    void execute(SequencedCpus &, CountedCpu &);
    void idle(SequencedCpus &);

    VirtualClock &clock_;
    Gate &gate_;
    Schedule &schedule_;
    const Owner owner_;
    StopPoint stop_at_;
    Turn turn_;        ///< what is left of it
    u64 executed_ = 0; ///< instructions
    u64 next_check_ = kCheckInterval;
    u64 mark_ = kNever;   ///< as executed_ counts
    u64 errand_ = kNever; ///< in guest time
    u32 last_cpu_ = 0;
    bool is_interrupted_ = false;
    bool stops_here_ = false; ///< after the turn
    std::vector<u32> runnable_;
    SequencedCpus *cpus_ = nullptr; ///< while run() runs
    std::mutex mutex_;              ///< guards running_
    CountedCpu *running_ = nullptr;
};

} // namespace tandem::machine::replay
