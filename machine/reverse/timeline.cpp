#include "machine/reverse/timeline.h"

#include "support/check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tandem::machine::reverse {
namespace {

constexpr u64 kNever = replay::Sequencer::kNever;
/// Before a target, checkpoints are left at these distances: the next targets are likely to be a
/// little earlier.
constexpr std::array<u64, 5> kApproach{20'000'000, 2'500'000, 320'000, 40'000, 5'000};
/// A machine whose disks are busy is looked at again after so many instructions.
constexpr u64 kRetry = 20'000;

} // namespace

Timeline::Timeline(replay::Session &session, std::span<OverlayDisk *const> disks, u64 max_bytes,
                   Owner owner)
    : session_(session), owner_(std::move(owner)), checkpoints_(session, disks, max_bytes) {
    session_.on_mark([this] { marked(); });
}

Result<> Timeline::set_board(Board &board) {
    checkpoints_.set_board(board);
    TRY(checkpoints_.take());
    if (!travels()) session_.set_mark((session_.position() / kInterval + 1) * kInterval);
    return {};
}

// ---------------------------------------------------------------------------------- what is asked

void Timeline::begin(Task task) {
    task_ = task;
    is_under_way_ = false;
    session_.set_mark(0); // as soon as the machine runs
}

void Timeline::step_back() {
    const u64 now = session_.position();
    const u64 first = checkpoints_.first();
    target_ = {.position = first, .cpu = session_.last_cpu(), .stop = {}, .point = {}};
    if (now > first)
        target_.position = now - 1;
    else
        target_.stop.cause = CpuStop::Cause::HistoryBegin;
    begin(Task::Seek);
}

void Timeline::run_back() {
    begin(Task::Search);
}

void Timeline::go_to(u64 position) {
    target_ = {.position = std::max(position, checkpoints_.first()),
               .cpu = session_.last_cpu(),
               .stop = {},
               .point = {}};
    begin(Task::Seek);
}

void Timeline::go_on() {
    begin(Task::GoOn);
}

// ------------------------------------------------------------------------------- the machine's way

void Timeline::marked() {
    Result<> done;
    switch (task_) {
    case Task::GoOn: done = keep_up(); break;
    case Task::Seek: done = seek(); break;
    case Task::Search: done = search(); break;
    }
    if (!done.has_value()) owner_.failed(std::move(done.error()));
}

Result<> Timeline::keep_up() {
    const u64 now = session_.position();
    if (end_.has_value() && now >= *end_) {
        owner_.passed_end();
        return {};
    }
    u64 next = (now / kInterval + 1) * kInterval;
    const bool is_due = now - checkpoints_.last_before(now) >= kInterval / 2;
    if (is_due && session_.is_at_rest() && !session_.board().is_stopping())
        TRY(checkpoints_.take());
    else if (is_due)
        next = now + kRetry;
    session_.set_mark(std::min(next, end_.value_or(kNever)));
    return {};
}

Result<> Timeline::bring_back(u64 position) {
    TRY(checkpoints_.bring_back(position));
    owner_.not_stopped();
    return {};
}

Result<> Timeline::seek() {
    const u64 now = session_.position();
    if (!std::exchange(is_under_way_, true)) return start_seek(std::move(target_));
    if (now >= target_.position && !target_.point.has_value()) {
        arrive(target_.cpu, target_.stop);
        return {};
    }
    if (session_.is_at_rest() && !session_.board().is_stopping()) TRY(checkpoints_.take());
    set_mark_on_the_way();
    return {};
}

Result<> Timeline::start_seek(Target target) {
    target_ = std::move(target);
    task_ = Task::Seek;
    is_under_way_ = true;
    const u64 now = session_.position();
    const u64 from = checkpoints_.last_before(target_.position);
    // A breakpoint that was hit here may be the one that is looked for.
    if (now > target_.position || from > now || target_.point.has_value()) TRY(bring_back(from));
    set_mark_on_the_way();
    return {};
}

void Timeline::set_mark_on_the_way() {
    const u64 now = session_.position();
    u64 next = target_.point.has_value() ? kNever : target_.position;
    for (const u64 distance : kApproach)
        if (target_.position > now + distance) next = std::min(next, target_.position - distance);
    session_.set_mark(next);
}

Result<> Timeline::search() {
    const u64 now = session_.position();
    u64 from = checkpoints_.first();
    if (std::exchange(is_under_way_, true)) {
        if (found_.has_value()) {
            const Hit hit = *std::exchange(found_, std::nullopt);
            Target target{.position = hit.position, .cpu = hit.cpu, .stop = hit.stop, .point = hit};
            // Backwards, an access is met when it has been made.
            if (!hit.stop.point.is_breakpoint()) {
                ++target.position;
                target.point.reset();
            }
            return start_seek(std::move(target));
        }
        segment_end_ = checkpoints_.last_before(segment_end_ - 1);
    } else {
        segment_end_ = now;
    }
    if (segment_end_ <= from)
        return start_seek({.position = from,
                           .cpu = session_.last_cpu(),
                           .stop = {.cause = CpuStop::Cause::HistoryBegin, .point = {}},
                           .point = {}});
    from = checkpoints_.last_before(segment_end_ - 1);
    TRY(bring_back(from));
    session_.set_mark(segment_end_);
    return {};
}

bool Timeline::passes(u32 cpu, const CpuStop &stop) {
    if (stop.cause != CpuStop::Cause::Point) return false;
    const u64 here = session_.position();
    if (task_ == Task::Search) found_ = {here, cpu, stop};
    if (task_ != Task::Seek) return task_ == Task::Search;
    if (!target_.point.has_value() || target_.point->position != here ||
        target_.point->cpu != cpu || stop.point.address != target_.point->stop.point.address)
        return true;
    task_ = Task::GoOn;
    session_.set_mark(here); // when the machine goes on
    return false;
}

void Timeline::arrive(u32 cpu, const CpuStop &stop) {
    task_ = Task::GoOn;
    session_.set_mark(session_.position());
    owner_.arrived(cpu, stop);
}

void Timeline::guest_ended() {
    end_ = session_.position();
    recording_ended();
}

void Timeline::recording_ended() {
    arrive(session_.last_cpu(), {.cause = CpuStop::Cause::HistoryEnd, .point = {}});
}

} // namespace tandem::machine::reverse
