#include "machine/control/human_monitor.h"

#include <fmt/format.h>

#include <string_view>

namespace tandem::machine {
namespace {

std::string help(MachineControl &);

std::string info_status(MachineControl &machine) {
    switch (machine.run_state()) {
    case RunState::Running: return "VM status: running\r\n";
    case RunState::Paused: return "VM status: paused\r\n";
    case RunState::Prelaunch: return "VM status: paused (prelaunch)\r\n";
    case RunState::Shutdown: return "VM status: paused (shutdown)\r\n";
    }
    return "";
}

std::string info_name(MachineControl &machine) {
    const std::string name = machine.machine_name();
    return name.empty() ? "" : name + "\r\n";
}

std::string info_version(MachineControl &) {
    return TANDEM_VERSION "\r\n";
}

std::string info_cpus(MachineControl &machine) {
    std::string text;
    int index = 0;
    for (const int thread : machine.cpu_threads())
        text += fmt::format("{} CPU #{}: thread_id={}\r\n", index == 0 ? '*' : ' ', index, thread),
            ++index;
    return text;
}

std::string info_block(MachineControl &machine) {
    std::string text;
    for (const ControlledDisk &disk : machine.disks())
        text += fmt::format("{}: {} ({}{})\r\n    Cache mode:       {}\r\n", disk.name, disk.path,
                            disk.format, disk.read_only ? ", read-only" : "",
                            disk.ignores_flushes ? "unsafe"
                            : disk.writes_back   ? "writeback"
                                                 : "writethrough");
    return text;
}

std::string stop(MachineControl &machine) {
    machine.pause();
    return "";
}

std::string cont(MachineControl &machine) {
    machine.resume();
    return "";
}

std::string system_powerdown(MachineControl &machine) {
    machine.press_power_key();
    return "";
}

std::string system_reset(MachineControl &machine) {
    machine.reset();
    return "";
}

std::string quit(MachineControl &machine) {
    machine.quit();
    return "";
}

struct Command {
    std::string_view line;
    std::string (*run)(MachineControl &);
    std::string_view help;
};
// clang-format off
constexpr Command kCommands[] = {
    {"help",             help,             "show this help"},
    {"info block",       info_block,       "show the disks"},
    {"info cpus",        info_cpus,        "show the CPUs"},
    {"info name",        info_name,        "show the machine's name"},
    {"info status",      info_status,      "show whether the machine runs"},
    {"info version",     info_version,     "show the version"},
    {"stop",             stop,             "stop the machine"},
    {"cont",             cont,             "let it go on"},
    {"system_powerdown", system_powerdown, "press the power key"},
    {"system_reset",     system_reset,     "reset the machine"},
    {"quit",             quit,             "end it at once"},
};
// clang-format on

std::string help(MachineControl &) {
    std::string text;
    for (const Command &command : kCommands)
        text += fmt::format("{} -- {}\r\n", command.line, command.help);
    return text;
}

/// The words, with one blank between.
std::string normalised(std::string_view line) {
    std::string result;
    for (const char c : line) {
        if (c != ' ' && c != '\t')
            result += c;
        else if (!result.empty() && result.back() != ' ')
            result += ' ';
    }
    if (result.ends_with(' ')) result.pop_back();
    return result;
}

} // namespace

std::string run_monitor_command(MachineControl &machine, const std::string &line) {
    const std::string wanted = normalised(line);
    for (const Command &command : kCommands)
        if (command.line == wanted) return command.run(machine);
    return fmt::format("unknown command: '{}'\r\n", wanted);
}

} // namespace tandem::machine
