#pragma once
/// A deterministic run of a machine, over all its resets: the clock, the schedule, the gate and its
/// ports in front of every back end, and what is recorded or replayed.
#include "machine/board/board.h"
#include "machine/replay/commands.h"
#include "machine/replay/deterministic_config.h"
#include "machine/replay/gated_char.h"
#include "machine/replay/gated_disk.h"
#include "machine/replay/gated_display.h"
#include "machine/replay/gated_input.h"
#include "machine/replay/gated_net.h"
#include "machine/replay/gated_sound.h"
#include "machine/replay/gated_vsock.h"
#include "machine/replay/journal/entry.h"
#include "machine/replay/noted_flash.h"
#include "machine/replay/seeded_entropy.h"
#include "machine/replay/sequencer.h"

#include <array>
#include <optional>
#include <string>

namespace tandem::machine::replay {

/// How a replay ended.
enum class Verdict : u8 {
    None,     ///< this was none
    Finished, ///< where the recording ends, in the same state
    Stopped,  ///< by --until or from outside, and everything was the same up to there
    Diverged, ///< the machine was another one than the recorded
    Cut,      ///< where the file ends, though the recording went on
    WentLive, ///< where it was to, and everything was the same up to there
};
struct ReplayResult {
    Verdict verdict = Verdict::None;
    std::string message; ///< of Diverged and Cut: one line
};

class Session {
public:
    static constexpr u64 kNever = Sequencer::kNever;
    static constexpr unsigned kFlashBanks = 2;

    /// Called on the machine's thread.
    struct Owner {
        std::function<void(Command)> execute;
        std::function<void()> stop; ///< there is nothing more to run
        /// A replay has left its recording; why there, if nobody asked for it.
        std::function<void(const std::string &why)> went_live = [](const std::string &) {};
    };
    Session(const DeterministicConfig &, u32 cpus, Owner);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    /// The back ends as the machine is to see them, and what else makes its board deterministic.
    /// Once; those of the host outlive the session.
    [[nodiscard]] HostBackends wrap(const HostBackends &host);
    /// Something may come in at any time.
    void pace() { gate_.pace(); }
    // Before run(); not both.
    void record(std::unique_ptr<JournalWriter>);
    void replay(std::unique_ptr<JournalReader>);
    /// Likewise: what enters is written there, but not how the run ends.
    void log_to(JournalWriter &);
    /// What happens, on the machine's thread, when a line but a port has said this text.
    void watch(std::string text, std::function<void()> seen) {
        watches_.push_back({std::move(text), std::move(seen)});
    }
    /// Of a replay: where it is read.
    [[nodiscard]] JournalReader &journal() { return *replayed_; }
    /// Before a replay's board runs: restores what was saved of the machine that was recorded.
    [[nodiscard]] Result<> start_from(std::span<const std::byte> saved);
    /// The machine's own thread has this board now.
    void set_board(Board *board) { board_ = board; }
    /// Any thread.
    void post(Command command) { commands_.post(std::move(command)); }
    /// Any thread: the machine is connected to its host, and not to a recording.
    [[nodiscard]] bool is_live() const { return gate_.is_live(); }
    /// Any thread: the machine stops, whatever the host does.
    void give_up();

    // While no CPU executes.
    /// The machine's last board has stopped: by itself, or because it was told to.
    [[nodiscard]] ReplayResult finish(RunEnd);
    /// What the machine looks like.
    [[nodiscard]] RunHash hash() const;
    /// How the replay has ended, if it ends here.
    [[nodiscard]] ReplayResult compare(RunEnd) const;
    /// Whether the machine is what was recorded here, where there is a check that has not been made
    /// yet; nothing: there is none.
    [[nodiscard]] std::optional<bool> is_recorded();
    /// A line for --stats.
    [[nodiscard]] std::string report() const;

    // On the machine's thread between two instructions, or while it stands still.
    /// Instructions executed; within an instruction, up to it.
    [[nodiscard]] u64 position() const { return sequencer_.position(); }
    /// What the machine is like; what it looks at costs less the less has been written since the
    /// last time.
    [[nodiscard]] CheckEntry look();
    [[nodiscard]] u64 now_ns() const { return clock_.now_ns(); }
    [[nodiscard]] u32 last_cpu() const { return sequencer_.last_cpu(); }
    /// Has `mark` called once, when so many instructions have been executed.
    void set_mark(u64 executed) { sequencer_.set_mark(executed); }
    void on_mark(std::function<void()> mark) { mark_ = std::move(mark); }
    void set_errand(u64 moment) { sequencer_.set_errand(moment); }
    void on_errand(std::function<void()> errand) { errand_ = std::move(errand); }
    /// No disk has anything to do: the machine can be saved.
    [[nodiscard]] bool is_at_rest() const;
    /// Everything but memory and disks, exactly. Restoring ends what is under way.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(std::span<const std::byte>);
    void drain();
    [[nodiscard]] Board &board() { return *board_; }
    /// Of the flash chips, as the board has them.
    [[nodiscard]] NotedFlash &flash(unsigned bank) { return *flash_[bank]; }

private:
    struct Watch {
        std::string text;
        std::function<void()> seen;
    };
    void check();
    void stop_or_go_live();

    VirtualClock clock_;
    std::unique_ptr<Schedule> schedule_;
    SeededEntropy entropy_;
    Gate gate_;
    Sequencer sequencer_;
    Commands commands_;
    const Owner owner_;
    const bool goes_live_;
    std::vector<Watch> watches_;
    std::function<void()> mark_ = [] {}, errand_ = [] {};
    std::unique_ptr<JournalWriter> recording_;
    JournalWriter *recorder_ = nullptr; ///< the same, or the log's
    std::unique_ptr<JournalReader> replayed_;
    std::string divergence_; ///< where one was noticed, in words; empty: none
    std::vector<std::unique_ptr<GatedChar>> lines_;
    std::vector<std::unique_ptr<GatedDisk>> disks_;
    std::unique_ptr<GatedNet> net_;
    std::unique_ptr<GatedVsock> vsock_;
    std::vector<std::unique_ptr<GatedInput>> inputs_;
    std::unique_ptr<GatedDisplay> display_;
    std::unique_ptr<GatedSound> sound_;
    std::array<std::unique_ptr<NotedFlash>, kFlashBanks> flash_;
    Board *board_ = nullptr;
};

} // namespace tandem::machine::replay
