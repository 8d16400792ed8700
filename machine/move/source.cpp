#include "machine/move/source.h"

#include "machine/host/monotonic.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <thread>
#include <utility>

namespace tandem::machine::move {
namespace {

/// How long the target may take for what it does while the guest stands still.
constexpr int kHandOverMs = 30'000;
/// Page numbers looked up before they are sent.
constexpr std::size_t kBatch = 256;
/// A round of fewer pages says little about speed.
constexpr u64 kTellingPages = 256;
/// The rest of the pause is for devices, disks and the last answers.
constexpr double kPagesShareOfPause = 0.6;

// Rounds are to shrink; if they do not, the guest is slowed down (QEMU's auto-converge, whose
// figures these are: migration/options.c).
constexpr unsigned kPatience = 2, kFirstThrottle = 20, kThrottleStep = 10, kMostThrottle = 99;
constexpr unsigned kRoundsAtMost = 20;

u64 count_pages(std::span<const u64> bitmap) {
    u64 count = 0;
    for (const u64 word : bitmap) count += static_cast<u64>(std::popcount(word));
    return count;
}

double mebibytes(double pages) {
    return pages * static_cast<double>(kPageSize) / (1u << 20);
}

} // namespace

/// Holds the CPUs for a part of the time.
class Source::Throttle {
public:
    explicit Throttle(LeavingMachine &machine) : machine_(machine), thread_([this] { run(); }) {}
    ~Throttle() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    void set_percent(unsigned percent) { percent_ = percent; }
    [[nodiscard]] unsigned percent() const { return percent_; }

private:
    void run() {
        std::unique_lock lock(mutex_);
        const auto sleep = [&](std::chrono::microseconds time) {
            changed_.wait_for(lock, time, [this] { return stopping_; });
        };
        static constexpr std::chrono::microseconds kSlice{5000};
        while (!stopping_) {
            const unsigned percent = percent_;
            machine_.hold_cpus();
            sleep(kSlice * percent / (100 - percent));
            machine_.let_cpus_go();
            sleep(kSlice);
        }
    }

    LeavingMachine &machine_;
    std::atomic<unsigned> percent_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::thread thread_;
};

Source::Source(LeavingMachine &machine, Channel &channel, const MoveParameters &parameters,
               std::function<void(MoveState)> told)
    : machine_(machine), channel_(channel), sender_(channel), told_(std::move(told)),
      began_ns_(monotonic_ns()), parameters_(parameters) {
    report_.state = MoveState::Setup;
    channel_.set_limit(parameters.bytes_per_second);
}

Source::~Source() = default;

MoveParameters Source::parameters() const {
    const std::lock_guard lock(mutex_);
    return parameters_;
}

void Source::set_parameters(const MoveParameters &parameters) {
    const std::lock_guard lock(mutex_);
    parameters_ = parameters;
    channel_.set_limit(parameters.bytes_per_second);
}

void Source::update(const std::function<void(MoveReport &)> &change) {
    const std::lock_guard lock(mutex_);
    change(report_);
}

MoveReport Source::report() const {
    const std::lock_guard lock(mutex_);
    MoveReport report = report_;
    const bool is_over = report.state == MoveState::Completed ||
                         report.state == MoveState::Failed || report.state == MoveState::Cancelled;
    if (!is_over) report.total_ns = monotonic_ns() - began_ns_;
    report.sent_bytes = channel_.sent_bytes();
    return report;
}

void Source::enter(MoveState state) {
    update([&](MoveReport &report) { report.state = state; });
    told_(state);
}

void Source::cancel(const std::string &reason) {
    {
        const std::lock_guard lock(mutex_);
        if (is_given_up_ || is_cancelled_) return;
        is_cancelled_ = true;
        cancelled_because_ = reason;
        report_.state = MoveState::Cancelling;
    }
    told_(MoveState::Cancelling);
    channel_.cancel();
}

Result<> Source::run() {
    enter(MoveState::Setup);
    Result<> moved = send_machine();
    if (moved.has_value()) moved = hand_over();
    throttle_.reset();
    MoveState end = moved.has_value() ? MoveState::Completed : MoveState::Failed;
    if (!moved.has_value()) {
        {
            const std::lock_guard lock(mutex_);
            if (is_cancelled_ && cancelled_because_.empty()) end = MoveState::Cancelled;
            if (is_cancelled_)
                moved = failure(cancelled_because_.empty() ? "cancelled" : cancelled_because_);
        }
        channel_.send_failure(moved.error().message);
        if (is_stopped_)
            if (const auto back = machine_.take_back(); !back.has_value())
                moved = failure(fmt::format("{}; the machine stands still here: {}",
                                            moved.error().message, back.error().message));
    }
    machine_.end();
    update([&](MoveReport &report) {
        report.total_ns = monotonic_ns() - began_ns_;
        if (moved.has_value())
            report.pause_ns = monotonic_ns() - stopped_ns_;
        else
            report.error = moved.error().message;
    });
    enter(end);
    return moved;
}

Result<> Source::send_machine() {
    TRY(channel_.send(FrameKind::Machine, machine_.manifest()));
    TRY(channel_.expect(FrameKind::Accepted, kHandOverMs));
    regions_ = TRY(machine_.begin());
    u64 total = 0;
    for (const MovedRegion &region : regions_) {
        const u64 pages = region.pages->page_count();
        std::vector<u64> &bitmap = written_.emplace_back((pages + 63) / 64);
        for (const auto &[first, count] : region.pages->ranges())
            for (u64 page = first; page < first + count; ++page)
                bitmap[page / 64] |= u64{1} << (page % 64);
        left_ += count_pages(bitmap);
        total += pages;
    }
    update([&](MoveReport &report) {
        report.total_bytes = total * kPageSize;
        report.remaining_bytes = left_ * kPageSize;
    });
    enter(MoveState::Active);
    TRY(send_rounds());
    return send_rest();
}

void Source::collect() {
    left_ = 0;
    for (std::size_t i = 0; i < regions_.size(); ++i) {
        regions_[i].collect(written_[i]);
        left_ += count_pages(written_[i]);
    }
}

Result<> Source::send_round() {
    sent_in_round_ = 0;
    std::vector<u64> numbers;
    const auto send_numbers = [&](std::size_t region) -> Result<> {
        TRY(sender_.send(static_cast<u32>(region), *regions_[region].pages, numbers));
        sent_in_round_ += numbers.size();
        left_ -= numbers.size();
        numbers.clear();
        update([&](MoveReport &report) {
            report.remaining_bytes = left_ * kPageSize;
            report.pages = sender_.pages();
            report.zero_pages = sender_.zero_pages();
            report.packed_pages = sender_.packed_pages();
        });
        return {};
    };
    for (std::size_t region = 0; region < regions_.size(); ++region) {
        for (std::size_t i = 0; i < written_[region].size(); ++i) {
            for (u64 word = std::exchange(written_[region][i], 0); word != 0; word &= word - 1)
                numbers.push_back(i * 64 + static_cast<u64>(std::countr_zero(word)));
            if (numbers.size() >= kBatch) TRY(send_numbers(region));
        }
        TRY(send_numbers(region));
    }
    return sender_.flush();
}

Result<> Source::send_rounds() {
    for (;;) {
        const u64 began = monotonic_ns();
        TRY(send_round());
        // What the line holds back counts as well.
        TRY(channel_.send(FrameKind::RoundEnd));
        TRY(channel_.expect(FrameKind::RoundTaken, Channel::kForever));
        const double seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
        if (page_rate_ == 0 || sent_in_round_ >= kTellingPages)
            page_rate_ = static_cast<double>(std::max<u64>(sent_in_round_, 1)) / seconds;
        collect();
        update([&](MoveReport &report) {
            ++report.rounds;
            report.remaining_bytes = left_ * kPageSize;
            report.bytes_per_second = static_cast<u64>(page_rate_ * static_cast<double>(kPageSize));
            report.written_per_second =
                static_cast<u64>(static_cast<double>(left_ * kPageSize) / seconds);
            report.expected_pause_ns =
                static_cast<u64>(static_cast<double>(left_) / page_rate_ * 1e9);
        });
        if (is_over_soon()) return {};
        TRY(slow_down());
    }
}

bool Source::is_over_soon() const {
    const double seconds = static_cast<double>(left_) / page_rate_;
    return seconds * 1000 <= static_cast<double>(parameters().pause_ms) * kPagesShareOfPause;
}

Result<> Source::slow_down() {
    too_fast_ = left_ * 2 > sent_in_round_ ? too_fast_ + 1 : 0;
    if (too_fast_ < kPatience) return {};
    const bool may_slow_down = parameters().slows_guest;
    if (!may_slow_down || (throttle_ != nullptr && throttle_->percent() == kMostThrottle)) {
        if (++at_most_ < kRoundsAtMost) return {};
        return failure(fmt::format("the guest writes faster than {} takes it ({:.1f} MiB left "
                                   "after each round, {:.1f} MiB/s): allow a longer pause or more "
                                   "bandwidth",
                                   channel_.peer(), mebibytes(static_cast<double>(left_)),
                                   mebibytes(page_rate_)));
    }
    too_fast_ = 0;
    if (throttle_ == nullptr) throttle_ = std::make_unique<Throttle>(machine_);
    const unsigned now = throttle_->percent();
    const unsigned next = now == 0 ? kFirstThrottle : std::min(now + kThrottleStep, kMostThrottle);
    throttle_->set_percent(next);
    update([&](MoveReport &report) { report.throttle_percent = next; });
    return {};
}

Result<> Source::send_rest() {
    machine_.approach_stop();
    throttle_.reset();
    channel_.set_limit(0); // the guest waits
    enter(MoveState::Device);
    stopped_ns_ = monotonic_ns();
    TRY(machine_.stop());
    is_stopped_ = true;
    collect();
    TRY(send_round());
    std::vector<std::byte> frame;
    for (const PartState &part : machine_.state()) {
        const auto length = static_cast<u32>(part.name.size());
        frame.clear();
        for (const auto bytes : {std::as_bytes(std::span(&length, 1)),
                                 std::as_bytes(std::span(part.name.data(), part.name.size())),
                                 std::span<const std::byte>(part.bytes)})
            frame.insert(frame.end(), bytes.begin(), bytes.end());
        if (frame.size() > kMaxFrame)
            return failure(fmt::format("{}: its state is larger than a move can send; use fewer "
                                       "CPUs",
                                       part.name));
        TRY(channel_.send(FrameKind::State, frame));
    }
    return {};
}

Result<> Source::hand_over() {
    TRY(channel_.send(FrameKind::End, TRY(machine_.release())));
    TRY(channel_.expect(FrameKind::Ready, kHandOverMs));
    {
        const std::lock_guard lock(mutex_);
        if (is_cancelled_) return failure("cancelled");
        is_given_up_ = true;
    }
    const GoByte go = machine_.runs_there() ? GoByte::Runs : GoByte::StandsStill;
    TRY(channel_.send(FrameKind::Go, std::as_bytes(std::span(&go, 1))));
    TRY(channel_.expect(FrameKind::Running, kHandOverMs));
    return {};
}

} // namespace tandem::machine::move
