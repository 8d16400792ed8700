#include "machine/control/human_monitor.h"

#include "machine/boot/file_bytes.h"
#include "machine/control/human_devices.h"
#include "machine/control/monitor_debug.h"
#include "machine/control/qmp_commands.h"
#include "machine/input/key_codes.h"
#include "support/local_time.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <ctime>
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

/// A command says nothing, or what went wrong.
std::string done(const Result<> &result) {
    return result.has_value() ? "" : fmt::format("Error: {}\r\n", result.error().message);
}

std::string info_status(const Call &call) {
    switch (call.machine.run_state()) {
    case RunState::Running: return "VM status: running\r\n";
    case RunState::Paused: return "VM status: paused\r\n";
    case RunState::Prelaunch: return "VM status: paused (prelaunch)\r\n";
    case RunState::Shutdown: return "VM status: paused (shutdown)\r\n";
    case RunState::InMigrate: return "VM status: paused (inmigrate)\r\n";
    case RunState::FinishMigrate: return "VM status: paused (finish-migrate)\r\n";
    case RunState::PostMigrate: return "VM status: paused (postmigrate)\r\n";
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

std::string info_balloon(const Call &call) {
    const auto balloon = call.machine.balloon();
    if (!balloon.has_value()) return "Error: No balloon device has been activated\r\n";
    std::string text = fmt::format("balloon: actual={}", balloon->actual >> 20);
    for (const auto &[name, value] : balloon->statistics)
        text += fmt::format(" {}={}", name, value);
    return text + "\r\n";
}

std::string balloon(const Call &call) {
    if (!call.machine.balloon().has_value()) return info_balloon(call);
    static constexpr u64 kMost = u64{1} << 40;
    u64 mebibytes = 0;
    const std::string_view text = call.arguments;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mebibytes);
    if (error != std::errc{} || end != text.data() + text.size() || mebibytes == 0 ||
        mebibytes > kMost)
        return "Error: balloon expects MiB\r\n";
    return done(call.machine.set_balloon(mebibytes << 20));
}

std::string info_mice(const Call &call) {
    std::string text;
    for (const PointerInfo &pointer : call.machine.pointers())
        text += fmt::format("{} Mouse #{}: {}{}\r\n", pointer.is_current ? '*' : ' ', pointer.index,
                            pointer.name, pointer.is_absolute ? " (absolute)" : "");
    return text.empty() ? "No mouse devices connected\r\n" : text;
}

/// KEY-KEY-... [MS]; a key by QMP's name or number.
std::string sendkey(const Call &call) {
    std::string_view rest = call.arguments;
    u64 hold_ns = InputHub::kDefaultHoldNs;
    if (const std::size_t space = rest.find(' '); space != std::string_view::npos) {
        static constexpr u64 kMillisecond = 1'000'000;
        u64 ms = 0;
        const std::string_view text = rest.substr(space + 1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
        if (error != std::errc{} || end != text.data() + text.size() ||
            ms > InputHub::kMaxHoldNs / kMillisecond)
            return "Error: sendkey expects milliseconds behind the keys\r\n";
        hold_ns = ms * kMillisecond;
        rest = rest.substr(0, space);
    }
    std::vector<u16> codes;
    for (bool more = true; more;) {
        const std::size_t dash = rest.find('-');
        const std::string_view name = rest.substr(0, dash);
        std::optional<u16> code = key_named(name);
        if (name.starts_with("0x")) {
            i64 number = 0;
            const auto *last = name.data() + name.size();
            if (std::from_chars(name.data() + 2, last, number, 16).ptr == last)
                code = key_numbered(number);
        }
        if (!code.has_value()) return fmt::format("Error: invalid parameter: {}\r\n", name);
        codes.push_back(*code);
        more = dash != std::string_view::npos;
        if (more) rest.remove_prefix(dash + 1);
    }
    return done(call.machine.press_keys(std::move(codes), hold_ns));
}

std::string info_link(const Call &call) {
    const std::string link = call.machine.link();
    return (link.empty() ? "not shaped" : link) + "\r\n";
}

std::string link(const Call &call) {
    return done(call.machine.change_link(std::string(call.arguments)));
}

std::string record_dump(const Call &call) {
    const auto dumped = call.machine.dump_recording();
    if (!dumped.has_value()) return done(std::unexpected(dumped.error()));
    return *dumped + "\r\n";
}

std::string stop(const Call &call) {
    call.machine.pause();
    return "";
}

std::string cont(const Call &call) {
    return done(call.machine.resume());
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

std::string when(const Call &call) {
    return show_moment(call.machine.debug_target());
}

std::string go_to(const Call &call) {
    return go_to_moment(call.machine.debug_target(), call.arguments);
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

std::string info_snapshots(const Call &call) {
    const std::vector<ControlledSnapshot> snapshots = call.machine.snapshots();
    if (snapshots.empty()) return "There is no snapshot available.\r\n";
    std::string text =
        fmt::format("List of snapshots present on all disks:\r\n{:<8} {:<16} {:>8} {:>20} "
                    "{:>13}\r\n",
                    "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK");
    for (const ControlledSnapshot &snapshot : snapshots) {
        const u64 milliseconds = snapshot.guest_ns / 1'000'000;
        text += fmt::format("{:<8} {:<16} {:>8} {:%Y-%m-%d %H:%M:%S} {:>4}:{:02}:{:02}.{:03}\r\n",
                            "--", snapshot.tag, human_size(snapshot.bytes),
                            local_time(static_cast<std::time_t>(snapshot.seconds)),
                            milliseconds / 3'600'000, milliseconds / 60'000 % 60,
                            milliseconds / 1000 % 60, milliseconds % 1000);
    }
    return text;
}

std::string savevm(const Call &call) {
    const auto saved = call.machine.save_snapshot(std::string(call.arguments), SameTag::Replace);
    return saved.has_value() ? "" : done(std::unexpected(saved.error()));
}

std::string loadvm(const Call &call) {
    return done(call.machine.load_snapshot(std::string(call.arguments)));
}

std::string delvm(const Call &call) {
    return done(call.machine.delete_snapshot(std::string(call.arguments)));
}

std::string migrate(const Call &call) {
    static constexpr std::string_view kDetach = "-d ";
    const bool returns_at_once = call.arguments.starts_with(kDetach);
    const std::string where{returns_at_once ? call.arguments.substr(kDetach.size())
                                            : call.arguments};
    return done(call.machine.move(where));
}

std::string migrate_cancel(const Call &call) {
    call.machine.cancel_move();
    return "";
}

std::string info_migrate(const Call &call) {
    const MoveReport report = call.machine.move_report();
    if (report.state == MoveState::None) return "";
    std::string text = fmt::format("Migration status: {}{}{}\r\n", status_name(report.state),
                                   report.error.empty() ? "" : ": ", report.error);
    text += fmt::format("total time: {} ms\r\n", report.total_ns / 1'000'000);
    if (report.state == MoveState::Completed)
        text += fmt::format("downtime: {} ms\r\n", report.pause_ns / 1'000'000);
    if (report.throttle_percent != 0)
        text += fmt::format("cpu throttle percentage: {}\r\n", report.throttle_percent);
    text += fmt::format("transferred ram: {} kbytes\r\nremaining ram: {} kbytes\r\n"
                        "total ram: {} kbytes\r\ndirty sync count: {}\r\n",
                        report.sent_bytes >> 10, report.remaining_bytes >> 10,
                        report.total_bytes >> 10, report.rounds);
    return text;
}

template <std::string (*Run)(MachineControl &, std::string_view)>
std::string on_machine(const Call &call) {
    return Run(call.machine, call.arguments);
}

std::string info_pci(const Call &call) {
    return human_info_pci(call.machine);
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
    {"info mice",        info_mice,        "",                 "show what moves the pointer"},
    {"info migrate",     info_migrate,     "",                 "show how a move goes"},
    {"info name",        info_name,        "",                 "show the machine's name"},
    {"info pci",         info_pci,         "",                 "show the PCI functions"},
    {"info registers",   info_registers,   "[-a]",             "show a CPU's registers; -a: those of the system, too"},
    {"info snapshots",   info_snapshots,   "",                 "show the snapshots"},
    {"info status",      info_status,      "",                 "show whether the machine runs"},
    {"info version",     info_version,     "",                 "show the version"},
    {"x",                examine,          "/FORM ADDRESS",    "show memory as the CPU sees it, such as x/4xw 0x40000000"},
    {"xp",               examine_physical, "/FORM ADDRESS",    "show physical memory, or read a device there"},
    {"gva2gpa",          translate,        "ADDRESS",          "show where a virtual address leads"},
    {"when",             when,             "",                 "show how many instructions a deterministic machine has executed"},
    {"goto",             go_to,            "COUNT",            "bring a replay to where it had executed so many"},
    {"gdbserver",        gdbserver,        "[WHERE]",          "serve a debugger at tcp::1234 or there; none: no more"},
    {"device_add",       on_machine<human_device_add>,     "DRIVER,PROPERTY=VALUE,...", "plug a device into a root port"},
    {"device_del",       on_machine<human_device_del>,     "ID",     "ask the guest to let go of it"},
    {"drive_add",        on_machine<human_drive_add>,      "file=PATH,id=NAME,...", "open a disk for a device"},
    {"drive_del",        on_machine<human_drive_del>,      "NAME",   "close it"},
    {"netdev_add",       on_machine<human_netdev_add>,     "user,id=NAME,...", "make a network for a device"},
    {"netdev_del",       on_machine<human_netdev_del>,     "NAME",   "end it"},
    {"hostfwd_add",      on_machine<human_hostfwd_add>,    "[NETDEV] tcp:ADDRESS:PORT-:PORT", "have a port of the host lead to the guest"},
    {"hostfwd_remove",   on_machine<human_hostfwd_remove>, "[NETDEV] tcp:ADDRESS:PORT", "have it lead there no more"},
    {"info balloon",     info_balloon,     "",                 "show what the guest keeps of its memory"},
    {"balloon",          balloon,          "MIB",              "ask it to keep so much"},
    {"info link",        info_link,        "",                 "show how the network is shaped"},
    {"link",             link,             "SETTINGS",         "shape it: latency=MS,jitter=MS,loss=PERCENT,rate=MBIT or profile=NAME"},
    {"record_dump",      record_dump,      "",                 "write the last part of the run to a file (--record-ring)"},
    {"sendkey",          sendkey,          "KEY-KEY... [MS]",  "press keys, such as ctrl-alt-f1, and hold them so long (100)"},
    {"savevm",           savevm,           "TAG",              "save a snapshot, in place of one of that tag"},
    {"loadvm",           loadvm,           "TAG",              "go on from a snapshot"},
    {"delvm",            delvm,            "TAG",              "remove a snapshot"},
    {"migrate",          migrate,          "[-d] WHERE",       "begin to move the machine to another process"},
    {"migrate_cancel",   migrate_cancel,   "",                 "have it stay"},
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
        if (std::string_view arguments; takes(command, wanted, arguments)) {
            const bool must_have_some =
                !command.arguments.empty() && !command.arguments.starts_with('[');
            if (must_have_some && arguments.empty())
                return fmt::format("{}: {} is missing\r\n", command.name, command.arguments);
            return command.run({machine, arguments, cpu});
        }
    return fmt::format("unknown command: '{}'\r\n", wanted);
}

} // namespace tandem::machine
