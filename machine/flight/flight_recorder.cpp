#include "machine/flight/flight_recorder.h"

#include "machine/boot/file_bytes.h"
#include "machine/host/monotonic.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace tandem::machine::flight {
namespace {

using replay::JournalWriter;
using replay::RunEnd;

constexpr u64 kNever = replay::Session::kNever;
/// A machine whose disks are busy is looked at again after so much guest time.
constexpr u64 kRetry = 100'000;
/// How many files there may be of one name.
constexpr unsigned kMaxNames = 1000;

} // namespace

Result<std::unique_ptr<FlightRecorder>> FlightRecorder::create(replay::Session &session,
                                                               std::span<OverlayDisk *const> disks,
                                                               const RingConfig &config,
                                                               std::string path,
                                                               std::string manifest, Owner owner) {
    std::error_code error;
    if (std::filesystem::exists(path, error))
        return failure(fmt::format("{}: is there already; name a new file, or move it away", path));
    return std::unique_ptr<FlightRecorder>(new FlightRecorder(
        session, disks, config, std::move(path), std::move(manifest), std::move(owner)));
}

FlightRecorder::FlightRecorder(replay::Session &session, std::span<OverlayDisk *const> disks,
                               const RingConfig &config, std::string path, std::string manifest,
                               Owner owner)
    : session_(session), config_(config),
      // With halves, what is kept is one and a half of what was asked for at most.
      interval_(config.time_ns != 0 ? std::max<u64>(config.time_ns / 2, 1) : config.interval_ns),
      path_(std::move(path)), manifest_(std::move(manifest)), owner_(std::move(owner)),
      checkpoints_(session, disks, kNever), writer_(log_, owner_.failed) {
    session_.log_to(writer_);
    session_.watch(std::string(kPanic), [this] { dump_after(kAfterText, "the guest panicked"); });
    if (!config_.text.empty())
        session_.watch(config_.text, [this] {
            dump_after(kAfterText, fmt::format("the guest said {}", config_.text));
        });
    session_.on_errand([this] { run_errand(); });
}

Result<> FlightRecorder::set_board(Board &board) {
    checkpoints_.set_board(board);
    TRY(keep(session_.now_ns()));
    set_errand();
    return {};
}

// ------------------------------------------------------------------------------------ on the way

void FlightRecorder::set_errand() {
    session_.set_errand(std::min(next_checkpoint_, dump_at_));
}

void FlightRecorder::run_errand() {
    const u64 now = session_.now_ns();
    if (now >= dump_at_) dump_by_itself(RunEnd::Host, std::exchange(why_, {}));
    if (now >= next_checkpoint_)
        if (auto kept = keep(now); !kept.has_value()) owner_.failed(std::move(kept.error()));
    set_errand();
}

Result<> FlightRecorder::keep(u64 now) {
    next_checkpoint_ = now + kRetry;
    const u64 here = session_.position();
    if (!session_.is_at_rest() || (!starts_.empty() && starts_.back().position == here)) return {};
    next_checkpoint_ = now + interval_;
    const u64 began = monotonic_ns();
    TRY(checkpoints_.take());
    writer_.flush();
    writer_.continue_from(now); // also where nothing has entered for long
    if (!starts_.empty()) log_.begin_stretch();
    starts_.push_back({here, now});
    statistics_.most_bytes = std::max(statistics_.most_bytes, checkpoints_.bytes() + log_.bytes());
    while (starts_.size() > 1 && has_too_much(now)) {
        checkpoints_.drop_first();
        log_.drop_stretch();
        starts_.pop_front();
    }
    const u64 pause = monotonic_ns() - began;
    ++statistics_.checkpoints;
    statistics_.pause_ns += pause;
    statistics_.longest_pause_ns = std::max(statistics_.longest_pause_ns, pause);
    return {};
}

bool FlightRecorder::has_too_much(u64 now) const {
    if (config_.time_ns != 0) return now - starts_[1].moment >= config_.time_ns;
    return checkpoints_.past_bytes() + log_.bytes() > config_.bytes;
}

void FlightRecorder::dump_after(u64 ns, std::string why) {
    if (dump_at_ != kNever) return;
    dump_at_ = session_.now_ns() + ns;
    why_ = std::move(why);
    set_errand();
}

// -------------------------------------------------------------------------------------- the file

void FlightRecorder::finish(RunEnd end, std::optional<std::string> why) {
    if (!why.has_value() && dump_at_ != kNever) why = std::exchange(why_, {});
    if (why.has_value()) dump_by_itself(end, *why);
}

void FlightRecorder::dump_by_itself(RunEnd end, const std::string &why) {
    dump_at_ = kNever;
    if (files_ == kMaxFiles) return;
    ++files_;
    auto written = dump(end);
    if (written.has_value())
        owner_.dumped(*written, why);
    else
        owner_.failed(std::move(written.error()));
}

Result<FlightRecorder::Dump> FlightRecorder::dump(RunEnd end) {
    const u64 began = monotonic_ns();
    writer_.flush();
    Dump report{.path = TRY(next_path()),
                .from_ns = starts_.front().moment,
                .to_ns = session_.now_ns(),
                .bytes = 0,
                .pause_ns = 0};
    auto written = write(report.path, end);
    if (!written.has_value()) {
        std::error_code ignored; // what is there is of no use
        std::filesystem::remove(report.path, ignored);
        return std::unexpected(written.error());
    }
    report.bytes = *written;
    report.pause_ns = monotonic_ns() - began;
    return report;
}

Result<std::string> FlightRecorder::next_path() {
    for (unsigned number = 1; number <= kMaxNames; ++number) {
        std::string path = number == 1 ? path_ : fmt::format("{}.{}", path_, number);
        std::error_code error;
        if (!std::filesystem::exists(path, error)) return path;
    }
    return failure(
        fmt::format("{}: there are {} of them already; move some away", path_, kMaxNames));
}

Result<u64> FlightRecorder::write(const std::string &path, RunEnd end) const {
    std::optional<Error> failed;
    {
        const auto file = TRY(JournalWriter::create(
            path, manifest_, [&failed](Error error) { failed = std::move(error); }));
        const reverse::Checkpoint &start = checkpoints_.at(starts_.front().position);
        const u64 moment = starts_.front().moment;
        for (u32 memory = 0; memory < start.memories.size(); ++memory)
            start.memories[memory].for_each([&](u64 page, const std::byte *bytes) {
                file->page(
                    moment, memory, page,
                    std::span<const std::byte, replay::kPageBytes>(bytes, replay::kPageBytes));
            });
        file->state(moment, start.state);
        file->flush();
        TRY(log_.for_each_chunk([&](std::span<const std::byte> chunk) -> Result<> {
            return file->append_chunk(chunk);
        }));
        file->continue_from(writer_.last_moment());
        file->end(session_.now_ns(), {end, session_.hash()});
    }
    if (failed.has_value()) return std::unexpected(*failed);
    std::error_code error;
    return std::filesystem::file_size(path, error);
}

std::string FlightRecorder::report() const {
    const u64 count = std::max<u64>(statistics_.checkpoints, 1);
    return fmt::format("flight recorder: {} checkpoints, {:.1f} ms each, {:.1f} ms at most; {} at "
                       "most\n",
                       statistics_.checkpoints,
                       static_cast<double>(statistics_.pause_ns) / 1e6 / static_cast<double>(count),
                       static_cast<double>(statistics_.longest_pause_ns) / 1e6,
                       human_size(statistics_.most_bytes));
}

} // namespace tandem::machine::flight
