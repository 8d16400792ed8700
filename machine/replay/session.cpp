#include "machine/replay/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace tandem::machine::replay {
namespace {

std::string in_seconds(u64 ns) {
    return fmt::format("{}.{:09} s", ns / 1'000'000'000, ns % 1'000'000'000);
}

} // namespace

Session::Session(const DeterministicConfig &config, u32 cpus, Owner owner)
    : clock_(config.calendar_start), schedule_(create_schedule(config.schedule, cpus, config.seed)),
      entropy_(config.seed), gate_(clock_), sequencer_(clock_, gate_, *schedule_, config.stop_at,
                                                       {.stop = [this] { stop_or_go_live(); },
                                                        .check = [this] { check(); },
                                                        .mark = [this] { mark_(); },
                                                        .errand = [this] { errand_(); }}),
      commands_(gate_, owner.execute), owner_(std::move(owner)), goes_live_(config.goes_live) {
    if (!config.stop_at.text.empty())
        watch(config.stop_at.text, [this] { sequencer_.stop_here(); });
}

HostBackends Session::wrap(const HostBackends &host) {
    HostBackends inside = host;
    using Presence = GatedChar::Presence;
    const auto line = [this](devices::Char *outside, Presence presence) -> devices::Char * {
        if (outside == nullptr) return nullptr;
        return lines_.emplace_back(std::make_unique<GatedChar>(gate_, *outside, presence)).get();
    };
    inside.serial = line(host.serial, Presence::Ignored);
    inside.console = line(host.console, Presence::Ignored);
    inside.semihosting = line(host.semihosting, Presence::Ignored);
    for (const Watch &watch : watches_)
        for (const auto &each : lines_) each->watch(watch.text, watch.seen);
    for (devices::Char *&port : inside.ports) port = line(port, Presence::Told);
    for (devices::Block *&disk : inside.disks)
        disk = disks_.emplace_back(std::make_unique<GatedDisk>(gate_, clock_, *disk)).get();
    if (host.net != nullptr) {
        net_ = std::make_unique<GatedNet>(gate_, *host.net);
        inside.net = net_.get();
    }
    if (host.vsock != nullptr) {
        vsock_ = std::make_unique<GatedVsock>(gate_, *host.vsock);
        inside.vsock = vsock_.get();
    }
    for (devices::Input *&input : inside.inputs)
        input = inputs_.emplace_back(std::make_unique<GatedInput>(gate_, *input)).get();
    if (host.display != nullptr) {
        display_ = std::make_unique<GatedDisplay>(gate_, *host.display);
        inside.display = display_.get();
    }
    if (host.sound != nullptr) {
        sound_ = std::make_unique<GatedSound>(gate_, *host.sound);
        inside.sound = sound_.get();
    }
    for (std::size_t bank = 0; bank < flash_.size(); ++bank) {
        flash_[bank] = std::make_unique<NotedFlash>(*host.flash[bank]);
        inside.flash[bank] = flash_[bank].get();
    }
    inside.entropy = &entropy_;
    inside.clock = &clock_;
    inside.sequencer = &sequencer_;
    return inside;
}

void Session::give_up() {
    for (const auto &line : lines_) line->give_up();
}

void Session::record(std::unique_ptr<JournalWriter> journal) {
    recording_ = std::move(journal);
    log_to(*recording_);
}

void Session::log_to(JournalWriter &journal) {
    recorder_ = &journal;
    gate_.record(journal);
}

void Session::replay(std::unique_ptr<JournalReader> journal) {
    replayed_ = std::move(journal);
    gate_.replay(*replayed_);
}

CheckEntry Session::look() {
    u64 memory = board_->ram_hash();
    for (const auto &bank : flash_) memory = std::rotl(memory, 21) ^ bank->hash();
    return {.devices = board_->device_hash() ^ gate_.outputs(), .memory = memory};
}

void Session::check() {
    if (recorder_ == nullptr && (replayed_ == nullptr || is_live())) return;
    const u64 now = clock_.now_ns();
    const CheckEntry seen = look();
    if (recorder_ != nullptr) return recorder_->check(now, seen);
    const Entry &next = replayed_->next();
    if (std::holds_alternative<CutEntry>(next.what)) return; // the gate ends it
    const auto *check = std::get_if<CheckEntry>(&next.what);
    if (check != nullptr && next.moment == now && *check == seen) {
        replayed_->advance();
        return;
    }
    const bool is_same_moment = check != nullptr && next.moment == now;
    divergence_ = fmt::format("within the {} instructions before number {}, at guest time {}{}",
                              Sequencer::kCheckInterval, sequencer_.executed(), in_seconds(now),
                              !is_same_moment                  ? ""
                              : check->memory == seen.memory   ? ": not in registers or devices"
                              : check->devices == seen.devices ? ": not in memory"
                                                               : "");
    owner_.stop();
}

void Session::stop_or_go_live() {
    if (!goes_live_ || is_live()) return owner_.stop();
    // If the guest has just ended or been reset, that comes first.
    if (board_->is_stopping()) return;
    if (compare(RunEnd::Host).verdict == Verdict::Diverged) return owner_.stop();
    const auto *cut = std::get_if<CutEntry>(&replayed_->next().what);
    const std::string why = cut != nullptr && gate_.is_over() ? cut->reason : "";
    gate_.go_live();
    if (vsock_ != nullptr) vsock_->went_live();
    sequencer_.forget_stop_point();
    owner_.went_live(why);
}

ReplayResult Session::finish(RunEnd reason) {
    if (recording_ != nullptr) recording_->end(clock_.now_ns(), {reason, hash()});
    return replayed_ != nullptr ? compare(reason) : ReplayResult{};
}

ReplayResult Session::compare(RunEnd reason) const {
    if (is_live()) return {Verdict::WentLive, {}};
    const u64 now = clock_.now_ns();
    if (!divergence_.empty())
        return {Verdict::Diverged, "the machine was not in the recorded state " + divergence_};
    const Entry &next = replayed_->next();
    if (const auto *cut = std::get_if<CutEntry>(&next.what); cut != nullptr && next.moment <= now)
        return {Verdict::Cut,
                fmt::format("{}; replayed up to guest time {}", cut->reason, in_seconds(now))};
    const auto *end = std::get_if<EndEntry>(&next.what);
    const bool is_at_end = end != nullptr && next.moment == now;
    const bool guest_ended = reason == RunEnd::Guest;
    if (!is_at_end && !guest_ended) return {Verdict::Stopped, {}};
    if (!is_at_end || guest_ended != (end->reason == RunEnd::Guest))
        return {Verdict::Diverged,
                fmt::format("the guest {} at guest time {}, which the recorded one did {}",
                            guest_ended ? "stopped" : "went on", in_seconds(now),
                            is_at_end ? "not" : "at another")};
    if (end->hash != hash())
        return {Verdict::Diverged,
                fmt::format("the machine is not in the recorded state at its end, at guest time {}",
                            in_seconds(now))};
    return {Verdict::Finished, {}};
}

std::optional<bool> Session::is_recorded() {
    const Entry &next = replayed_->next();
    const auto *check = std::get_if<CheckEntry>(&next.what);
    const bool is_due = check != nullptr && sequencer_.is_check_due();
    if (!is_due) return std::nullopt;
    return next.moment == clock_.now_ns() && *check == look();
}

bool Session::is_at_rest() const {
    return std::ranges::all_of(disks_, [](const auto &disk) { return disk->is_idle(); });
}

void Session::drain() {
    for (const auto &disk : disks_) disk->drain();
}

void Session::save(devices::StateWriter &writer) const {
    clock_.save(writer);
    board_->save_exactly(writer);
    for (const auto &line : lines_) line->save(writer);
    if (net_ != nullptr) net_->save(writer);
    if (vsock_ != nullptr) vsock_->save(writer);
    for (const auto &input : inputs_) input->save(writer);
    if (sound_ != nullptr) sound_->save(writer);
    devices::save_state(writer, "entropy", entropy_.stream());
    schedule_->save(writer);
    sequencer_.save(writer);
    gate_.save(writer);
}

Result<> Session::restore(std::span<const std::byte> bytes) {
    devices::StateReader reader(bytes);
    TRY(clock_.restore(reader));
    TRY(board_->restore_exactly(reader));
    for (const auto &line : lines_) TRY(line->restore(reader));
    if (net_ != nullptr) TRY(net_->restore(reader));
    if (vsock_ != nullptr) TRY(vsock_->restore(reader));
    for (const auto &input : inputs_) TRY(input->restore(reader));
    if (sound_ != nullptr) TRY(sound_->restore(reader));
    Random stream{0};
    TRY(devices::restore_state(reader, "entropy", stream));
    entropy_.set_stream(stream);
    TRY(schedule_->restore(reader));
    TRY(sequencer_.restore(reader));
    TRY(gate_.restore(reader));
    // Again, as those restored since have set timers.
    devices::StateReader from_start(bytes);
    TRY(clock_.restore(from_start));
    divergence_.clear();
    return {};
}

Result<> Session::start_from(std::span<const std::byte> saved) {
    const JournalReader::Position first = replayed_->position();
    TRY(restore(saved));
    replayed_->go_to(first);
    return {};
}

RunHash Session::hash() const {
    return {.instructions = sequencer_.executed(),
            .state = board_->state_hash(),
            .outputs = gate_.outputs()};
}

std::string Session::report() const {
    const RunHash all = hash();
    return fmt::format("state: guest time {}, {} instructions, hash {:016x}, outputs {:016x}\n",
                       in_seconds(clock_.now_ns()), all.instructions, all.state, all.outputs);
}

} // namespace tandem::machine::replay
