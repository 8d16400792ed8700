/// Saving and restoring: the part of Machine that joins a board's state with its disks.
#include "machine/boot/file_bytes.h"
#include "machine/host/monotonic.h"
#include "machine/machine.h"
#include "machine/snapshot/catalog.h"
#include "machine/snapshot/overlay_region.h"
#include "machine/storage/qcow2/image.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

namespace tandem::machine {
namespace {

std::string overlay_name(std::size_t disk) {
    return fmt::format("disk{}", disk);
}

} // namespace

std::string content_of(const std::string &path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return {};
    if (!S_ISBLK(status.st_mode))
        return fmt::format("{} {}.{:09}", status.st_size, status.st_mtim.tv_sec,
                           status.st_mtim.tv_nsec);
    // The times of a device are not those of what it holds.
    static constexpr u64 kHead = 1u << 20;
    const auto head = FileBytes::read(path, kHead);
    return head.has_value()
               ? fmt::format("device {:016x}", ::XXH3_64bits(head->span().data(), head->size()))
               : std::string{};
}

Result<MachineConfig> config_of_snapshot(const std::string &path) {
    const auto file = TRY(snapshot::SnapshotFile::open(path));
    MachineConfig config = TRY(snapshot::parse_manifest(file->manifest(), path)).config;
    config.restore = path;
    return config;
}

// ---------------------------------------------------------------------------------------- saving

Result<> Machine::save_state(Board &board, snapshot::Writer &writer, snapshot::Manifest &manifest) {
    TRY(board.save(writer));
    u64 number = 0;
    entropy_.fill(std::as_writable_bytes(std::span(&number, 1)));
    const std::string kept_as = fmt::format("tandem-{:016x}", number);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    for (std::size_t i = 0; i < disks_.size(); ++i) {
        snapshot::DiskRecord &record = manifest.disks.emplace_back();
        record.size = disks_[i]->size();
        if (OverlayDisk *overlay = disks_[i]->overlay(); overlay != nullptr)
            TRY(writer.add_region(snapshot::OverlayRegion(overlay_name(i), *overlay)));
        if (qcow2::Image *image = disks_[i]->image(); image != nullptr) {
            TRY(image->create_snapshot(kept_as, static_cast<u64>(now.tv_sec),
                                       static_cast<u32>(now.tv_nsec)));
            record.kept_as = kept_as;
        } else {
            record.content = content_of(config_.disks[i].path);
        }
    }
    return {};
}

void Machine::forget_disks_paused(const snapshot::Manifest &manifest) {
    if (std::ranges::all_of(manifest.disks, [](const auto &disk) { return disk.kept_as.empty(); }))
        return;
    if (board_ != nullptr) board_->pause();
    forget_disks(manifest);
    if (board_ != nullptr) board_->resume();
}

void Machine::forget_disks(const snapshot::Manifest &manifest) {
    for (std::size_t i = 0; i < std::min(disks_.size(), manifest.disks.size()); ++i) {
        qcow2::Image *image = disks_[i]->image();
        if (image == nullptr || manifest.disks[i].kept_as.empty()) continue;
        // One that is gone already, or cannot go, only takes room.
        static_cast<void>(image->delete_snapshot(manifest.disks[i].kept_as));
    }
}

std::unique_lock<std::mutex> Machine::control_after_restore() {
    std::unique_lock control(control_mutex_, std::defer_lock);
    const auto is_restored = [this] { return !start_from_.has_value() || has_ended_; };
    for (;;) {
        // Not with control, which replacing the board takes.
        std::unique_lock lock(mutex_);
        changed_.wait(lock, is_restored);
        lock.unlock();
        control.lock();
        lock.lock();
        if (is_restored()) return control;
        lock.unlock();
        control.unlock();
    }
}

std::optional<snapshot::Base> Machine::take_base(const std::string &path) {
    // A long chain takes long to restore, and each link can get lost.
    static constexpr unsigned kMaxDepth = 8;
    std::optional<snapshot::Base> base = std::exchange(base_, std::nullopt);
    if (!base.has_value()) return {};
    const auto file = snapshot::SnapshotFile::open(base->path);
    if (!file.has_value() || (*file)->id() != base->id || (*file)->depth() >= kMaxDepth) return {};
    // Nor on what it is about to replace.
    std::error_code error;
    for (const snapshot::SnapshotFile *each = file->get(); each != nullptr; each = each->parent())
        if (std::filesystem::equivalent(each->path(), path, error)) return {};
    return base;
}

Result<Machine::Saved> Machine::save(const std::string &path) {
    const auto control = control_after_restore();
    TRY(check_not_moving(path));
    Board *board = nullptr;
    {
        const std::lock_guard lock(mutex_);
        board = board_;
    }
    if (board == nullptr || !board->is_running())
        return failure(fmt::format("{}: the machine does not run; save it when it does", path));
    if (!board->can_be_saved())
        return failure(fmt::format("{}: a machine under KVM cannot be saved yet; shut it down, its "
                                   "disks keep what it wrote",
                                   path));
    if (session_ != nullptr)
        return failure(fmt::format("{}: a deterministic machine cannot be saved, as that would "
                                   "change its run; record it instead",
                                   path));
    for (std::size_t i = 0; i < disks_.size(); ++i)
        if (!disks_[i]->can_be_saved())
            return failure(fmt::format("{}: is a raw disk, which cannot keep its past; use "
                                       ",snapshot, ,readonly or a qcow2 image",
                                       config_.disks[i].path));
    if (!config_.shares.empty())
        return failure(fmt::format("{}: a machine with shared folders cannot be saved, as they may "
                                   "change; run it without --share",
                                   path));
    // What a snapshot that is replaced has kept in the images goes with it.
    snapshot::Manifest replaced;
    if (const auto old = snapshot::SnapshotFile::open(path); old.has_value())
        if (auto manifest = snapshot::parse_manifest((*old)->manifest(), path);
            manifest.has_value())
            replaced = std::move(*manifest);

    snapshot::Writer writer = TRY(snapshot::Writer::create(path));
    Saved report;
    if (auto base = take_base(path); base.has_value()) {
        report.based_on = base->path;
        writer.set_base(std::move(*base));
    }
    snapshot::Manifest manifest{config_, {}};
    const u64 began = monotonic_ns();
    board->pause();
    Result<> saved = save_state(*board, writer, manifest);
    if (!saved.has_value()) forget_disks(manifest);
    board->resume();
    report.pause_ns = monotonic_ns() - began;
    if (!saved.has_value()) return std::unexpected(saved.error());

    const auto finish = [&]() -> Result<snapshot::Writer::Finished> {
        TRY(snapshot::Catalog(std::filesystem::path(path).parent_path()).keep_for_others(path));
        return writer.finish(snapshot::to_json(manifest));
    };
    auto finished = finish();
    forget_disks_paused(finished.has_value() ? replaced : manifest);
    if (!finished.has_value()) return std::unexpected(finished.error());
    report.bytes = finished->bytes;
    base_ = std::move(finished->base);
    return report;
}

std::string Machine::save_snapshot() {
    const std::string path =
        snapshot::Catalog(".").unused_tag("tandem-", std::time(nullptr)) + snapshot::kFileEnding;
    const auto saved = save(path);
    if (!saved.has_value()) return "tandem: " + saved.error().message;
    const std::string needs = saved->based_on.empty() ? "" : ", on top of " + saved->based_on;
    return fmt::format(
        "tandem: saved {} ({}, paused for {} ms{}); restore it: tandem run --restore {}", path,
        human_size(saved->bytes), saved->pause_ns / 1'000'000, needs, path);
}

// ------------------------------------------------------------------------------------- restoring

Result<Machine::SavedMachine> Machine::open_saved(const std::string &path) const {
    auto file = TRY(snapshot::SnapshotFile::open(path));
    auto manifest = TRY(snapshot::parse_manifest(file->manifest(), path));
    TRY(snapshot::check_same_machine(manifest.config, config_, path + " was saved with"));
    // All of it, so that what is damaged is found before anything is changed.
    TRY(file->read_frames());
    return SavedMachine{std::move(file), std::move(manifest)};
}

Result<> Machine::check_disks(const SavedMachine &saved) const {
    for (std::size_t i = 0; i < disks_.size(); ++i) {
        const snapshot::DiskRecord &record = saved.manifest.disks[i];
        const std::string &path = config_.disks[i].path;
        if (disks_[i]->size() != record.size ||
            (!record.content.empty() && record.content != content_of(path)))
            return failure(fmt::format("{}: has changed since {} was saved; give the machine the "
                                       "disk it had",
                                       path, saved.file->path()));
        qcow2::Image *image = disks_[i]->image();
        if (image == nullptr) continue;
        const std::vector<qcow2::Snapshot> kept = TRY(image->snapshots());
        if (std::ranges::find(kept, record.kept_as, &qcow2::Snapshot::name) == kept.end())
            return failure(fmt::format("{}: no snapshot '{}', which {} needs; give the machine the "
                                       "disk it had",
                                       path, record.kept_as, saved.file->path()));
    }
    return {};
}

Result<> Machine::restore_disks(const SavedMachine &saved) {
    for (std::size_t i = 0; i < disks_.size(); ++i) {
        if (OverlayDisk *overlay = disks_[i]->overlay(); overlay != nullptr) {
            overlay->forget_changes();
            TRY(snapshot::restore_overlay(*saved.file, overlay_name(i), *overlay));
        }
        if (qcow2::Image *image = disks_[i]->image(); image != nullptr)
            TRY(image->apply_snapshot(saved.manifest.disks[i].kept_as));
    }
    return {};
}

Result<> Machine::restore(Board &board) {
    const SavedMachine *saved = nullptr; // nobody changes it before the board is there
    {
        const std::lock_guard lock(mutex_);
        if (!start_from_.has_value()) return {};
        saved = &*start_from_;
    }
    TRY(restore_disks(*saved));
    TRY(board.restore(saved->file, [this](Error error) { fail(std::move(error)); }));
    const std::lock_guard control(control_mutex_);
    base_ = snapshot::base_of(*saved->file);
    return {};
}

void Machine::loaded(Result<> result) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(is_loading_, false)) return;
    load_result_ = std::move(result);
    load_ended_.notify_all();
}

Result<> Machine::load(const std::string &path) {
    auto control = control_after_restore();
    TRY(check_not_moving(path));
    if (session_ != nullptr)
        return failure(
            fmt::format("{}: a deterministic machine cannot go on from a snapshot; start "
                        "another one",
                        path));
    auto saved = TRY(open_saved(path));
    bool was_paused = false;
    {
        const std::lock_guard lock(mutex_);
        if (board_ == nullptr || !board_->is_running() || outcome_.reason != StopReason::None)
            return failure(
                fmt::format("{}: the machine does not run; restore it when it does", path));
        was_paused = paused_;
    }
    board_->pause();
    if (const Result<> fits = check_disks(saved); !fits.has_value()) {
        board_->resume();
        return fits;
    }
    std::unique_lock lock(mutex_);
    start_from_ = std::move(saved);
    load_result_.reset();
    is_loading_ = true;
    if (!was_paused) tell(MachineEvent::Stop);
    board_->stop(StopReason::Replaced);
    control.unlock(); // the next board takes it
    load_ended_.wait(lock, [this] { return load_result_.has_value(); });
    if (load_result_->has_value() && !paused_) tell(MachineEvent::Resume);
    return *load_result_;
}

Result<> Machine::remove_snapshot(const std::string &tag) {
    const auto control = control_after_restore();
    TRY(check_not_moving(tag));
    const snapshot::Catalog catalog(config_.snapshots);
    const std::string path = TRY(catalog.find(tag));
    const auto file = snapshot::SnapshotFile::open(path);
    TRY(catalog.remove(tag));
    if (!file.has_value()) return {};
    if (const auto manifest = snapshot::parse_manifest((*file)->manifest(), path);
        manifest.has_value())
        forget_disks_paused(*manifest);
    return {};
}

void Machine::fail(Error error) {
    {
        const std::lock_guard lock(mutex_);
        if (!failure_.has_value()) failure_ = std::move(error);
    }
    stop({StopReason::Failure, 0}, EventCause::HostError);
}

} // namespace tandem::machine
