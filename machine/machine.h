#pragma once
/// A whole virtual machine on this host: opens the host's files, builds a board and runs it, again
/// after each reset. Ends on SIGINT, SIGTERM, SIGHUP and SIGQUIT, and after its time limit.
#include "machine/board/board.h"
#include "machine/board/machine_config.h"
#include "machine/host/disk.h"
#include "machine/host/entropy.h"
#include "machine/host/net/user_net.h"
#include "machine/host/serial.h"
#include "machine/host/share/host_share.h"
#include "machine/host/watcher.h"

#include <memory>
#include <mutex>
#include <vector>

namespace tandem::machine {

struct RunOutcome {
    StopReason reason = StopReason::None;
    int signal = 0; ///< for StopReason::Signal
};

class Machine final : private ConsoleCommands {
public:
    /// Create it before any thread is started: they must inherit the signals it blocks.
    [[nodiscard]] static Result<std::unique_ptr<Machine>> create(const MachineConfig &);
    ~Machine() override;
    Machine(const Machine &) = delete;
    Machine &operator=(const Machine &) = delete;

    /// Runs until the guest powers off (or resets, if it may not reboot), stop() or the timeout.
    [[nodiscard]] Result<RunOutcome> run();
    /// Any thread.
    void stop(RunOutcome outcome);

    /// Of the last board that ran.
    [[nodiscard]] const std::string &statistics_report() const { return statistics_; }

private:
    explicit Machine(const MachineConfig &);
    Result<> open_backends();
    Result<std::unique_ptr<devices::Char>> open_line(const SerialConfig &, const LineNames &);
    Result<> open_flash();
    void quit() override { stop({StopReason::Quit, 0}); }
    void press_power_key() override;

    MachineConfig config_;
    HostEntropy entropy_;
    std::unique_ptr<devices::Char> serial_, console_;
    std::vector<std::unique_ptr<HostDisk>> disks_;
    std::unique_ptr<UserNet> net_;
    std::vector<std::unique_ptr<HostShare>> shares_;
    std::array<std::unique_ptr<devices::FlashStorage>, 2> flash_;
    std::string statistics_;
    std::mutex mutex_; ///< guards board_ and outcome_ against stop()
    Board *board_ = nullptr;
    RunOutcome outcome_; ///< as asked for by stop()
    std::unique_ptr<Watcher> watcher_;
};

/// Whether the configuration makes sense; the error is one line naming the option.
[[nodiscard]] Result<> check_config(const MachineConfig &);

} // namespace tandem::machine
