#pragma once
/// A deterministic run of a machine, over all its resets: the clock, the schedule, the gate and its
/// ports in front of every back end.
#include "machine/board/board.h"
#include "machine/replay/commands.h"
#include "machine/replay/deterministic_config.h"
#include "machine/replay/gated_char.h"
#include "machine/replay/gated_disk.h"
#include "machine/replay/gated_net.h"
#include "machine/replay/seeded_entropy.h"
#include "machine/replay/sequencer.h"

#include <string>

namespace tandem::machine::replay {

/// What a run looks like; equal for equal runs.
struct RunHash {
    u64 instructions = 0; ///< executed by all CPUs
    u64 state = 0;        ///< of registers, devices and memory
    u64 outputs = 0;      ///< of everything the machine has sent
};

class Session {
public:
    /// Called on the machine's thread.
    struct Owner {
        std::function<void(Command)> execute;
        std::function<void()> stop; ///< the moment to stop at has come
    };
    Session(const DeterministicConfig &, u32 cpus, Owner);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    /// The back ends as the machine is to see them, and what else makes its board deterministic.
    /// Once; those of the host outlive the session.
    [[nodiscard]] HostBackends wrap(const HostBackends &host);
    /// Something may come in at any time.
    void pace() { gate_.pace(); }
    /// The machine's own thread has this board now.
    void set_board(Board *board) { board_ = board; }
    /// Any thread.
    void post(Command command) { commands_.post(command); }
    /// Any thread: the machine stops, whatever the host does.
    void give_up();

    /// While no CPU executes.
    /// A line for --stats.
    [[nodiscard]] std::string report() const;

private:
    [[nodiscard]] RunHash hash() const;

    VirtualClock clock_;
    std::unique_ptr<Schedule> schedule_;
    SeededEntropy entropy_;
    Gate gate_;
    Sequencer sequencer_;
    Commands commands_;
    std::vector<std::unique_ptr<GatedChar>> lines_;
    std::vector<std::unique_ptr<GatedDisk>> disks_;
    std::unique_ptr<GatedNet> net_;
    Board *board_ = nullptr;
};

} // namespace tandem::machine::replay
