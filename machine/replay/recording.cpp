#include "machine/replay/recording.h"

#include "machine/boot/file_bytes.h"
#include "machine/snapshot/manifest.h"
#include "machine/storage/image/open_image.h"
#include "machine/storage/qcow2/header.h"
#include "support/scoped_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace tandem::machine::replay {
namespace {

using nlohmann::json;

/// A chain of backing images that has no end is refused by whoever opens it.
constexpr unsigned kMaxChain = 64;

Result<PinnedFile> pin(const std::string &path) {
    const auto failed = [&] {
        return failure(fmt::format("{}: {}; check the file", path, std::strerror(errno)));
    };
    const ScopedFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file.is_open()) return failed();
    std::unique_ptr<XXH3_state_t, decltype(&::XXH3_freeState)> hash(::XXH3_createState(),
                                                                    &::XXH3_freeState);
    ::XXH3_128bits_reset(hash.get());
    PinnedFile pinned{path, 0, {}};
    std::vector<std::byte> buffer(1u << 20);
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed();
        if (got == 0) break;
        ::XXH3_128bits_update(hash.get(), buffer.data(), static_cast<std::size_t>(got));
        pinned.bytes += static_cast<u64>(got);
    }
    const XXH128_hash_t digest = ::XXH3_128bits_digest(hash.get());
    pinned.hash = fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
    return pinned;
}

/// The image and all that it is based on.
Result<std::vector<PinnedFile>> pin_image(std::string path, std::optional<ImageFormat> format) {
    std::vector<PinnedFile> files;
    while (files.size() < kMaxChain) {
        files.push_back(TRY(pin(path)));
        static constexpr u64 kMostOfHeader = 2u << 20; // the largest cluster
        if (format == ImageFormat::Raw) break;
        const FileBytes head = TRY(FileBytes::read(path, kMostOfHeader));
        if (!has_text(head.span(), 0, "QFI\xfb")) break;
        const qcow2::Header header = TRY(qcow2::parse_header(head.span(), path));
        if (header.backing_file.empty()) break;
        path = TRY(backing_path(path, header.backing_file));
        format = format_named(header.backing_format);
    }
    return files;
}

/// The configuration's own files, in a fixed order.
template <typename Config>
auto plain_files(Config &config) {
    return std::array{&config.kernel, &config.initrd, &config.dtb, &config.bios, &config.nvram};
}

Result<std::vector<PinnedFile>> pin_all(const MachineConfig &config) {
    std::vector<PinnedFile> files;
    for (const std::string *path : plain_files(config))
        if (!path->empty()) files.push_back(TRY(pin(*path)));
    for (const DiskConfig &disk : config.disks)
        std::ranges::move(TRY(pin_image(disk.path, disk.format)), std::back_inserter(files));
    return files;
}

} // namespace

Result<Recording> describe(const MachineConfig &config) {
    return Recording{config, TRY(pin_all(config))};
}

Result<> verify_files(const Recording &recording, const std::string &path) {
    const auto files = TRY(pin_all(recording.config));
    for (std::size_t i = 0; i < std::max(files.size(), recording.files.size()); ++i) {
        const bool is_there = i < files.size() && i < recording.files.size();
        if (is_there && files[i].bytes == recording.files[i].bytes &&
            files[i].hash == recording.files[i].hash)
            continue;
        return failure(
            fmt::format("{}: is not what {} was recorded with; bring the file back as it was",
                        i < files.size() ? files[i].path : recording.files[i].path, path));
    }
    return {};
}

std::string to_json(const Recording &recording) {
    const DeterministicConfig &run = *recording.config.deterministic;
    snapshot::Manifest machine{recording.config, {}};
    machine.disks.resize(machine.config.disks.size());
    json files = json::array();
    for (const PinnedFile &file : recording.files)
        files.push_back({{"path", std::filesystem::absolute(file.path).lexically_normal().string()},
                         {"bytes", file.bytes},
                         {"xxh3", file.hash}});
    const json out{{"seed", run.seed},
                   {"schedule", name_of(run.schedule)},
                   {"calendar-start", run.calendar_start},
                   {"reboot-allowed", recording.config.reboot_allowed},
                   {"files", files},
                   {"machine", json::parse(snapshot::to_json(machine))}};
    return out.dump(1);
}

Result<Recording> parse_recording(std::string_view text, const std::string &path) {
    const auto damaged = [&] {
        return failure(
            fmt::format("{}: damaged: its manifest makes no sense; use another copy", path));
    };
    const json in = json::parse(text, nullptr, false);
    if (!in.is_object() || !in.contains("machine")) return damaged();
    Recording recording;
    recording.config = TRY(snapshot::parse_manifest(in["machine"].dump(), path)).config;
    DeterministicConfig &run = recording.config.deterministic.emplace();
    // The library reports a missing or mistyped value by an exception; it ends here.
    try {
        run.seed = in.at("seed");
        run.calendar_start = in.at("calendar-start");
        const auto schedule = schedule_named(in.at("schedule").get<std::string>());
        if (!schedule.has_value()) return damaged();
        run.schedule = *schedule;
        recording.config.reboot_allowed = in.at("reboot-allowed");
        for (const json &file : in.at("files"))
            recording.files.push_back({file.at("path"), file.at("bytes"), file.at("xxh3")});
    } catch (const json::exception &) {
        return damaged();
    }
    return recording;
}

} // namespace tandem::machine::replay
