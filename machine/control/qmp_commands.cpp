#include "machine/control/qmp_commands.h"

#include "machine/control/device_commands.h"
#include "machine/control/human_monitor.h"
#include "machine/control/input_commands.h"
#include "machine/control/json_member.h"
#include "machine/control/qmp_answers.h"
#include "machine/control/screen_commands.h"
#include "machine/control/sensor_commands.h"
#include "machine/control/vnc_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>

namespace tandem::machine {
namespace {

using nlohmann::json;

enum class ArgumentType : u8 { String, Integer, Boolean, List };

struct Argument {
    std::string_view name;
    ArgumentType type = ArgumentType::String;
    bool required = false;
};

struct Command {
    std::string_view name;
    QmpResult (*run)(const QmpTarget &, const json &arguments);
    std::span<const Argument> arguments;
    /// Arguments that depend on others are the command's own affair.
    bool checks_further_ones = false;
};

std::span<const Command> commands();

const char *status_name(RunState state) {
    switch (state) {
    case RunState::Prelaunch: return "prelaunch";
    case RunState::Running: return "running";
    case RunState::Paused: return "paused";
    case RunState::Shutdown: return "shutdown";
    case RunState::InMigrate: return "inmigrate";
    case RunState::FinishMigrate: return "finish-migrate";
    case RunState::PostMigrate: return "postmigrate";
    }
    return "internal-error";
}

QmpResult query_status(const QmpTarget &target, const json &) {
    const RunState state = target.machine.run_state();
    return json{{"running", state == RunState::Running}, {"status", status_name(state)}};
}

QmpResult query_version(const QmpTarget &, const json &) {
    return qmp_version();
}

QmpResult query_commands(const QmpTarget &, const json &) {
    json names = json::array({{{"name", "qmp_capabilities"}}});
    for (const Command &command : commands()) names.push_back({{"name", command.name}});
    return names;
}

QmpResult query_name(const QmpTarget &target, const json &) {
    const std::string name = target.machine.machine_name();
    return name.empty() ? json::object() : json{{"name", name}};
}

QmpResult query_cpus_fast(const QmpTarget &target, const json &) {
    json cpus = json::array();
    for (const int thread : target.machine.cpu_threads()) {
        const std::size_t index = cpus.size();
        cpus.push_back(
            {{"cpu-index", index},
             {"qom-path", fmt::format("/machine/unattached/device[{}]", index)},
             {"thread-id", thread},
             {"props", {{"socket-id", 0}, {"cluster-id", 0}, {"core-id", index}, {"thread-id", 0}}},
             {"target", "aarch64"}});
    }
    return cpus;
}

QmpResult query_block(const QmpTarget &target, const json &) {
    json disks = json::array();
    for (const ControlledDisk &disk : target.machine.disks()) {
        json inserted{
            {"file", disk.path},
            {"ro", disk.read_only},
            {"drv", disk.format},
            {"backing_file_depth", 0},
            {"encrypted", false},
            {"detect_zeroes", "off"},
            {"write_threshold", 0},
            {"image",
             {{"filename", disk.path}, {"format", disk.format}, {"virtual-size", disk.size}}},
            {"cache",
             {{"writeback", disk.writes_back},
              {"direct", !disk.uses_page_cache},
              {"no-flush", disk.ignores_flushes}}}};
        for (const char *limit : {"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"})
            inserted[limit] = 0;
        disks.push_back({{"device", disk.name},
                         {"type", "unknown"},
                         {"removable", false},
                         {"locked", false},
                         {"inserted", inserted}});
    }
    return disks;
}

QmpResult stop(const QmpTarget &target, const json &) {
    target.machine.pause();
    return json::object();
}

QmpResult cont(const QmpTarget &target, const json &) {
    return done(target.machine.resume());
}

QmpResult system_powerdown(const QmpTarget &target, const json &) {
    target.machine.press_power_key();
    return json::object();
}

QmpResult system_reset(const QmpTarget &target, const json &) {
    target.machine.reset();
    return json::object();
}

QmpResult quit(const QmpTarget &target, const json &) {
    target.machine.quit();
    return json::object();
}

// ------------------------------------------------------------------------------------- snapshots

/// Every disk belongs to every snapshot; clients name them all the same.
std::optional<QmpError> check_disk_names(const MachineControl &machine, const json &arguments) {
    const std::vector<ControlledDisk> disks = machine.disks();
    const auto missing = [&](const json &name) -> std::optional<QmpError> {
        const bool is_known =
            name.is_string() &&
            std::ranges::find(disks, name.get<std::string>(), &ControlledDisk::name) != disks.end();
        if (is_known) return {};
        return QmpError{.description =
                            fmt::format("No block device node '{}'",
                                        name.is_string() ? name.get<std::string>() : "")};
    };
    if (arguments.contains("vmstate"))
        if (auto error = missing(arguments["vmstate"]); error.has_value()) return error;
    if (arguments.contains("devices"))
        for (const json &name : arguments["devices"])
            if (auto error = missing(name); error.has_value()) return error;
    return {};
}

QmpResult start_job(const QmpTarget &target, const json &arguments, const char *type,
                    Result<json> (*work)(MachineControl &, const std::string &tag)) {
    if (auto error = check_disk_names(target.machine, arguments); error.has_value())
        return std::unexpected(std::move(*error));
    return done(target.jobs.start(
        arguments["job-id"], type,
        [&machine = target.machine, work, tag = arguments["tag"].get<std::string>()] {
            return work(machine, tag);
        }));
}

QmpResult snapshot_save(const QmpTarget &target, const json &arguments) {
    return start_job(target, arguments, "snapshot-save",
                     [](MachineControl &machine, const std::string &tag) -> Result<json> {
                         const SnapshotReport report =
                             TRY(machine.save_snapshot(tag, SameTag::Refuse));
                         return json{{"x-bytes", report.bytes},
                                     {"x-pause-ns", report.pause_ns},
                                     {"x-based-on", report.based_on}};
                     });
}

QmpResult snapshot_load(const QmpTarget &target, const json &arguments) {
    return start_job(target, arguments, "snapshot-load",
                     [](MachineControl &machine, const std::string &tag) -> Result<json> {
                         TRY(machine.load_snapshot(tag));
                         return json::object();
                     });
}

QmpResult snapshot_delete(const QmpTarget &target, const json &arguments) {
    return start_job(target, arguments, "snapshot-delete",
                     [](MachineControl &machine, const std::string &tag) -> Result<json> {
                         TRY(machine.delete_snapshot(tag));
                         return json::object();
                     });
}

constexpr Argument kSnapshotArguments[] = {
    {"job-id", ArgumentType::String, true},
    {"tag", ArgumentType::String, true},
    {"vmstate", ArgumentType::String, false},
    {"devices", ArgumentType::List, false},
};

QmpResult query_jobs(const QmpTarget &target, const json &) {
    return target.jobs.list();
}

QmpResult job_dismiss(const QmpTarget &target, const json &arguments) {
    return done(target.jobs.dismiss(arguments["id"]));
}

constexpr Argument kIdArguments[] = {{"id", ArgumentType::String, true}};

// ------------------------------------------------------------------------------------- migration

QmpResult migrate(const QmpTarget &target, const json &arguments) {
    if (arguments.value("resume", false))
        return std::unexpected(QmpError{.description = "Postcopy migration is not supported"});
    return done(target.machine.move(arguments["uri"]));
}

constexpr Argument kMigrateArguments[] = {
    {"uri", ArgumentType::String, true},
    {"detach", ArgumentType::Boolean, false},
    {"resume", ArgumentType::Boolean, false},
};

QmpResult migrate_cancel(const QmpTarget &target, const json &) {
    target.machine.cancel_move();
    return json::object();
}

QmpResult query_migrate(const QmpTarget &target, const json &) {
    static constexpr u64 kPage = 4096, kMillisecond = 1'000'000;
    const MoveReport report = target.machine.move_report();
    if (report.state == MoveState::None) return json::object();
    json answer{{"status", status_name(report.state)},
                {"total-time", report.total_ns / kMillisecond},
                {"setup-time", 0},
                {"ram",
                 {{"transferred", report.sent_bytes},
                  {"remaining", report.remaining_bytes},
                  {"total", report.total_bytes},
                  {"duplicate", report.zero_pages},
                  {"skipped", 0},
                  {"normal", report.pages},
                  {"normal-bytes", report.pages * kPage},
                  {"dirty-pages-rate", report.written_per_second / kPage},
                  {"dirty-sync-count", report.rounds},
                  {"mbps", static_cast<double>(report.bytes_per_second) * 8 / 1e6},
                  {"pages-per-second", report.bytes_per_second / kPage},
                  {"page-size", kPage},
                  {"postcopy-requests", 0},
                  {"multifd-bytes", 0}}},
                {"compression", {{"pages", report.packed_pages}}}};
    if (report.throttle_percent != 0) answer["cpu-throttle-percentage"] = report.throttle_percent;
    if (report.state == MoveState::Completed) {
        answer["downtime"] = report.pause_ns / kMillisecond;
        answer["x-downtime-ns"] = report.pause_ns;
    } else {
        answer["expected-downtime"] = report.expected_pause_ns / kMillisecond;
    }
    if (!report.error.empty()) answer["error-desc"] = report.error;
    return answer;
}

QmpResult query_migrate_parameters(const QmpTarget &target, const json &) {
    const MoveParameters parameters = target.machine.move_parameters();
    return json{{"max-bandwidth", parameters.bytes_per_second},
                {"downtime-limit", parameters.pause_ms}};
}

QmpResult migrate_set_parameters(const QmpTarget &target, const json &arguments) {
    static constexpr u64 kMaxPauseMs = 2'000'000; // QEMU's bound
    MoveParameters parameters = target.machine.move_parameters();
    for (const auto &[name, member, most] :
         {std::tuple{"max-bandwidth", &MoveParameters::bytes_per_second, ~u64{0} >> 1},
          std::tuple{"downtime-limit", &MoveParameters::pause_ms, kMaxPauseMs}}) {
        if (!arguments.contains(name)) continue;
        const json &value = arguments[name];
        if (!value.is_number_unsigned() || value.get<u64>() > most)
            return std::unexpected(QmpError{
                .description = fmt::format(
                    "Parameter '{}' expects an integer in the range of 0 to {}", name, most)});
        parameters.*member = value;
    }
    target.machine.set_move_parameters(parameters);
    return json::object();
}

constexpr Argument kParameterArguments[] = {
    {"max-bandwidth", ArgumentType::Integer, false},
    {"downtime-limit", ArgumentType::Integer, false},
};

QmpResult query_migrate_capabilities(const QmpTarget &target, const json &) {
    return json::array({{{"capability", "events"}, {"state", true}},
                        {{"capability", "auto-converge"},
                         {"state", target.machine.move_parameters().slows_guest}}});
}

QmpResult migrate_set_capabilities(const QmpTarget &target, const json &arguments) {
    MoveParameters parameters = target.machine.move_parameters();
    for (const json &wanted : arguments["capabilities"]) {
        const std::string name = text_member(wanted, "capability");
        const bool state = wanted.is_object() && wanted.value("state", json()) == json(true);
        if (name == "auto-converge")
            parameters.slows_guest = state;
        else if (state != (name == "events"))
            return std::unexpected(
                QmpError{.description = fmt::format("Capability '{}' cannot be {}", name,
                                                    state ? "turned on" : "turned off")});
    }
    target.machine.set_move_parameters(parameters);
    return json::object();
}

constexpr Argument kCapabilityArguments[] = {{"capabilities", ArgumentType::List, true}};

// ---------------------------------------------------------------------------- balloon and network

std::unexpected<QmpError> no_balloon() {
    return std::unexpected(QmpError{"DeviceNotActive", "No balloon device has been activated"});
}

QmpResult query_balloon(const QmpTarget &target, const json &) {
    const auto balloon = target.machine.balloon();
    if (!balloon.has_value()) return no_balloon();
    json answer{{"actual", balloon->actual}};
    for (const auto &[name, value] : balloon->statistics)
        answer["x-stats"][std::string{name}] = value;
    return answer;
}

QmpResult balloon(const QmpTarget &target, const json &arguments) {
    if (!target.machine.balloon().has_value()) return no_balloon();
    const auto value = arguments["value"].get<i64>();
    if (value <= 0)
        return std::unexpected(QmpError{.description = "Parameter 'target' expects a size"});
    return done(target.machine.set_balloon(static_cast<u64>(value)));
}

constexpr Argument kBalloonArguments[] = {{"value", ArgumentType::Integer, true}};

QmpResult query_link(const QmpTarget &target, const json &) {
    return json{{"settings", target.machine.link()}};
}

QmpResult record_dump(const QmpTarget &target, const json & /*arguments*/) {
    auto dumped = target.machine.dump_recording();
    if (!dumped.has_value())
        return std::unexpected(QmpError{.description = dumped.error().message});
    return json{{"text", *dumped}};
}

QmpResult set_link(const QmpTarget &target, const json &arguments) {
    return done(target.machine.change_link(arguments["settings"]));
}

constexpr Argument kLinkArguments[] = {{"settings", ArgumentType::String, true}};

constexpr Argument kMonitorArguments[] = {
    {"command-line", ArgumentType::String, true},
    {"cpu-index", ArgumentType::Integer, false},
};

QmpResult human_monitor_command(const QmpTarget &target, const json &arguments) {
    u32 cpu = 0;
    if (const auto index = arguments.find("cpu-index"); index != arguments.end()) {
        const auto given = index->get<i64>();
        if (given < 0 || static_cast<u64>(given) >= target.machine.cpu_threads().size())
            return std::unexpected(
                QmpError{.description = "Parameter 'cpu-index' expects a CPU number"});
        cpu = static_cast<u32>(given);
    }
    return run_monitor_command(target.machine, arguments["command-line"].get<std::string>(), cpu);
}

constexpr Argument kBlockdevAddArguments[] = {
    {"driver", ArgumentType::String, true},
    {"node-name", ArgumentType::String, false},
};
constexpr Argument kBlockdevDelArguments[] = {{"node-name", ArgumentType::String, true}};
constexpr Argument kDeviceAddArguments[] = {{"driver", ArgumentType::String, true}};
constexpr Argument kNetdevAddArguments[] = {
    {"type", ArgumentType::String, true},
    {"id", ArgumentType::String, true},
};

constexpr Argument kInputArguments[] = {
    {"device", ArgumentType::String, false},
    {"head", ArgumentType::Integer, false},
    {"events", ArgumentType::List, true},
};
constexpr Argument kScreendumpArguments[] = {
    {"filename", ArgumentType::String, true},
    {"device", ArgumentType::String, false},
    {"head", ArgumentType::Integer, false},
    {"format", ArgumentType::String, false},
};
constexpr Argument kSetScreenArguments[] = {
    {"head", ArgumentType::Integer, false},
    {"size", ArgumentType::String, true},
};
constexpr Argument kSetSensorArguments[] = {
    {"sensor", ArgumentType::String, true},
    {"values", ArgumentType::List, true},
};
constexpr Argument kVncPasswordArguments[] = {{"password", ArgumentType::String, true}};
constexpr Argument kPasswordArguments[] = {
    {"protocol", ArgumentType::String, true},
    {"password", ArgumentType::String, true},
    {"connected", ArgumentType::String, false},
    {"display", ArgumentType::String, false},
};
constexpr Argument kSendKeyArguments[] = {
    {"keys", ArgumentType::List, true},
    {"hold-time", ArgumentType::Integer, false},
};

template <QmpResult (*Run)(MachineControl &, const json &)>
QmpResult on_machine(const QmpTarget &target, const json &arguments) {
    return Run(target.machine, arguments);
}

// clang-format off
constexpr Command kCommands[] = {
    {"balloon",                    balloon,                     kBalloonArguments},
    {"blockdev-add",               on_machine<blockdev_add>, kBlockdevAddArguments, true},
    {"blockdev-del",               on_machine<blockdev_del>, kBlockdevDelArguments},
    {"change-vnc-password",        on_machine<change_vnc_password>, kVncPasswordArguments},
    {"cont",                       cont,                        {}},
    {"device_add",                 on_machine<device_add>, kDeviceAddArguments, true},
    {"device_del",                 on_machine<device_del>, kIdArguments},
    {"human-monitor-command",      human_monitor_command,       kMonitorArguments},
    {"input-send-event",           on_machine<input_send_event>, kInputArguments},
    {"job-dismiss",                job_dismiss,                 kIdArguments},
    {"migrate",                    migrate,                     kMigrateArguments},
    {"migrate-set-capabilities",   migrate_set_capabilities,    kCapabilityArguments},
    {"migrate-set-parameters",     migrate_set_parameters,      kParameterArguments},
    {"migrate_cancel",             migrate_cancel,              {}},
    {"netdev_add",                 on_machine<netdev_add>, kNetdevAddArguments, true},
    {"netdev_del",                 on_machine<netdev_del>, kIdArguments},
    {"query-balloon",              query_balloon,               {}},
    {"query-block",                query_block,                 {}},
    {"query-commands",             query_commands,              {}},
    {"query-cpus-fast",            query_cpus_fast,             {}},
    {"query-jobs",                 query_jobs,                  {}},
    {"query-mice",                 on_machine<query_mice>, {}},
    {"query-migrate",              query_migrate,               {}},
    {"query-migrate-capabilities", query_migrate_capabilities,  {}},
    {"query-migrate-parameters",   query_migrate_parameters,    {}},
    {"query-name",                 query_name,                  {}},
    {"query-pci",                  on_machine<query_pci>, {}},
    {"query-status",               query_status,                {}},
    {"query-version",              query_version,               {}},
    {"query-vnc",                  on_machine<query_vnc>, {}},
    {"quit",                       quit,                        {}},
    {"screendump",                 on_machine<screendump>, kScreendumpArguments},
    {"send-key",                   on_machine<send_key>, kSendKeyArguments},
    {"set_password",               on_machine<set_password>, kPasswordArguments},
    {"snapshot-delete",            snapshot_delete,             kSnapshotArguments},
    {"snapshot-load",              snapshot_load,               kSnapshotArguments},
    {"snapshot-save",              snapshot_save,               kSnapshotArguments},
    {"stop",                       stop,                        {}},
    {"system_powerdown",           system_powerdown,            {}},
    {"system_reset",               system_reset,                {}},
    {"x-query-link",               query_link,                  {}},
    {"x-query-screens",            on_machine<query_screens>, {}},
    {"x-query-sensors",            on_machine<query_sensors>, {}},
    {"x-record-dump",              record_dump,                 {}},
    {"x-set-screen",               on_machine<set_screen>, kSetScreenArguments},
    {"x-set-sensor",               on_machine<set_sensor>, kSetSensorArguments},
    {"x-set-link",                 set_link,                    kLinkArguments},
};
// clang-format on

std::span<const Command> commands() {
    return kCommands;
}

bool fits(const json &value, ArgumentType type) {
    switch (type) {
    case ArgumentType::String: return value.is_string();
    case ArgumentType::Integer: return value.is_number_integer();
    case ArgumentType::Boolean: return value.is_boolean();
    case ArgumentType::List: return value.is_array();
    }
    return false;
}

const char *type_name(ArgumentType type) {
    switch (type) {
    case ArgumentType::String: return "string";
    case ArgumentType::Integer: return "integer";
    case ArgumentType::Boolean: return "boolean";
    case ArgumentType::List: return "array";
    }
    return "";
}

std::optional<QmpError> check_arguments(const Command &command, const json &arguments) {
    for (const Argument &expected : command.arguments) {
        const auto given = arguments.find(expected.name);
        if (given == arguments.end()) {
            if (!expected.required) continue;
            return QmpError{.description = fmt::format("Parameter '{}' is missing", expected.name)};
        }
        if (!fits(*given, expected.type))
            return QmpError{.description =
                                fmt::format("Invalid parameter type for '{}', expected: {}",
                                            expected.name, type_name(expected.type))};
    }
    if (command.checks_further_ones) return std::nullopt;
    for (const auto &[name, value] : arguments.items())
        if (std::ranges::find(command.arguments, name, &Argument::name) == command.arguments.end())
            return QmpError{.description = fmt::format("Parameter '{}' is unexpected", name)};
    return std::nullopt;
}

} // namespace

const char *status_name(MoveState state) {
    switch (state) {
    case MoveState::None: return "none";
    case MoveState::Setup: return "setup";
    case MoveState::Active: return "active";
    case MoveState::Device: return "device";
    case MoveState::Completed: return "completed";
    case MoveState::Failed: return "failed";
    case MoveState::Cancelling: return "cancelling";
    case MoveState::Cancelled: return "cancelled";
    }
    return "";
}

json qmp_version() {
    std::array<int, 3> numbers{};
    std::string_view text = TANDEM_VERSION;
    for (int &number : numbers) {
        const auto end = std::from_chars(text.data(), text.data() + text.size(), number).ptr;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.starts_with('.')) text.remove_prefix(1);
    }
    return {{"qemu", {{"major", numbers[0]}, {"minor", numbers[1]}, {"micro", numbers[2]}}},
            {"package", "Tandem " TANDEM_VERSION}};
}

QmpResult run_qmp_command(const QmpTarget &target, const std::string &name, const json &arguments) {
    const auto command = std::ranges::find(kCommands, name, &Command::name);
    if (command == std::end(kCommands))
        return std::unexpected(
            QmpError{"CommandNotFound", fmt::format("The command {} has not been found", name)});
    if (auto error = check_arguments(*command, arguments); error.has_value())
        return std::unexpected(std::move(*error));
    return command->run(target, arguments);
}

} // namespace tandem::machine
