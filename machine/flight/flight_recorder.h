#pragma once
/// Records always and keeps the last part: checkpoints of the machine, and what has entered it
/// since the first of them. When something goes wrong that becomes a recording in a file, which
/// begins with that checkpoint in place of a boot.
#include "machine/flight/ring_log.h"
#include "machine/replay/ring_config.h"
#include "machine/reverse/checkpoints.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tandem::machine::flight {

class FlightRecorder {
public:
    /// What is written when the guest says it, with how Linux goes on about it.
    static constexpr std::string_view kPanic = "Kernel panic - not syncing";
    static constexpr u64 kAfterText = 1'000'000'000;
    /// Of files that are written by themselves in a run.
    static constexpr unsigned kMaxFiles = 10;

    struct Dump {
        std::string path;
        u64 from_ns = 0, to_ns = 0; ///< guest time
        u64 bytes = 0;
        u64 pause_ns = 0; ///< of host time: the machine stood still
    };
    /// Called on the machine's thread.
    struct Owner {
        std::function<void(const Dump &, const std::string &why)> dumped;
        std::function<void(Error)> failed;
    };
    /// `path` and `manifest` are those of the recording. The session, which is not recorded
    /// otherwise, and the disks outlive this.
    [[nodiscard]] static Result<std::unique_ptr<FlightRecorder>>
    create(replay::Session &, std::span<OverlayDisk *const> disks, const RingConfig &,
           std::string path, std::string manifest, Owner);
    FlightRecorder(const FlightRecorder &) = delete;
    FlightRecorder &operator=(const FlightRecorder &) = delete;

    /// Before the board runs.
    [[nodiscard]] Result<> set_board(Board &);
    /// On the machine's thread: so much guest time later the last part is written.
    void dump_after(u64 ns, std::string why);
    /// While the machine stands still, at a moment in which all has happened that happens then.
    [[nodiscard]] Result<Dump> dump(replay::RunEnd);
    /// The machine has ended, and stands still; `why`: the last part is to be written.
    void finish(replay::RunEnd, std::optional<std::string> why);

    struct Statistics {
        u64 checkpoints = 0, pause_ns = 0, longest_pause_ns = 0;
        u64 most_bytes = 0; ///< that everything took at once
    };
    /// A line for --stats.
    [[nodiscard]] std::string report() const;

private:
    FlightRecorder(replay::Session &, std::span<OverlayDisk *const> disks, const RingConfig &,
                   std::string path, std::string manifest, Owner);

    /// From its position on, chunks are in the log.
    struct Start {
        u64 position = 0, moment = 0;
    };
    void run_errand();
    void set_errand();
    [[nodiscard]] Result<> keep(u64 now);
    [[nodiscard]] bool has_too_much(u64 now) const;
    void dump_by_itself(replay::RunEnd, const std::string &why);
    [[nodiscard]] Result<u64> write(const std::string &path, replay::RunEnd) const;
    [[nodiscard]] Result<std::string> next_path();

    replay::Session &session_;
    const RingConfig config_;
    const u64 interval_; ///< between checkpoints, of guest time
    const std::string path_, manifest_;
    const Owner owner_;
    reverse::Checkpoints checkpoints_;
    RingLog log_;
    replay::JournalWriter writer_; ///< into the log
    std::deque<Start> starts_;     ///< one for each stretch of the log
    u64 next_checkpoint_ = 0;      ///< guest time
    u64 dump_at_ = replay::Session::kNever;
    std::string why_; ///< of that
    unsigned files_ = 0;
    Statistics statistics_;
};

} // namespace tandem::machine::flight
