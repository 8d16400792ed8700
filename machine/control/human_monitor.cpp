#include "machine/control/human_monitor.h"

#include "machine/control/monitor_debug.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

namespace tandem::machine {
namespace {

/// What a command gets beside its name.
struct Call {
    MachineControl &machine;
    std::string_view arguments;
    u32 cpu = 0; ///< the current one
};

std::string help(const Call &);

std::string info_status(const Call &call) {
    switch (call.machine.run_state()) {
    case RunState::Running: return "VM status: running\r\n";
    case RunState::Paused: return "VM status: paused\r\n";
    case RunState::Prelaunch: return "VM status: paused (prelaunch)\r\n";
    case RunState::Shutdown: return "VM status: paused (shutdown)\r\n";
    }
    return "";
}

std::string info_name(const Call &call) {
    const std::string name = call.machine.machine_name();
    return name.empty() ? "" : name + "\r\n";
}

std::string info_version(const Call &) {
    return TANDEM_VERSION "\r\n";
}

std::string info_cpus(const Call &call) {
    std::string text;
    int index = 0;
    for (const int thread : call.machine.cpu_threads())
        text += fmt::format("{} CPU #{}: thread_id={}\r\n", index == 0 ? '*' : ' ', index, thread),
            ++index;
    return text;
}

std::string info_block(const Call &call) {
    std::string text;
    for (const ControlledDisk &disk : call.machine.disks())
        text += fmt::format("{}: {} ({}{})\r\n    Cache mode:       {}\r\n", disk.name, disk.path,
                            disk.format, disk.read_only ? ", read-only" : "",
                            disk.ignores_flushes ? "unsafe"
                            : disk.writes_back   ? "writeback"
                                                 : "writethrough");
    return text;
}

std::string stop(const Call &call) {
    call.machine.pause();
    return "";
}

std::string cont(const Call &call) {
    call.machine.resume();
    return "";
}

std::string system_powerdown(const Call &call) {
    call.machine.press_power_key();
    return "";
}

std::string system_reset(const Call &call) {
    call.machine.reset();
    return "";
}

std::string quit(const Call &call) {
    call.machine.quit();
    return "";
}

std::string info_mtree(const Call &call) {
    return show_layout(call.machine.debug_target());
}

std::string info_registers(const Call &call) {
    if (call.arguments != "" && call.arguments != "-a")
        return "not -a, which shows the registers of the system as well\r\n";
    return show_registers(call.machine.debug_target(), call.cpu,
                          call.arguments == "-a" ? Registers::All : Registers::Core);
}

std::string examine(const Call &call) {
    return show_memory(call.machine.debug_target(), call.cpu, MemoryView::Virtual, call.arguments);
}

std::string examine_physical(const Call &call) {
    return show_memory(call.machine.debug_target(), call.cpu, MemoryView::Physical, call.arguments);
}

std::string translate(const Call &call) {
    return show_translation(call.machine.debug_target(), call.cpu, call.arguments);
}

std::string gdbserver(const Call &call) {
    const std::string_view where = call.arguments.empty() ? "tcp::1234" : call.arguments;
    std::optional<GdbAddress> address;
    if (where != "none") {
        auto parsed = parse_gdb_address("gdbserver", where);
        if (!parsed.has_value()) return parsed.error().message + "\r\n";
        address = std::move(*parsed);
    }
    const Result<> served = call.machine.serve_debugger(address);
    if (!served.has_value()) return served.error().message + "\r\n";
    return address.has_value() ? fmt::format("Waiting for gdb connection on device '{}'\r\n", where)
                               : "Disabled gdbserver\r\n";
}

struct Command {
    std::string_view name;
    std::string (*run)(const Call &);
    std::string_view arguments; ///< empty: none
    std::string_view help;
};
// clang-format off
constexpr Command kCommands[] = {
    {"help",             help,             "",                 "show this help"},
    {"info block",       info_block,       "",                 "show the disks"},
    {"info cpus",        info_cpus,        "",                 "show the CPUs"},
    {"info mtree",       info_mtree,       "",                 "show what is where in physical memory"},
    {"info name",        info_name,        "",                 "show the machine's name"},
    {"info registers",   info_registers,   "[-a]",             "show a CPU's registers; -a: those of the system, too"},
    {"info status",      info_status,      "",                 "show whether the machine runs"},
    {"info version",     info_version,     "",                 "show the version"},
    {"x",                examine,          "/FORM ADDRESS",    "show memory as the CPU sees it, such as x/4xw 0x40000000"},
    {"xp",               examine_physical, "/FORM ADDRESS",    "show physical memory, or read a device there"},
    {"gva2gpa",          translate,        "ADDRESS",          "show where a virtual address leads"},
    {"gdbserver",        gdbserver,        "[WHERE]",          "serve a debugger at tcp::1234 or there; none: no more"},
    {"stop",             stop,             "",                 "stop the machine"},
    {"cont",             cont,             "",                 "let it go on"},
    {"system_powerdown", system_powerdown, "",                 "press the power key"},
    {"system_reset",     system_reset,     "",                 "reset the machine"},
    {"reset",            system_reset,     "",                 "the same"},
    {"quit",             quit,             "",                 "end it at once"},
};
// clang-format on

std::string help(const Call &) {
    std::string text;
    for (const Command &command : kCommands)
        text += fmt::format("{}{}{} -- {}\r\n", command.name, command.arguments.empty() ? "" : " ",
                            command.arguments, command.help);
    return text;
}

/// Does the line begin with this command? Then the rest is its arguments; a form (x/4xw) may follow
/// the name at once.
bool takes(const Command &command, std::string_view line, std::string_view &arguments) {
    if (!line.starts_with(command.name)) return false;
    arguments = line.substr(command.name.size());
    if (arguments.empty()) return true;
    if (command.arguments.empty()) return false;
    if (command.arguments.starts_with('/') && arguments.front() == '/') return true;
    if (arguments.front() != ' ') return false;
    arguments.remove_prefix(1);
    return true;
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

std::string run_monitor_command(MachineControl &machine, const std::string &line, u32 cpu) {
    const std::string wanted = normalised(line);
    for (const Command &command : kCommands)
        if (std::string_view arguments; takes(command, wanted, arguments))
            return command.run({machine, arguments, cpu});
    return fmt::format("unknown command: '{}'\r\n", wanted);
}

} // namespace tandem::machine
