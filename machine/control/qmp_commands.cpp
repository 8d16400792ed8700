#include "machine/control/qmp_commands.h"

#include "machine/control/human_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>

namespace tandem::machine {
namespace {

using nlohmann::json;

enum class ArgumentType : u8 { String, Integer };

struct Argument {
    std::string_view name;
    ArgumentType type = ArgumentType::String;
    bool required = false;
};

struct Command {
    std::string_view name;
    QmpResult (*run)(MachineControl &, const json &arguments);
    std::span<const Argument> arguments;
};

std::span<const Command> commands();

const char *status_name(RunState state) {
    switch (state) {
    case RunState::Prelaunch: return "prelaunch";
    case RunState::Running: return "running";
    case RunState::Paused: return "paused";
    case RunState::Shutdown: return "shutdown";
    }
    return "internal-error";
}

QmpResult query_status(MachineControl &machine, const json &) {
    const RunState state = machine.run_state();
    return json{{"running", state == RunState::Running}, {"status", status_name(state)}};
}

QmpResult query_version(MachineControl &, const json &) {
    return qmp_version();
}

QmpResult query_commands(MachineControl &, const json &) {
    json names = json::array({{{"name", "qmp_capabilities"}}});
    for (const Command &command : commands()) names.push_back({{"name", command.name}});
    return names;
}

QmpResult query_name(MachineControl &machine, const json &) {
    const std::string name = machine.machine_name();
    return name.empty() ? json::object() : json{{"name", name}};
}

QmpResult query_cpus_fast(MachineControl &machine, const json &) {
    json cpus = json::array();
    for (const int thread : machine.cpu_threads()) {
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

QmpResult query_block(MachineControl &machine, const json &) {
    json disks = json::array();
    for (const ControlledDisk &disk : machine.disks()) {
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

QmpResult stop(MachineControl &machine, const json &) {
    machine.pause();
    return json::object();
}

QmpResult cont(MachineControl &machine, const json &) {
    machine.resume();
    return json::object();
}

QmpResult system_powerdown(MachineControl &machine, const json &) {
    machine.press_power_key();
    return json::object();
}

QmpResult system_reset(MachineControl &machine, const json &) {
    machine.reset();
    return json::object();
}

QmpResult quit(MachineControl &machine, const json &) {
    machine.quit();
    return json::object();
}

constexpr Argument kMonitorArguments[] = {
    {"command-line", ArgumentType::String, true},
    {"cpu-index", ArgumentType::Integer, false},
};

QmpResult human_monitor_command(MachineControl &machine, const json &arguments) {
    u32 cpu = 0;
    if (const auto index = arguments.find("cpu-index"); index != arguments.end()) {
        const auto given = index->get<i64>();
        if (given < 0 || static_cast<u64>(given) >= machine.cpu_threads().size())
            return std::unexpected(
                QmpError{.description = "Parameter 'cpu-index' expects a CPU number"});
        cpu = static_cast<u32>(given);
    }
    return run_monitor_command(machine, arguments["command-line"].get<std::string>(), cpu);
}

// clang-format off
constexpr Command kCommands[] = {
    {"cont",                  cont,                  {}},
    {"human-monitor-command", human_monitor_command, kMonitorArguments},
    {"query-block",           query_block,           {}},
    {"query-commands",        query_commands,        {}},
    {"query-cpus-fast",       query_cpus_fast,       {}},
    {"query-name",            query_name,            {}},
    {"query-status",          query_status,          {}},
    {"query-version",         query_version,         {}},
    {"quit",                  quit,                  {}},
    {"stop",                  stop,                  {}},
    {"system_powerdown",      system_powerdown,      {}},
    {"system_reset",          system_reset,          {}},
};
// clang-format on

std::span<const Command> commands() {
    return kCommands;
}

std::optional<QmpError> check_arguments(const Command &command, const json &arguments) {
    for (const Argument &expected : command.arguments) {
        const auto given = arguments.find(expected.name);
        if (given == arguments.end()) {
            if (!expected.required) continue;
            return QmpError{.description = fmt::format("Parameter '{}' is missing", expected.name)};
        }
        const bool fits =
            expected.type == ArgumentType::String ? given->is_string() : given->is_number_integer();
        if (!fits)
            return QmpError{.description = fmt::format(
                                "Invalid parameter type for '{}', expected: {}", expected.name,
                                expected.type == ArgumentType::String ? "string" : "integer")};
    }
    for (const auto &[name, value] : arguments.items())
        if (std::ranges::find(command.arguments, name, &Argument::name) == command.arguments.end())
            return QmpError{.description = fmt::format("Parameter '{}' is unexpected", name)};
    return std::nullopt;
}

} // namespace

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

QmpResult run_qmp_command(MachineControl &machine, const std::string &name, const json &arguments) {
    const auto command = std::ranges::find(kCommands, name, &Command::name);
    if (command == std::end(kCommands))
        return std::unexpected(
            QmpError{"CommandNotFound", fmt::format("The command {} has not been found", name)});
    if (auto error = check_arguments(*command, arguments); error.has_value())
        return std::unexpected(std::move(*error));
    return command->run(machine, arguments);
}

} // namespace tandem::machine
