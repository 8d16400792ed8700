#include "app/snapshot.h"

#include "app/machines.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/boot/file_bytes.h"
#include "machine/named/named_machine.h"
#include "machine/snapshot/catalog.h"
#include "machine/snapshot/manifest.h"
#include "machine/snapshot/snapshot_file.h"
#include "support/local_time.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
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

// ----------------------------------------------------------------------- of machines with a name

Result<> save(const NamedMachine &machine, const std::string &given_tag) {
    if (given_tag == NamedMachine::kSuspended)
        return failure(fmt::format("{}: the next start would go on from there; use another tag, or "
                                   "tandem suspend {}",
                                   given_tag, machine.name()));
    const std::string tag =
        !given_tag.empty()
            ? given_tag
            : snapshot::Catalog(machine.snapshots()).unused_tag("", std::time(nullptr));
    const nlohmann::json job = TRY(TRY(machine.control()).run_job("snapshot-save", {{"tag", tag}}));
    const std::string based_on = job.value("x-based-on", "");
    fmt::print("saved {} ({}, paused for {} ms{})\n", tag, human_size(job.value("x-bytes", u64{0})),
               job.value("x-pause-ns", u64{0}) / 1'000'000,
               based_on.empty() ? "" : ", on top of " + snapshot::tag_of(based_on));
    return {};
}

Result<> restore(const NamedMachine &machine, const std::string &tag) {
    if (auto control = machine.control(); control.has_value()) {
        TRY(control->run_job("snapshot-load", {{"tag", tag}}));
    } else {
        const std::string file = TRY(snapshot::Catalog(machine.snapshots()).find(tag));
        TRY(start_machine(machine, {.snapshot = file}));
    }
    fmt::print("{} goes on from {}\n", machine.name(), tag);
    return {};
}

Result<> list(const NamedMachine &machine, const std::string &) {
    const auto entries = snapshot::Catalog(machine.snapshots()).entries();
    if (!entries.empty())
        fmt::print("{:<20} {:>10}  {:<19}  {:>10}  {}\n", "TAG", "SIZE", "SAVED", "GUEST TIME",
                   "ON TOP OF");
    for (const snapshot::CatalogEntry &entry : entries)
        fmt::print("{:<20} {:>10}  {:%Y-%m-%d %H:%M:%S}  {:>8.1f} s  {}\n", entry.tag,
                   human_size(entry.bytes), local_time(static_cast<std::time_t>(entry.seconds)),
                   static_cast<double>(entry.guest_ns) / 1e9,
                   !entry.damage.empty()             ? entry.damage
                   : entry.based_on.starts_with('.') ? "(a removed one)"
                                                     : entry.based_on);
    return {};
}

Result<> remove(const NamedMachine &machine, const std::string &tag) {
    // Its disks have a part of the snapshot, and only a machine that runs may change them.
    TRY(TRY(machine.control()).run_job("snapshot-delete", {{"tag", tag}}));
    return {};
}

struct MachineVerb {
    const char *name;
    const char *help;
    Result<> (*run)(const NamedMachine &, const std::string &tag);
    enum class Tag : u8 { None, Optional, Required } tag;
};
// clang-format off
constexpr MachineVerb kMachineVerbs[] = {
    {"save",    "Save a named machine while it runs",                       save,    MachineVerb::Tag::Optional},
    {"restore", "Have a named machine go on from what was saved, or start", restore, MachineVerb::Tag::Required},
    {"list",    "Show what was saved of a named machine",                   list,    MachineVerb::Tag::None},
    {"rm",      "Remove what was saved, as far as others do not need it",   remove,  MachineVerb::Tag::Required},
};
// clang-format on

} // namespace

/// The options as typed, and which action they are for.
struct SnapshotCommand::Options {
    std::string file, name, tag;
    std::function<Result<>()> action;
};

SnapshotCommand::SnapshotCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "snapshot", "Save machines, and look into what was saved")) {
    Options &o = *options_;
    verb_->require_subcommand(1);
    const auto verb = [&](const char *name, const char *help,
                          std::function<Result<>(snapshot::SnapshotFile &)> action) {
        CLI::App *added = add_verb(*verb_, name, help);
        added->add_option("FILE", o.file, "the snapshot")->required()->option_text(" ");
        added->callback([&o, action = std::move(action)] {
            o.action = [&o, action]() -> Result<> {
                return action(*TRY(snapshot::SnapshotFile::open(o.file)));
            };
        });
    };
    for (const MachineVerb &each : kMachineVerbs) {
        CLI::App *added = add_verb(*verb_, each.name, each.help);
        added->add_option("NAME", o.name, "the machine")->required()->option_text(" ");
        if (each.tag != MachineVerb::Tag::None)
            added->add_option("TAG", o.tag, "what it is called (the time)")
                ->required(each.tag == MachineVerb::Tag::Required)
                ->option_text(" ");
        added->callback([&o, run = each.run] {
            o.action = [&o, run]() -> Result<> {
                return run(TRY(NamedMachine::find(o.name)), o.tag);
            };
        });
    }
    verb("info", "Describe a snapshot", show);
    verb("verify", "Check all of a snapshot", verify);
}

SnapshotCommand::~SnapshotCommand() = default;

bool SnapshotCommand::is_chosen() const {
    return verb_->parsed();
}

int SnapshotCommand::run() {
    const Result<> result = options_->action();
    if (result.has_value()) return 0;
    return fail(result.error(), kExitFailure);
}

} // namespace tandem::app
