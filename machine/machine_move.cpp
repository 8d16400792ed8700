/// Moving: the part of Machine that joins a move's two sides with a board and its disks.
#include "machine/machine_move.h"

#include "machine/control/qmp_server.h"
#include "machine/host/flash_file.h"
#include "machine/snapshot/overlay_region.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tandem::machine {
namespace {

using move::kPageSize;
using nlohmann::json;

/// How long the target may take to let go of what it has been given and does not want.
constexpr std::chrono::seconds kTakeBack{5};
constexpr std::chrono::milliseconds kTakeBackStep{20};

std::vector<snapshot::PageRange> pages_of(const auto &ranges) {
    std::vector<snapshot::PageRange> pages;
    for (const auto &[offset, length] : ranges)
        pages.push_back({offset / kPageSize, length / kPageSize});
    return pages;
}

/// Flash cells: they seldom change, so nobody but a hash of each page notices.
class FlashPages {
public:
    explicit FlashPages(devices::FlashStorage &storage)
        : storage_(storage), hashes_(storage.cells().size() / kPageSize) {
        for_each_change([](u64) {});
    }
    void collect(std::span<u64> pages) {
        for_each_change([&](u64 page) { pages[page / 64] |= u64{1} << (page % 64); });
    }

private:
    void for_each_change(auto f) {
        for (const auto &[first, count] : pages_of(storage_.populated()))
            for (u64 page = first; page < first + count; ++page) {
                const auto bytes = storage_.cells().subspan(page * kPageSize, kPageSize);
                const u64 hash = ::XXH3_64bits(bytes.data(), bytes.size());
                if (std::exchange(hashes_[page], hash) != hash) f(page);
            }
    }

    devices::FlashStorage &storage_;
    std::vector<u64> hashes_;
};

/// Memory that is zero at first.
class MemorySink final : public move::PageSink {
public:
    explicit MemorySink(std::span<std::byte> bytes)
        : bytes_(bytes), has_come_(bytes.size() / kPageSize) {}
    u64 page_count() const override { return has_come_.size(); }
    bool put(u64 page, std::span<const std::byte, kPageSize> bytes) override {
        std::ranges::copy(bytes, at(page).begin());
        has_come_[page] = true;
        return true;
    }
    bool put_zero(u64 page) override {
        // The host need not give memory for what nobody has touched.
        if (has_come_[page]) std::ranges::fill(at(page), std::byte{0});
        return true;
    }

private:
    [[nodiscard]] std::span<std::byte> at(u64 page) const {
        return bytes_.subspan(page * kPageSize, kPageSize);
    }

    std::span<std::byte> bytes_;
    std::vector<bool> has_come_;
};

class OverlaySink final : public move::PageSink {
public:
    explicit OverlaySink(OverlayDisk &disk) : disk_(disk) {}
    u64 page_count() const override { return disk_.cluster_count(); }
    bool put(u64 page, std::span<const std::byte, kPageSize> bytes) override {
        return write_bytes(disk_, page * kPageSize, bytes.first(length_of(page)));
    }
    bool put_zero(u64 page) override {
        return disk_.write_zeroes(page * kPageSize, length_of(page), true) == StoreStatus::Ok;
    }

private:
    /// The last one may be cut off.
    [[nodiscard]] u64 length_of(u64 page) const {
        return std::min<u64>(kPageSize, disk_.size() - page * kPageSize);
    }

    OverlayDisk &disk_;
};

} // namespace

// ------------------------------------------------------------------------------ shared by the two

Result<> Machine::acquire_files() {
    // All or none, so that it can be tried again.
    std::size_t acquired = 0;
    const auto acquire = [&]() -> Result<> {
        for (; acquired < disks_.size(); ++acquired)
            if (disks_[acquired]->is_exclusive()) TRY(disks_[acquired]->acquire());
        if (auto *flash = dynamic_cast<FlashFile *>(flash_[1].get()); flash != nullptr)
            TRY(flash->acquire());
        for (UserNet *net : user_nets())
            if (const auto opened = net->open_forwards(); !opened.has_value()) {
                for (UserNet *each : user_nets()) each->close_forwards();
                if (auto *flash = dynamic_cast<FlashFile *>(flash_[1].get()); flash != nullptr)
                    flash->release();
                return opened;
            }
        return {};
    };
    const Result<> result = acquire();
    if (result.has_value()) return result;
    for (std::size_t i = 0; i < acquired; ++i)
        if (disks_[i]->is_exclusive()) static_cast<void>(disks_[i]->release());
    return result;
}

Result<> Machine::release_files() {
    for (const auto &disk : disks_)
        if (disk->is_exclusive()) TRY(disk->release());
    if (auto *flash = dynamic_cast<FlashFile *>(flash_[1].get()); flash != nullptr)
        flash->release();
    for (UserNet *net : user_nets()) net->close_forwards();
    return {};
}

void Machine::set_phase(Phase phase) {
    phase_ = phase;
}

void Machine::tell_move(MoveState state) {
    if (server_ != nullptr) server_->move_event(state);
}

Result<> Machine::check_not_moving(const std::string &what) const {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::Gone)
        return failure(
            fmt::format("{}: the machine has been moved to another process; ask there", what));
    if (departure_ == nullptr || departure_->is_over()) return {};
    return failure(
        fmt::format("{}: the machine is being moved; wait for that, or cancel it", what));
}

// -------------------------------------------------------------------------------------- departure

Result<> Machine::move(const std::string &where) {
    TRY(move::check_address(where));
    const std::lock_guard control(control_mutex_);
    TRY(check_not_moving(where));
    if (session_ != nullptr)
        return failure(fmt::format("{}: a deterministic machine cannot be moved, as that would "
                                   "change its run; record it instead",
                                   where));
    if (!config_.shares.empty())
        return failure(fmt::format("{}: a machine with shared folders cannot be moved, as they "
                                   "stay here; run it without --share",
                                   where));
    std::shared_ptr<Departure> previous; // goes without the mutex
    const std::lock_guard lock(mutex_);
    if (board_ == nullptr || !board_->is_running())
        return failure(fmt::format("{}: the machine does not run; move it when it does", where));
    if (!board_->can_be_saved())
        return failure(
            fmt::format("{}: a machine under KVM cannot be moved yet; start it there", where));
    previous = std::exchange(departure_, nullptr);
    departure_ = std::make_shared<Departure>(*this, where, move_parameters_);
    return {};
}

std::shared_ptr<Machine::Departure> Machine::departure() const {
    const std::lock_guard lock(mutex_);
    return departure_;
}

Machine::Departure::Departure(Machine &machine, std::string where, const MoveParameters &parameters)
    : machine_(machine), where_(std::move(where)),
      control_(machine.control_mutex_, std::defer_lock), parameters_(parameters),
      thread_([this] { run(); }) {}

Machine::Departure::~Departure() {
    cancel();
    thread_.join();
}

bool Machine::Departure::is_over() const {
    const std::lock_guard lock(mutex_);
    return is_over_;
}

MoveReport Machine::Departure::report() const {
    const std::lock_guard lock(mutex_);
    return source_ != nullptr ? source_->report() : report_;
}

void Machine::Departure::cancel() {
    const std::lock_guard lock(mutex_);
    is_cancelled_ = true;
    if (source_ != nullptr) source_->cancel(cancelled_because_);
}

void Machine::Departure::set_parameters(const MoveParameters &parameters) {
    const std::lock_guard lock(mutex_);
    parameters_ = parameters;
    if (source_ != nullptr) source_->set_parameters(parameters);
}

void Machine::Departure::leave_board(const std::string &reason) {
    {
        const std::lock_guard lock(mutex_);
        if (is_over_) return;
        if (!is_cancelled_) cancelled_because_ = reason;
    }
    cancel();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return is_over_; });
}

void Machine::Departure::run() {
    const Result<> result = attempt();
    const std::lock_guard lock(mutex_);
    if (!result.has_value() && report_.state == MoveState::Setup) {
        // There was nobody to move to.
        report_.state = MoveState::Failed;
        report_.error = result.error().message;
        machine_.tell_move(MoveState::Failed);
    }
    is_over_ = true;
    ended_.notify_all();
}

Result<> Machine::Departure::attempt() {
    const move::Connection connection = TRY(move::connect(where_));
    std::unique_ptr<move::Source> source;
    {
        const std::lock_guard lock(mutex_);
        source = std::make_unique<move::Source>(
            static_cast<LeavingMachine &>(*this), *connection.channel, parameters_,
            [this](MoveState state) { machine_.tell_move(state); });
        source_ = source.get();
        if (is_cancelled_) source->cancel(cancelled_because_);
    }
    const Result<> moved = source->run();
    const std::lock_guard lock(mutex_);
    report_ = source->report();
    source_ = nullptr;
    return moved;
}

std::string Machine::Departure::manifest() {
    snapshot::Manifest manifest{machine_.config_, {}};
    for (std::size_t i = 0; i < machine_.disks_.size(); ++i) {
        snapshot::DiskRecord &record = manifest.disks.emplace_back();
        record.size = machine_.disks_[i]->size();
        if (!machine_.disks_[i]->is_exclusive())
            record.content = content_of(machine_.config_.disks[i].path);
    }
    return snapshot::to_json(manifest);
}

Result<std::vector<move::MovedRegion>> Machine::Departure::begin() {
    const std::lock_guard control(machine_.control_mutex_); // a save is over
    {
        const std::lock_guard lock(machine_.mutex_);
        board_ = machine_.board_;
    }
    if (board_ == nullptr) return failure("the machine has ended");
    GuestMemory &ram = board_->ram();
    ram.need(0, ram.size());
    board_->start_tracking();
    std::vector<move::MovedRegion> regions;
    regions.push_back({std::make_unique<snapshot::MemoryRegion>(
                           "ram", std::span(ram.host(), ram.size()), pages_of(ram.populated())),
                       [this](std::span<u64> pages) { board_->collect_written(pages); }});
    for (const auto &storage : machine_.flash_)
        regions.push_back({std::make_unique<snapshot::MemoryRegion>("flash", storage->cells(),
                                                                    pages_of(storage->populated())),
                           [pages = std::make_shared<FlashPages>(*storage)](
                               std::span<u64> written) { pages->collect(written); }});
    for (const auto &disk : machine_.disks_) {
        OverlayDisk *overlay = disk->overlay();
        if (overlay == nullptr) continue;
        overlay->forget_written();
        regions.push_back(
            {std::make_unique<snapshot::OverlayRegion>(std::string{disk->identity()}, *overlay),
             [overlay](std::span<u64> clusters) { overlay->collect_written(clusters); }});
    }
    return regions;
}

void Machine::Departure::end() {
    if (board_ != nullptr) board_->stop_tracking();
    if (has_gone_) machine_.set_phase(Phase::Gone);
    if (control_.owns_lock()) control_.unlock();
}

void Machine::Departure::hold_cpus() {
    board_->hold_cpus();
}

void Machine::Departure::let_cpus_go() {
    board_->let_cpus_go();
}

void Machine::Departure::approach_stop() {
    for (const auto &disk : machine_.disks_)
        if (disk->is_exclusive()) disk->flush();
}

Result<> Machine::Departure::stop() {
    control_.lock();
    machine_.set_phase(Phase::Leaving);
    {
        const std::lock_guard lock(machine_.mutex_);
        was_paused_ = machine_.paused_;
    }
    machine_.pause_board();
    if (!board_->is_stopping()) return {};
    // It has powered off, or is reset: run_boards() says so when it gets the control.
    machine_.set_phase(Phase::Here);
    if (!was_paused_) machine_.resume_board(GuestClock::Runs);
    return failure("the guest has ended");
}

std::vector<move::PartState> Machine::Departure::state() {
    std::vector<move::PartState> parts;
    board_->save_devices([&](const std::string &name, std::span<const std::byte> bytes) {
        parts.push_back({name, {bytes.begin(), bytes.end()}});
    });
    return parts;
}

Result<std::string> Machine::Departure::release() {
    has_gone_ = true; // unless it is taken back
    TRY(machine_.release_files());
    json contents = json::array();
    for (std::size_t i = 0; i < machine_.disks_.size(); ++i)
        contents.push_back(
            machine_.disks_[i]->is_exclusive() ? content_of(machine_.config_.disks[i].path) : "");
    return json{{"disks", contents}}.dump();
}

bool Machine::Departure::runs_there() {
    return !was_paused_;
}

Result<> Machine::Departure::take_back() {
    Result<> acquired;
    if (has_gone_) {
        const auto end = std::chrono::steady_clock::now() + kTakeBack;
        while (acquired = machine_.acquire_files(),
               !acquired.has_value() && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(kTakeBackStep);
    }
    if (!acquired.has_value()) return acquired;
    has_gone_ = false;
    machine_.set_phase(Phase::Here);
    if (!was_paused_) machine_.resume_board(GuestClock::Runs);
    return {};
}

// ---------------------------------------------------------------------------------------- arrival

class Machine::ArrivingBoard final : public move::ArrivingMachine {
public:
    ArrivingBoard(Machine &machine, Board &board) : machine_(machine), board_(board) {}

    std::vector<std::unique_ptr<move::PageSink>> sinks() override {
        std::vector<std::unique_ptr<move::PageSink>> sinks;
        GuestMemory &ram = board_.ram();
        sinks.push_back(std::make_unique<MemorySink>(std::span(ram.host(), ram.size())));
        for (const auto &storage : machine_.flash_)
            sinks.push_back(std::make_unique<MemorySink>(storage->cells()));
        for (const auto &disk : machine_.disks_)
            if (disk->overlay() != nullptr)
                sinks.push_back(std::make_unique<OverlaySink>(*disk->overlay()));
        return sinks;
    }

    Result<> complete(const move::PartStates &states, std::string_view released) override {
        TRY(board_.restore_devices(
            states.size(), [&](const std::string &name) -> Result<std::span<const std::byte>> {
                const auto state = states.find(name);
                if (state == states.end())
                    return failure(fmt::format("has no state of {}; use the same Tandem on both "
                                               "sides",
                                               name));
                return std::span<const std::byte>(state->second);
            }));
        const json contents = json::parse(released, nullptr, false);
        for (std::size_t i = 0; i < machine_.disks_.size(); ++i) {
            const std::string &path = machine_.config_.disks[i].path;
            if (machine_.disks_[i]->is_exclusive() && !is_content(contents, i, content_of(path)))
                return failure(fmt::format("{}: has not what the machine has written; name the "
                                           "image that it has there",
                                           path));
        }
        return machine_.acquire_files();
    }

private:
    [[nodiscard]] static bool is_content(const json &contents, std::size_t disk,
                                         const std::string &content) {
        if (!contents.is_object() || !contents.contains("disks")) return false;
        const json &disks = contents["disks"];
        return disks.is_array() && disk < disks.size() && disks[disk] == content;
    }

    Machine &machine_;
    Board &board_;
};

Result<MachineConfig> config_of_arrival(move::Arrival &arrival) {
    if (!arrival.is_private())
        return failure("--incoming: whoever connects could choose files of this host; say what "
                       "the machine is (--kernel, --bios, --disk), or use unix:PATH");
    auto manifest = snapshot::parse_manifest(TRY(arrival.manifest()), "--incoming");
    if (!manifest.has_value())
        return arrival.target().refuse({"--incoming: what comes is no machine; use the same "
                                        "Tandem on both sides"});
    return std::move(manifest->config);
}

Result<> Machine::check_arriving(const std::string &text) const {
    const auto manifest = snapshot::parse_manifest(text, "--incoming");
    if (!manifest.has_value())
        return failure("--incoming: what comes is no machine; use the same Tandem on both sides");
    TRY(snapshot::check_same_machine(manifest->config, config_, "the machine that comes has"));
    for (std::size_t i = 0; i < disks_.size(); ++i) {
        const snapshot::DiskRecord &record = manifest->disks[i];
        const std::string &path = config_.disks[i].path;
        if (disks_[i]->size() != record.size ||
            (!disks_[i]->is_exclusive() && record.content != content_of(path)))
            return failure(fmt::format("{}: is not the disk that the machine that comes has; name "
                                       "the same image on both sides",
                                       path));
    }
    return {};
}

Result<> Machine::arrive(Board &board) {
    if (phase_ != Phase::Coming) return {};
    const std::string manifest = TRY(arrival_->manifest());
    if (const auto fits = check_arriving(manifest); !fits.has_value())
        return arrival_->target().refuse(fits.error());
    ArrivingBoard arriving(*this, board);
    const move::GoByte go = TRY(arrival_->target().receive(arriving));
    bool runs = false;
    {
        const std::lock_guard lock(mutex_);
        if (go == move::GoByte::StandsStill) paused_ = has_run_ = true;
        runs = !paused_;
    }
    set_phase(Phase::Here);
    tell_move(MoveState::Completed);
    if (runs) tell(MachineEvent::Resume);
    return {};
}

} // namespace tandem::machine
