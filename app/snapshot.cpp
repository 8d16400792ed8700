#include "app/snapshot.h"

#include "app/run.h"
#include "machine/boot/file_bytes.h"
#include "machine/snapshot/manifest.h"
#include "machine/snapshot/snapshot_file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>

namespace tandem::app {
namespace {

using namespace machine;

Result<> show(const snapshot::SnapshotFile &file) {
    const MachineConfig config = TRY(snapshot::parse_manifest(file.manifest(), file.path())).config;
    fmt::print("snapshot: {} ({})\nid:       {:016x}{:016x}\n", file.path(),
               human_size(file.bytes()), file.id()[0], file.id()[1]);
    if (file.parent() != nullptr) fmt::print("based on: {}\n", file.parent()->path());
    fmt::print("machine:  {} x {}, {}, GICv{}\n", config.cpus, config.cpu_model,
               human_size(config.memory), config.gic_version);
    for (const DiskConfig &disk : config.disks)
        fmt::print("disk:     {}{}{}\n", disk.path, disk.readonly ? ",readonly" : "",
                   disk.snapshot ? ",snapshot" : "");
    for (const snapshot::Region &region : file.index().regions)
        fmt::print("{:<9} {} of {} pages stored\n",
                   std::string(region.name.begin(), region.name.end()) + ":", region.slots,
                   region.pages.size());
    return {};
}

/// Unpacks every page.
Result<> verify(snapshot::SnapshotFile &file) {
    TRY(snapshot::parse_manifest(file.manifest(), file.path()));
    TRY(file.read_frames());
    for (const snapshot::Region &region : file.index().regions)
        TRY(file.for_each_page({region.name.data(), region.name.size()},
                               [](u64, std::span<const std::byte>) { return true; }));
    fmt::print("{}: sound\n", file.path());
    return {};
}

} // namespace

/// The options as typed, and which action they are for.
struct SnapshotCommand::Options {
    std::string file;
    std::function<Result<>(snapshot::SnapshotFile &)> action;
};

SnapshotCommand::SnapshotCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(program.add_subcommand("snapshot", "Look into saved machines")) {
    Options &o = *options_;
    verb_->require_subcommand(1);
    const auto verb = [&](const char *name, const char *help,
                          std::function<Result<>(snapshot::SnapshotFile &)> action) {
        CLI::App *added = verb_->add_subcommand(name, help);
        added->add_option("FILE", o.file, "the snapshot")->required()->option_text(" ");
        added->callback([&o, action = std::move(action)] { o.action = action; });
    };
    verb("info", "Describe a snapshot", show);
    verb("verify", "Check all of a snapshot", verify);
}

SnapshotCommand::~SnapshotCommand() = default;

bool SnapshotCommand::is_chosen() const {
    return verb_->parsed();
}

int SnapshotCommand::run() {
    auto file = snapshot::SnapshotFile::open(options_->file);
    const Result<> result =
        file.has_value() ? options_->action(**file) : std::unexpected(file.error());
    if (result.has_value()) return 0;
    return fail(result.error(), kExitFailure);
}

} // namespace tandem::app
