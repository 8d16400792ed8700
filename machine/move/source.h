#pragma once
/// The side of a move that the machine leaves: sends its pages while it runs, again and again those
/// it has written meanwhile, until the rest takes no longer than the guest may stand still; then
/// stops it and sends that rest. Whatever fails, the machine goes on here.
#include "machine/move/channel.h"
#include "machine/move/page_sender.h"
#include "machine/move/progress.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tandem::machine::move {

/// A part of the machine that is sent by pages.
struct MovedRegion {
    std::unique_ptr<snapshot::PagedRegion> pages;
    /// Adds the pages written since the last call to a bitmap, a bit for each.
    std::function<void(std::span<u64>)> collect;
};

struct PartState {
    std::string name;
    std::vector<std::byte> bytes;
};

/// What the source asks of the machine; all by one thread.
class LeavingMachine {
public:
    virtual ~LeavingMachine() = default;
    [[nodiscard]] virtual std::string manifest() = 0;
    /// From here on written pages are noticed, until end().
    [[nodiscard]] virtual Result<std::vector<MovedRegion>> begin() = 0;
    virtual void end() = 0;

    // Between these two its CPUs do nothing.
    virtual void hold_cpus() = 0;
    virtual void let_cpus_go() = 0;

    /// It is about to be stopped: what takes time may be done before.
    virtual void approach_stop() = 0;
    /// Nothing changes it any more. Fails if it has ended.
    [[nodiscard]] virtual Result<> stop() = 0;
    // While stopped.
    [[nodiscard]] virtual std::vector<PartState> state() = 0;
    /// Gives up what only one process may use, so that another can have it, and says what it was
    /// like: JSON.
    [[nodiscard]] virtual Result<std::string> release() = 0;
    /// Whether the guest runs where it arrives.
    [[nodiscard]] virtual bool runs_there() = 0;
    /// After stop(): it goes on here as if nothing had been. Fails if another process has what was
    /// released: then it stays stopped.
    [[nodiscard]] virtual Result<> take_back() = 0;
};

class Source {
public:
    /// `told` is called at each change of state, by the thread that runs.
    Source(LeavingMachine &, Channel &, const MoveParameters &,
           std::function<void(MoveState)> told);
    ~Source();

    /// The whole move. Its error is the report's, too.
    [[nodiscard]] Result<> run();

    // Any thread.
    /// Ends it, unless the target has the machine already: it is cancelled, or has failed for this
    /// reason.
    void cancel(const std::string &reason = "");
    void set_parameters(const MoveParameters &);
    [[nodiscard]] MoveReport report() const;

private:
    class Throttle;

    [[nodiscard]] Result<> send_machine();
    [[nodiscard]] Result<> send_rounds();
    /// Sends what the bitmaps have, and empties them.
    [[nodiscard]] Result<> send_round();
    /// Once nothing changes any more.
    [[nodiscard]] Result<> send_rest();
    [[nodiscard]] Result<> hand_over();
    void collect();
    void enter(MoveState);
    [[nodiscard]] bool is_over_soon() const;
    [[nodiscard]] Result<> slow_down();
    [[nodiscard]] MoveParameters parameters() const;
    void update(const std::function<void(MoveReport &)> &);

    LeavingMachine &machine_;
    Channel &channel_;
    PageSender sender_;
    std::function<void(MoveState)> told_;
    std::vector<MovedRegion> regions_;
    std::vector<std::vector<u64>> written_; ///< a bitmap for each region
    std::unique_ptr<Throttle> throttle_;
    u64 left_ = 0;          ///< pages that the bitmaps have
    u64 sent_in_round_ = 0; ///< likewise
    double page_rate_ = 0;  ///< pages a second
    unsigned too_fast_ = 0; ///< rounds in a row in which the guest wrote almost as much as was sent
    unsigned at_most_ = 0;  ///< rounds at the lowest speed
    const u64 began_ns_;
    u64 stopped_ns_ = 0;
    bool is_stopped_ = false;
    mutable std::mutex mutex_; ///< guards what follows
    bool is_given_up_ = false; ///< the machine, to the target
    bool is_cancelled_ = false;
    std::string cancelled_because_;
    MoveReport report_;
    MoveParameters parameters_;
};

} // namespace tandem::machine::move
