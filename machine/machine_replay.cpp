/// Deterministic machines: the part of Machine that joins a session with what is recorded or
/// replayed.
#include "machine/boot/file_bytes.h"
#include "machine/flight/start_state.h"
#include "machine/machine.h"
#include "machine/machine_debug.h"
#include "machine/replay/recording.h"
#include "machine/screen/screen_config.h"
#include "machine/sensors/sensor_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tandem::machine {
namespace {

bool has_input(const SerialConfig &line) {
    return line.kind != SerialConfig::Kind::None && line.kind != SerialConfig::Kind::File;
}

/// After these, what led to them is written.
constexpr std::pair<StopReason, std::string_view> kBadEnds[] = {
    {StopReason::Signal, "ended by a signal"},
    {StopReason::Timeout, "the time is over"},
    {StopReason::Panicked, "the guest has panicked"},
    {StopReason::Failure, "the machine has failed"}};

std::string text_of(const flight::FlightRecorder::Dump &dump) {
    return fmt::format(
        "{} has the last {:.3f} s ({}, written in {} ms); replay it: tandem replay {}", dump.path,
        static_cast<double>(dump.to_ns - dump.from_ns) / 1e9, human_size(dump.bytes),
        dump.pause_ns / 1'000'000, dump.path);
}

} // namespace

replay::RunEnd end_of_run(StopReason reason) {
    return reason == StopReason::PowerOff || reason == StopReason::Panicked ||
                   reason == StopReason::Exited || reason == StopReason::Reset
               ? replay::RunEnd::Guest
               : replay::RunEnd::Host;
}

Result<MachineConfig> config_of_recording(const replay::JournalReader &journal,
                                          const std::string &path) {
    replay::Recording recording = TRY(replay::parse_recording(journal.manifest(), path));
    TRY(replay::verify_files(recording, path));
    recording.config.deterministic->replay = path;
    return recording.config;
}

Result<> Machine::open_session() {
    if (!config_.deterministic.has_value()) return {};
    const DeterministicConfig &wanted = *config_.deterministic;
    session_ = std::make_unique<replay::Session>(
        wanted, config_.cpus,
        replay::Session::Owner{.execute = [this](replay::Command command) { execute(command); },
                               .stop = [this] { end_session(); },
                               .went_live = [this](const std::string &why) { went_live(why); }});
    if (!wanted.replay.empty()) {
        auto journal = replay::JournalReader::open(wanted.replay);
        if (!journal.has_value()) return std::unexpected(journal.error().error);
        session_->replay(std::move(*journal));
    }
    if (!config_.meets_host()) return {};
    const auto port_has_input = [](const PortConfig &port) { return has_input(port.line); };
    if (has_input(config_.serial) || (config_.console.has_value() && has_input(*config_.console)) ||
        (semihosting_ != nullptr && has_input(*config_.semihosting->line)) ||
        std::ranges::any_of(config_.ports, port_has_input) || net_ != nullptr ||
        vsock_ != nullptr || !config_.inputs.empty())
        session_->pace();
    if (wanted.record.empty()) return {};
    const std::string manifest = replay::to_json(TRY(replay::describe(config_)));
    if (wanted.ring.has_value()) {
        flight_ = TRY(flight::FlightRecorder::create(
            *session_, overlays(), *wanted.ring, wanted.record, manifest,
            {.dumped =
                 [](const flight::FlightRecorder::Dump &dump, const std::string &why) {
                     fmt::print(stderr, "tandem: {}: {}\r\n", why, text_of(dump));
                 },
             .failed =
                 [](const Error &error) { fmt::print(stderr, "tandem: {}\r\n", error.message); }}));
        return {};
    }
    session_->record(TRY(replay::JournalWriter::create(
        wanted.record, manifest, [this](Error error) { fail(std::move(error)); })));
    return {};
}

std::vector<OverlayDisk *> Machine::overlays() const {
    std::vector<OverlayDisk *> overlays;
    for (const auto &disk : disks_)
        if (OverlayDisk *overlay = disk->overlay(); overlay != nullptr) overlays.push_back(overlay);
    return overlays;
}

Result<> Machine::follow_board(Board &board) {
    if (config_.is_replay() && !std::exchange(has_started_, true))
        TRY(flight::load_start(*session_, board, overlays(), config_.deterministic->replay));
    if (flight_ != nullptr) TRY(flight_->set_board(board));
    if (timeline_ != nullptr) TRY(timeline_->set_board(board));
    return {};
}

void Machine::finish_recording(StopReason reason) {
    const replay::RunEnd end = end_of_run(reason);
    replay_result_ = session_->finish(end);
    if (flight_ == nullptr) return;
    std::optional<std::string> why;
    {
        const std::lock_guard lock(mutex_);
        for (const auto &[each, text] : kBadEnds)
            if (outcome_.reason == each) why = text;
        if (outcome_.reason == StopReason::Exited && outcome_.status != 0)
            why = fmt::format("the guest has ended with status {}", outcome_.status);
    }
    flight_->finish(end, std::move(why));
}

Result<std::string> Machine::dump_recording() {
    const std::lock_guard control(control_mutex_);
    Board *board = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (has_run_) board = board_;
    }
    if (flight_ == nullptr)
        return failure(
            "record: the machine keeps no last part of its run; start it with --record F "
            "--record-ring SECONDS");
    if (board == nullptr)
        return failure("record: the machine does not run; ask again when it does");
    board->pause();
    const auto dump = flight_->dump(replay::RunEnd::Host);
    board->resume();
    if (!dump.has_value()) return std::unexpected(dump.error());
    return text_of(*dump);
}

void Machine::open_timeline() {
    if (config_.meets_host()) return;
    if (!config_.gdb.has_value() && !config_.deterministic->keeps_history) return;
    timeline_ = std::make_unique<reverse::Timeline>(
        *session_, overlays(), config_.deterministic->checkpoint_memory,
        reverse::Timeline::Owner{
            .arrived = [this](u32 cpu,
                              const CpuStop &stop) { session_->board().announce_stop(cpu, stop); },
            .not_stopped =
                [this] {
                    const std::lock_guard lock(mutex_);
                    if (outcome_.reason == StopReason::None) session_->board().forget_stop();
                },
            .passed_end =
                [this] {
                    if (debugged_->is_attached())
                        timeline_->recording_ended();
                    else
                        session_->board().stop(guest_end_);
                },
            .failed = [this](Error error) { fail(std::move(error)); }});
}

void Machine::end_session() {
    if (timeline_ != nullptr && debugged_->is_attached()) {
        // If the guest has just ended or been reset, that comes first: stays_at_end().
        if (!session_->board().is_stopping()) timeline_->recording_ended();
    } else {
        stop({StopReason::Reached, 0}, EventCause::ControlQuit);
    }
}

void Machine::went_live(const std::string &why) {
    fmt::print(stderr, "tandem: {}{}live from guest time {:.9f} s on\r\n", why,
               why.empty() ? "" : "; ", static_cast<double>(session_->now_ns()) / 1e9);
}

bool Machine::stays_at_end(Board &board, StopReason reason) {
    if (timeline_ == nullptr || !debugged_->is_attached()) return false;
    const bool has_ended = reason == StopReason::PowerOff || reason == StopReason::Panicked ||
                           reason == StopReason::Exited ||
                           (reason == StopReason::Reset && !config_.reboot_allowed);
    {
        const std::lock_guard lock(mutex_);
        if (!has_ended || outcome_.reason != StopReason::None) return false;
        board.forget_stop();
    }
    guest_end_ = reason;
    timeline_->guest_ended();
    return true;
}

void Machine::execute(const replay::Command &command) {
    using Kind = replay::Command::Kind;
    switch (command.kind) {
    case Kind::PressPowerKey: board_->press_power_key(); break;
    case Kind::Reset: board_->stop(StopReason::Reset); break;
    case Kind::SetBalloon: {
        u64 bytes = 0;
        const std::string &text = command.text;
        if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc{})
            board_->set_balloon(bytes);
        break;
    }
    case Kind::SetScreen: {
        const std::string &text = command.text;
        u32 output = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), output);
        const std::size_t size = static_cast<std::size_t>(end - text.data()) + 1;
        if (error != std::errc{} || size > text.size()) break;
        if (const auto mode = parse_screen(std::string_view{text}.substr(size)); mode.has_value())
            set_screen(output, *mode);
        break;
    }
    case Kind::SetSensor: {
        const std::string_view text = command.text;
        const std::size_t name = std::min(text.find(' '), text.size());
        const auto quantity = parse_quantity(text.substr(0, name));
        if (!quantity.has_value() || name == text.size()) break;
        if (const auto value = parse_value(*quantity, text.substr(name + 1)); value.has_value())
            board_->set_sensor(*quantity, *value);
        break;
    }
    case Kind::SetLink: {
        LinkConfig link = config_.net.link;
        if (apply_link_settings(command.text, link).has_value()) set_link(link);
        break;
    }
    }
}

} // namespace tandem::machine
