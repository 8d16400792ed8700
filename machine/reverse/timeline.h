#pragma once
/// The history of a replayed machine, and where in it the machine stands. A position is the number
/// of instructions that all CPUs together have executed; the machine gets to an earlier one from a
/// checkpoint before it, forward.
#include "machine/debug/debug_types.h"
#include "machine/reverse/checkpoints.h"

#include <functional>
#include <optional>

namespace tandem::machine::reverse {

class Timeline {
public:
    /// Called on the machine's thread, which stands between two instructions.
    struct Owner {
        /// The machine is where it was to go, or where its history ends: it shall stop there.
        std::function<void(u32 cpu, const CpuStop &)> arrived;
        /// The machine goes on from where it has been brought, whatever stopped it there.
        std::function<void()> not_stopped;
        /// It is to go on where the guest has ended.
        std::function<void()> passed_end;
        std::function<void(Error)> failed;
    };
    /// Between two checkpoints while the machine runs.
    static constexpr u64 kInterval = 100'000'000;

    Timeline(replay::Session &, std::span<OverlayDisk *const> disks, u64 max_bytes, Owner);

    /// Before the board runs.
    [[nodiscard]] Result<> set_board(Board &);

    // While the machine stands still; it has to be resumed then.
    void step_back();
    void run_back();
    void go_to(u64 position);
    /// It goes on from wherever it is.
    void go_on();

    /// Where the guest has ended, once it has.
    [[nodiscard]] std::optional<u64> end() const { return end_; }
    [[nodiscard]] Checkpoints &checkpoints() { return checkpoints_; }

    /// The machine is on its way to somewhere, and stops for nothing else.
    [[nodiscard]] bool travels() const { return task_ != Task::GoOn; }

    // On the machine's thread.
    /// A CPU is about to stop the machine; true: it does not, as that is only passed by.
    [[nodiscard]] bool passes(u32 cpu, const CpuStop &);
    /// The history ends here: the recording does, or (then for good) the guest has.
    void recording_ended();
    void guest_ended();

private:
    enum class Task : u8 {
        GoOn,
        Seek,   ///< to target_
        Search, ///< forward from checkpoint to checkpoint, each time an earlier one
    };
    /// A stop at a breakpoint or watchpoint in history.
    struct Hit {
        u64 position = 0;
        u32 cpu = 0;
        CpuStop stop;
    };
    struct Target {
        u64 position = 0;
        u32 cpu = 0;
        CpuStop stop;             ///< as it is told there
        std::optional<Hit> point; ///< it is there when this breakpoint is hit
    };

    void begin(Task);
    void marked();
    [[nodiscard]] Result<> keep_up();
    [[nodiscard]] Result<> seek();
    [[nodiscard]] Result<> search();
    [[nodiscard]] Result<> bring_back(u64 position);
    [[nodiscard]] Result<> start_seek(Target);
    void arrive(u32 cpu, const CpuStop &);
    void set_mark_on_the_way();

    replay::Session &session_;
    Owner owner_;
    Checkpoints checkpoints_;
    Task task_ = Task::GoOn;
    bool is_under_way_ = false; ///< the task has begun
    Target target_;
    u64 segment_end_ = 0;      ///< of Search: hits from here on are known
    std::optional<Hit> found_; ///< of Search: the last one of the segment
    std::optional<u64> end_;   ///< of the history, once it is known
};

} // namespace tandem::machine::reverse
