#pragma once
/// A whole virtual machine on this host: opens the host's files, builds a board and runs it, again
/// after each reset. Ends on SIGINT, SIGTERM, SIGHUP and SIGQUIT, and after its time limit.
#include "machine/board/board.h"
#include "machine/board/machine_config.h"
#include "machine/control/machine_control.h"
#include "machine/flight/flight_recorder.h"
#include "machine/host/disk.h"
#include "machine/host/entropy.h"
#include "machine/host/errand.h"
#include "machine/host/net/user_net.h"
#include "machine/host/serial.h"
#include "machine/host/share/host_share.h"
#include "machine/host/watcher.h"
#include "machine/input/input_hub.h"
#include "machine/move/address.h"
#include "machine/replay/session.h"
#include "machine/reverse/timeline.h"
#include "machine/screen/screen.h"
#include "machine/snapshot/manifest.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace tandem::machine {

namespace bisect {
class Subject;
}

struct RunOutcome {
    StopReason reason = StopReason::None;
    int signal = 0; ///< for StopReason::Signal
    u8 status = 0;  ///< for StopReason::Exited
};

class GdbServer;
class QmpServer;
class VncService;
class WindowService;

class Machine final : private ConsoleCommands {
public:
    /// Create it before any thread is started: they must inherit the signals it blocks.
    /// `arrival` is what MachineConfig::incoming names, if it is open already.
    [[nodiscard]] static Result<std::unique_ptr<Machine>>
    create(const MachineConfig &, std::unique_ptr<move::Arrival> arrival = nullptr);
    ~Machine() override;
    Machine(const Machine &) = delete;
    Machine &operator=(const Machine &) = delete;

    /// Runs until the guest powers off (or resets, if it may not reboot), stop() or the timeout.
    [[nodiscard]] Result<RunOutcome> run();
    /// Any thread.
    void stop(RunOutcome outcome, EventCause);

    struct Saved {
        u64 bytes = 0;
        u64 pause_ns = 0;     ///< for how long the guest stood still
        std::string based_on; ///< the snapshot that it needs; empty: none
    };
    /// Any thread, while the machine runs: writes a snapshot of it, with what the guest changed on
    /// its disks. If that fails the machine goes on all the same. After the first, a snapshot has
    /// only what differs from the one before, if that is another file and still there.
    [[nodiscard]] Result<Saved> save(const std::string &path);
    /// Any thread but those of the guest, while the machine runs: it goes on from the snapshot, in
    /// place of where it is. If the snapshot cannot be used, nothing has happened.
    [[nodiscard]] Result<> load(const std::string &path);
    /// Removes a snapshot of MachineConfig::snapshots and what the disks have kept for it.
    [[nodiscard]] Result<> remove_snapshot(const std::string &tag);

    /// Any thread: begins to move the machine to another process (machine/move/address.h). Whatever
    /// fails, it goes on here.
    [[nodiscard]] Result<> move(const std::string &where);

    /// Of a replay, after run().
    [[nodiscard]] const replay::ReplayResult &replay_result() const { return replay_result_; }
    /// Of the last board that ran.
    [[nodiscard]] const std::string &statistics_report() const { return statistics_; }
    /// For a search for its divergence, while another thread has the machine run, which keeps a
    /// history. The machine outlives it.
    [[nodiscard]] std::unique_ptr<bisect::Subject> bisected();
    /// After run(): what the profiler has to say, once its file is complete; empty without one.
    [[nodiscard]] Result<std::string> finish_profile();

private:
    explicit Machine(const MachineConfig &);
    Result<> open_backends();
    Result<std::unique_ptr<devices::Char>> open_line(const SerialConfig &, const LineUse &);
    Result<> open_flash();
    Result<> open_net();
    void quit() override { stop({StopReason::Quit, 0}, EventCause::Console); }
    void watchdog_expired();
    void guest_panicked(devices::GuestPanic);
    void port_changed(std::string_view port, bool is_open);
    void press_power_key() override;
    [[nodiscard]] Result<> set_balloon(u64 bytes);
    [[nodiscard]] Result<> change_link(std::string_view settings);
    [[nodiscard]] Result<> set_sensor(devices::Quantity, const devices::QuantityValue &);
    [[nodiscard]] Result<> send_input(std::span<const InputAction>);
    [[nodiscard]] Result<> change_screen(u32 output, const devices::DisplayMode &);
    /// Now, and of boards to come.
    void set_screen(u32 output, const devices::DisplayMode &);
    [[nodiscard]] Result<> press_keys(std::vector<u16> codes, u64 hold_ns);
    /// Whether anybody but its recording may touch the machine.
    [[nodiscard]] Result<> check_touchable(std::string_view what) const;
    /// Now, and of boards to come.
    void set_link(const LinkConfig &);
    std::string save_snapshot() override;
    [[nodiscard]] Result<> save_state(Board &, snapshot::Writer &, snapshot::Manifest &);
    struct SavedMachine {
        std::shared_ptr<snapshot::SnapshotFile> file; ///< its frames have been read
        snapshot::Manifest manifest;
    };
    /// Of a machine like this one, all of it sound.
    [[nodiscard]] Result<SavedMachine> open_saved(const std::string &path) const;
    [[nodiscard]] Result<> check_disks(const SavedMachine &) const;
    [[nodiscard]] Result<> restore_disks(const SavedMachine &);
    /// Locks control_mutex_ when no board is being made what start_from_ is: it has the disks until
    /// then.
    [[nodiscard]] std::unique_lock<std::mutex> control_after_restore();
    /// Makes a new board what start_from_ is, if there is one.
    [[nodiscard]] Result<> restore(Board &);
    /// Ends the wait of load().
    void loaded(Result<>);
    [[nodiscard]] Result<> open_session();
    [[nodiscard]] Result<> open_profiler();
    [[nodiscard]] Result<> open_displays();
    void execute(const replay::Command &);
    /// A replay that a debugger may be attached to gets a history.
    void open_timeline();
    /// On the machine's thread: the recording is over.
    void end_session();
    void went_live(const std::string &why);
    /// What a machine of a replay starts with, a flight recorder and a history, if there are any.
    [[nodiscard]] Result<> follow_board(Board &);
    /// The machine stands still at its end.
    void finish_recording(StopReason);
    /// Writes the last part of the run; returns what to tell.
    [[nodiscard]] Result<std::string> dump_recording();
    [[nodiscard]] std::vector<OverlayDisk *> overlays() const;
    /// On the machine's thread: the guest has ended, and a debugger keeps it there.
    [[nodiscard]] bool stays_at_end(Board &, StopReason);
    [[nodiscard]] std::optional<snapshot::Base> take_base(const std::string &path);
    void fail(Error error);

    // Moving (machine_move.cpp).
    class Departure;
    class ArrivingBoard;
    /// Devices that come and go (machine_hotplug.cpp).
    class Hotplug;
    enum class Phase : u8 {
        Here,
        Coming,  ///< waits for the machine
        Leaving, ///< stands still for the rest of a move
        Gone,    ///< goes on elsewhere; what only one process may use has been released
    };
    void set_phase(Phase);
    void tell_move(MoveState);
    [[nodiscard]] std::shared_ptr<Departure> departure() const;
    [[nodiscard]] Result<> check_not_moving(const std::string &what) const;
    [[nodiscard]] Result<> check_arriving(const std::string &manifest) const;
    /// Fills a new board with the machine that comes, if one does.
    [[nodiscard]] Result<> arrive(Board &);
    /// What only one process may use: writable images, the file of the variables, ports.
    [[nodiscard]] Result<> acquire_files();
    [[nodiscard]] Result<> release_files();
    /// Deletes internal snapshots that belonged to a snapshot of the machine; while it is paused.
    void forget_disks(const snapshot::Manifest &);
    /// The same, which it pauses.
    void forget_disks_paused(const snapshot::Manifest &);

    /// What the control socket asks for.
    class Control;
    void pause();
    /// Fails if the machine has been moved, and another process has its disks.
    [[nodiscard]] Result<> resume();
    // With control_mutex_ held.
    void pause_board();
    void resume_board(GuestClock);
    void reset();
    void tell(MachineEvent, EventCause = EventCause::None);
    /// What a debugger sees (machine_debug.cpp).
    class Debugged;
    /// What a search for a divergence sees of it (machine_bisect.cpp).
    class Bisected;
    /// Serves a debugger there, or nowhere any more.
    [[nodiscard]] Result<> serve_debugger(const std::optional<GdbAddress> &);
    [[nodiscard]] Result<RunOutcome> run_boards();
    [[nodiscard]] HostBackends backends();
    /// Of all networks.
    [[nodiscard]] std::vector<UserNet *> user_nets() const;
    /// Between two boards: whether there will be another, and what happened is told.
    [[nodiscard]] bool goes_on_after(StopReason);

    MachineConfig config_;
    HostEntropy entropy_;
    std::unique_ptr<devices::Char> serial_, console_, semihosting_;
    std::vector<std::unique_ptr<devices::Char>> ports_;
    std::vector<std::unique_ptr<HostDisk>> disks_;
    std::unique_ptr<devices::Vsock> vsock_;
    std::unique_ptr<InputHub> input_;
    Screen screen_;
    std::unique_ptr<devices::Sound> sound_; ///< null: there is none
    std::unique_ptr<devices::Net> net_;
    UserNet *user_net_ = nullptr;                   ///< the same, if it is one
    std::vector<std::unique_ptr<UserNet>> netdevs_; ///< as MachineConfig::netdevs has them
    std::vector<std::unique_ptr<HostShare>> shares_;
    std::array<std::unique_ptr<devices::FlashStorage>, 2> flash_;
    std::unique_ptr<move::Arrival> arrival_; ///< of a machine that comes
    std::optional<snapshot::Base> base_;     ///< saved or restored last; guarded by control_mutex_
    /// Null: all or nothing is recorded. The session logs there up to its end.
    std::unique_ptr<flight::FlightRecorder> flight_;
    std::unique_ptr<replay::Session> session_;    ///< of a deterministic machine
    bool has_started_ = false;                    ///< a replay, from where its recording begins
    std::unique_ptr<reverse::Timeline> timeline_; ///< of a replay; null: it only goes forward
    StopReason guest_end_ = StopReason::None;     ///< as stays_at_end() knows it
    replay::ReplayResult replay_result_;
    std::string statistics_;
    std::unique_ptr<profile::Profiler> profiler_;
    /// One at a time: saving, pressing keys, pausing, replacing the board. Before mutex_.
    std::mutex control_mutex_;
    mutable std::mutex mutex_; ///< guards what follows, up to the watcher
    Board *board_ = nullptr;
    RunOutcome outcome_;                  ///< as asked for by stop()
    EventCause cause_ = EventCause::None; ///< of outcome_
    std::optional<Error> failure_;
    std::condition_variable changed_;        ///< board_, start_from_ or has_ended_
    std::optional<SavedMachine> start_from_; ///< of the next board; else it boots
    bool is_loading_ = false;                ///< load() waits for what follows
    std::optional<Result<>> load_result_;
    std::condition_variable load_ended_;
    bool is_announced_ = false; ///< what runs the guest
    bool paused_ = false;
    bool has_run_ = false; ///< else it has been stopped from the start
    bool reset_by_control_ = false;
    bool has_ended_ = false;
    std::atomic<u8> exit_status_ = 0; ///< the guest's
    std::atomic<Phase> phase_ = Phase::Here;
    MoveParameters move_parameters_;
    std::shared_ptr<Departure> departure_; ///< the last one
    std::unique_ptr<Watcher> watcher_;
    std::unique_ptr<MachineControl> control_;
    std::unique_ptr<Hotplug> hotplug_;
    std::unique_ptr<Debugged> debugged_;
    std::unique_ptr<Errand> pauser_;    ///< its thread inherits the signals that watcher_ blocks
    std::unique_ptr<QmpServer> server_; ///< goes before what it uses, as do the next three
    std::unique_ptr<VncService> vnc_;   ///< null: there is none; likewise the next
    std::unique_ptr<WindowService> windows_;
    std::mutex gdb_mutex_; ///< guards the pointer; the innermost
    std::shared_ptr<GdbServer> gdb_;
    bool gdb_is_over_ = false; ///< likewise guarded
};

/// What tells a file or block device from the same one changed; empty if there is none.
[[nodiscard]] std::string content_of(const std::string &path);

/// Whether the guest ended a run, or somebody outside.
[[nodiscard]] replay::RunEnd end_of_run(StopReason);

/// What a recording that was opened is of, to be replayed: its files are as they were.
[[nodiscard]] Result<MachineConfig> config_of_recording(const replay::JournalReader &,
                                                        const std::string &path);

/// What `--restore` takes from a snapshot: the machine that it is of.
[[nodiscard]] Result<MachineConfig> config_of_snapshot(const std::string &path);

/// What `--incoming` takes from a machine that comes, after a wait for it.
[[nodiscard]] Result<MachineConfig> config_of_arrival(move::Arrival &);

/// Whether the configuration makes sense; the error is one line naming the option.
[[nodiscard]] Result<> check_config(const MachineConfig &);

} // namespace tandem::machine
