#pragma once
/// Part of Machine: its move to another process.
#include "machine/machine.h"
#include "machine/move/address.h"
#include "machine/move/source.h"

#include <condition_variable>
#include <thread>

namespace tandem::machine {

/// One attempt. It has a thread of its own, which has the board until is_over().
class Machine::Departure final : private move::LeavingMachine {
public:
    Departure(Machine &, std::string where, const MoveParameters &);
    /// Waits for the thread's end.
    ~Departure() override;

    // Any thread.
    [[nodiscard]] bool is_over() const;
    [[nodiscard]] MoveReport report() const;
    void cancel();
    void set_parameters(const MoveParameters &);
    /// The board ends: so does the move. Returns when it has.
    void leave_board(const std::string &reason);

private:
    void run();
    [[nodiscard]] Result<> attempt();

    std::string manifest() override;
    Result<std::vector<move::MovedRegion>> begin() override;
    void end() override;
    void hold_cpus() override;
    void let_cpus_go() override;
    void approach_stop() override;
    Result<> stop() override;
    std::vector<move::PartState> state() override;
    Result<std::string> release() override;
    bool runs_there() override;
    Result<> take_back() override;

    Machine &machine_;
    const std::string where_;
    Board *board_ = nullptr;
    std::unique_lock<std::mutex> control_; ///< the machine's, from stop() on
    bool was_paused_ = false, has_gone_ = false;
    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable ended_;
    MoveParameters parameters_;
    move::Source *source_ = nullptr;                            ///< while it is connected
    MoveReport report_{.state = MoveState::Setup, .error = {}}; ///< while it is not
    bool is_over_ = false, is_cancelled_ = false;
    std::string cancelled_because_;
    std::thread thread_;
};

} // namespace tandem::machine
