#include "machine/named/named_machine.h"

#include "machine/boot/file_bytes.h"
#include "machine/control/json_member.h"
#include "machine/inspect/image_facts.h"
#include "machine/launch/state_directory.h"
#include "machine/snapshot/catalog.h"
#include "machine/snapshot/manifest.h"
#include "machine/snapshot/snapshot_file.h"
#include "machine/storage/image/administration.h"
#include "machine/storage/qcow2/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

extern char **environ;

namespace tandem::machine {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char *kRecord = "/machine.json", *kStart = "/start.json", *kDisk = "/disk.qcow2",
                     *kConsoleLog = "/console.log", *kRunLog = "/run.log";
constexpr int kVersion = 1;
constexpr int kStartPatienceMs = 60'000, kStartStepMs = 20;

Result<std::string> machines_folder() {
    return TRY(state_directory()) + "/machines";
}

Result<> check_name(const std::string &name) {
    // It is the guest's host name as well (RFC 1123).
    const bool fits =
        !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (fits) return {};
    return failure(fmt::format("{}: not a machine's name; use a-z, 0-9 and hyphens between", name));
}

Result<json> read_json(const std::string &path) {
    const FileBytes bytes = TRY(FileBytes::read(path));
    const auto *text = reinterpret_cast<const char *>(bytes.span().data());
    json value = json::parse(text, text + bytes.size(), nullptr, false);
    if (!value.is_object() || !value.contains("version") || value["version"] != kVersion)
        return failure(fmt::format("{}: damaged, or of another version; remove the machine: "
                                   "tandem rm NAME",
                                   path));
    return value;
}

Result<std::vector<std::string>> strings_in(const json &value, const std::string &path) {
    std::vector<std::string> strings;
    if (!value.is_array())
        return failure(fmt::format("{}: damaged; remove the machine: tandem rm NAME", path));
    for (const json &element : value) {
        if (!element.is_string())
            return failure(fmt::format("{}: damaged; remove the machine: tandem rm NAME", path));
        strings.push_back(element.get<std::string>());
    }
    return strings;
}

Result<> write_json(const std::string &path, const json &value) {
    return write_private_file(path,
                              value.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

/// What a machine's launch keeps in its folder, with its times, by which a snapshot knows it.
Result<> copy_files(const std::string &from, const std::string &to) {
    static constexpr std::string_view kOwn[] = {kRecord, kStart, kDisk, kConsoleLog, kRunLog};
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(from, error)) {
        std::string name = "/";
        name += entry.path().filename().string();
        if (!entry.is_regular_file(error) || std::ranges::find(kOwn, name) != std::end(kOwn))
            continue;
        fs::copy_file(entry.path(), to + name, error);
        if (!error) fs::last_write_time(to + name, entry.last_write_time(), error);
        if (error) return failure(fmt::format("{}{}: {}", to, name, error.message()));
    }
    return {};
}

/// The program's own words about its end.
std::string last_line(const std::string &path) {
    const auto bytes = FileBytes::read(path);
    if (!bytes.has_value()) return "it ended without a word";
    std::string text{reinterpret_cast<const char *>(bytes->span().data()), bytes->size()};
    while (text.ends_with('\n')) text.pop_back();
    text.erase(0, text.rfind('\n') + 1);
    constexpr std::string_view kPrefix = "tandem: ";
    return text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text;
}

Result<pid_t> spawn(const std::vector<std::string> &words, const std::string &log) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&files);
    // Of a session of its own: it outlives the terminal.
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    std::vector<std::string> copies = words;
    std::vector<char *> arguments;
    for (std::string &word : copies) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int error = ::posix_spawn(&child, words.front().c_str(), &files, &attributes,
                                    arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0)
        return failure(fmt::format("{}: {}; try again", words.front(), std::strerror(error)));
    return child;
}

} // namespace

NamedMachine::NamedMachine(std::string name, const std::string &state)
    : name_(std::move(name)), folder_(state + "/" + name_) {
    const std::string runtime = runtime_directory("");
    sockets_ = runtime.empty() ? folder_ : runtime + "/" + name_;
}

Result<NamedMachine> NamedMachine::make(const std::string &name,
                                        const std::function<Result<>(const NamedMachine &)> &fill) {
    TRY(check_name(name));
    const std::string state = TRY(machines_folder());
    TRY(make_private_directory(state));
    NamedMachine machine(name, state);
    if (::mkdir(machine.folder_.c_str(), 0700) != 0) {
        if (errno == EEXIST)
            return failure(fmt::format("{}: there is a machine of that name; use another, or "
                                       "tandem rm {}",
                                       name, name));
        return failure(fmt::format("{}: {}", machine.folder_, std::strerror(errno)));
    }
    if (const auto filled = fill(machine); !filled.has_value()) {
        std::error_code error;
        fs::remove_all(machine.folder_, error);
        return std::unexpected(filled.error());
    }
    return machine;
}

Result<> NamedMachine::write(const MachineRecord &record) const {
    return write_json(folder_ + kRecord, {{"version", kVersion},
                                          {"image", record.image},
                                          {"options", record.options},
                                          {"directory", record.directory},
                                          {"copied-from", record.copied_from}});
}

Result<NamedMachine> NamedMachine::create(const std::string &name, const std::string &image,
                                          std::vector<std::string> options, u64 disk_size) {
    TRY(check_name(name));
    const ImageFacts facts = TRY(inspect_image(image));
    return make(name, [&](const NamedMachine &machine) -> Result<> {
        std::error_code error;
        const std::string whole = fs::canonical(image, error).string();
        MachineRecord record{whole, std::move(options), fs::current_path(error).string()};
        if (facts.kind == FileKind::Disk && !facts.is_iso) {
            NewImage overlay;
            overlay.path = machine.folder_ + kDisk;
            overlay.qcow2.backing_file = whole;
            overlay.qcow2.backing_format = std::string{format_name(facts.format)};
            overlay.qcow2.size = disk_size;
            TRY(create_image(overlay));
            record.image = overlay.path;
        }
        return machine.write(record);
    });
}

std::optional<std::string> NamedMachine::suspended() const {
    const auto file = snapshot::Catalog(snapshots()).find(kSuspended);
    return file.has_value() ? std::optional(*file) : std::nullopt;
}

Result<> NamedMachine::copy_disk(const std::string &of, const std::string &path) const {
    NewImage overlay;
    overlay.path = path;
    overlay.qcow2.backing_file = folder_ + kDisk;
    overlay.qcow2.backing_format = std::string{format_name(ImageFormat::Qcow2)};
    TRY(create_image(overlay));
    const auto file = TRY(snapshot::SnapshotFile::open(of));
    const snapshot::Manifest manifest = TRY(snapshot::parse_manifest(file->manifest(), of));
    ImageOptions options;
    options.access = DiskAccess::ReadWrite;
    const OpenedImage image = TRY(open_image(path, options));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    for (std::size_t i = 0; i < manifest.disks.size(); ++i)
        if (manifest.config.disks[i].path == overlay.qcow2.backing_file)
            TRY(image.qcow2->create_snapshot(manifest.disks[i].kept_as,
                                             static_cast<u64>(now.tv_sec),
                                             static_cast<u32>(now.tv_nsec)));
    return {};
}

Result<> NamedMachine::copy(const std::string &name) const {
    const auto saved = suspended();
    if (control().has_value() || !saved.has_value())
        return failure(fmt::format("{}: is not suspended; tandem suspend {}", name_, name_));
    TRY(make(name, [&](const NamedMachine &machine) -> Result<> {
        MachineRecord record = TRY(this->record());
        record.copied_from = name_;
        if (record.image == folder_ + kDisk) {
            record.image = machine.folder_ + kDisk;
            TRY(copy_disk(*saved, record.image));
        }
        TRY(copy_files(folder_, machine.folder_));
        TRY(make_private_directory(machine.snapshots()));
        std::error_code error;
        const std::string link = TRY(snapshot::Catalog(machine.snapshots()).path_of(kSuspended));
        fs::create_symlink(*saved, link, error);
        if (error) return failure(fmt::format("{}: {}", link, error.message()));
        return machine.write(record);
    }));
    return {};
}

Result<std::vector<std::string>> NamedMachine::copies() const {
    std::vector<std::string> names;
    for (const NamedMachine &machine : TRY(all()))
        if (const auto record = machine.record();
            record.has_value() && record->copied_from == name_)
            names.push_back(machine.name());
    return names;
}

std::string NamedMachine::console_log() const {
    return folder_ + kConsoleLog;
}

std::string NamedMachine::run_log() const {
    return folder_ + kRunLog;
}

Result<NamedMachine> NamedMachine::find(const std::string &name) {
    TRY(check_name(name));
    NamedMachine machine(name, TRY(machines_folder()));
    std::error_code error;
    if (!fs::exists(machine.folder_, error))
        return failure(fmt::format("{}: no such machine; tandem list shows those there are", name));
    return machine;
}

Result<MachineRecord> NamedMachine::record() const {
    const std::string path = folder_ + kRecord;
    const json record = TRY(read_json(path));
    return MachineRecord{text_member(record, "image"),
                         TRY(strings_in(record.value("options", json{}), path)),
                         text_member(record, "directory"), text_member(record, "copied-from")};
}

Result<std::vector<NamedMachine>> NamedMachine::all() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(TRY(machines_folder()), error))
        names.push_back(entry.path().filename());
    std::ranges::sort(names);
    std::vector<NamedMachine> machines;
    for (const std::string &name : names)
        if (auto machine = find(name); machine.has_value()) machines.push_back(std::move(*machine));
    return machines;
}

Result<QmpClient> NamedMachine::control() const {
    auto client = QmpClient::connect(control_path());
    if (!client.has_value())
        return failure(fmt::format("{}: does not run; tandem start {}", name_, name_));
    return client;
}

Result<> NamedMachine::start(const std::vector<std::string> &arguments,
                             const StartRecord &started) const {
    if (control().has_value())
        return failure(fmt::format("{}: runs already; tandem console {}", name_, name_));
    TRY(make_private_directory(sockets_));
    TRY(make_private_directory(snapshots()));
    TRY(write_json(folder_ + kStart, {{"version", kVersion}, {"ssh", started.ssh}}));
    std::error_code error;
    std::vector<std::string> words{fs::read_symlink("/proc/self/exe", error).string(), "run"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    words.insert(words.end(), {"--name", name_, "--qmp", "unix:" + control_path(), "--snapshots",
                               snapshots(), "--guest-agent", "unix:" + agent_path(), "--serial",
                               "unix:" + console_path() + ",log=" + console_log()});
    const pid_t child = TRY(spawn(words, run_log()));
    for (int waited = 0; waited < kStartPatienceMs; waited += kStartStepMs) {
        if (::waitpid(child, nullptr, WNOHANG) == child)
            return failure(fmt::format("{}: {}", name_, last_line(run_log())));
        if (control().has_value()) return {};
        ::poll(nullptr, 0, kStartStepMs);
    }
    return failure(fmt::format("{}: does not answer yet; see tandem logs {}", name_, name_));
}

Result<StartRecord> NamedMachine::last_start() const {
    const std::string path = folder_ + kStart;
    const json record = TRY(read_json(path));
    return StartRecord{TRY(strings_in(record.value("ssh", json{}), path))};
}

Result<> NamedMachine::remove() const {
    if (control().has_value())
        return failure(fmt::format("{}: runs; tandem stop {} first", name_, name_));
    if (const auto others = TRY(copies()); !others.empty())
        return failure(fmt::format("{}: the disks of {} are on top of its disk; remove them first",
                                   name_, fmt::join(others, ", ")));
    std::error_code error;
    if (sockets_ != folder_) fs::remove_all(sockets_, error);
    fs::remove_all(folder_, error);
    if (error) return failure(fmt::format("{}: {}", folder_, error.message()));
    return {};
}

} // namespace tandem::machine
