#include "app/machines.h"

#include "app/launch_report.h"
#include "app/option_values.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/control/json_member.h"
#include "machine/move/relay.h"
#include "machine/named/console_client.h"
#include "machine/named/guest_agent.h"
#include "machine/named/named_machine.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

namespace tandem::app {

Result<machine::QmpClient> control_of(const std::string &name) {
    static constexpr std::string_view kUnix = "unix:";
    if (name.starts_with(kUnix)) return machine::QmpClient::connect(name.substr(kUnix.size()));
    return TRY(machine::NamedMachine::find(name)).control();
}

namespace {

using machine::NamedMachine;

/// Options of `run` that `start` gives itself.
constexpr std::array<std::string_view, 6> kOwnOptions{"--serial",    "--qmp",      "--name",
                                                      "--snapshots", "--incoming", "--guest-agent"};

/// Removes what `suspend` left, if anything, with what the machine's disks keep for it.
Result<> forget_suspended(const NamedMachine &machine) {
    if (machine.suspended().has_value())
        TRY(TRY(machine.control()).run_job("snapshot-delete", {{"tag", NamedMachine::kSuspended}}));
    return {};
}

/// Goes to where the machine's relative paths start.
Result<PlannedRun> plan_of(const NamedMachine &machine) {
    const machine::MachineRecord record = TRY(machine.record());
    std::error_code error;
    std::filesystem::current_path(record.directory, error);
    if (error)
        return failure(fmt::format("{}: {}; the machine was made there: make the folder again",
                                   record.directory, error.message()));
    std::vector<std::string> words = record.options;
    words.push_back(record.image);
    return plan_arguments(words, machine.folder(), machine.name());
}

Result<std::string> state_of(const NamedMachine &machine) {
    auto control = machine.control();
    if (!control.has_value()) return machine.suspended().has_value() ? "suspended" : "stopped";
    const auto status = control->execute("query-status");
    return status.has_value() ? machine::text_member(*status, "status", "unknown") : "unknown";
}

Result<> check_can_start(const NamedMachine &machine) {
    if (machine.control().has_value())
        return failure(
            fmt::format("{}: runs already; tandem console {}", machine.name(), machine.name()));
    if (const auto copies = TRY(machine.copies()); !copies.empty())
        return failure(fmt::format("{}: the disks of {} are on top of its disk, which may not "
                                   "change; remove them first: tandem rm NAME",
                                   machine.name(), fmt::join(copies, ", ")));
    return {};
}

} // namespace

Result<machine::StartRecord> start_machine(const NamedMachine &machine, const StartFrom &from) {
    TRY(check_can_start(machine));
    const PlannedRun planned = TRY(plan_of(machine));
    machine::StartRecord started;
    if (planned.plan.has_value()) {
        // What a snapshot refers to is there as it was then.
        if (from.snapshot.empty()) TRY(machine::prepare_launch(*planned.plan));
        if (planned.plan->ssh.has_value()) started.ssh = machine::ssh_command(*planned.plan->ssh);
    }
    std::vector<std::string> arguments = planned.arguments;
    if (!from.snapshot.empty()) arguments.insert(arguments.end(), {"--restore", from.snapshot});
    if (!from.incoming.empty()) arguments.insert(arguments.end(), {"--incoming", from.incoming});
    TRY(machine.start(arguments, started));
    // Its disks change from here on: nothing may go back there by chance.
    TRY(forget_suspended(machine));
    return started;
}

struct MachineCommands::Options {
    std::string name, image, size;
    std::vector<std::string> words; ///< options of run (create), names (copy), a command (ssh)
    std::string timeout = "120";
    bool force = false, json = false, follow = false, own = false, incoming = false, boot = false;
    std::function<Result<int>()> action; ///< of the verb that was chosen

    Result<int> create();
    Result<int> start();
    Result<int> stop();
    Result<int> suspend();
    Result<int> copy();
    Result<int> list();
    Result<int> rm();
    Result<int> ssh();
    Result<int> console();
    Result<int> logs();
};

Result<int> MachineCommands::Options::create() {
    for (const std::string &word : words)
        for (const std::string_view own : kOwnOptions)
            if (word == own || word.starts_with(std::string{own} + "="))
                return failure(fmt::format("{}: a named machine has its own; leave it out", own));
    const u64 bytes = size.empty() ? 0 : TRY(parse_bytes("--size", size));
    const NamedMachine machine = TRY(NamedMachine::create(name, image, words, bytes));
    if (const auto planned = plan_of(machine); !planned.has_value()) {
        TRY(machine.remove());
        return std::unexpected(planned.error());
    }
    fmt::print("{} is made; tandem start {}\n", name, name);
    return 0;
}

Result<int> MachineCommands::Options::start() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    if (incoming) {
        if (machine.suspended().has_value())
            return failure(
                fmt::format("{}: is suspended; tandem start {} goes on from there", name, name));
        TRY(start_machine(machine, {.incoming = "unix:" + machine.move_path()}));
        TRY(machine::move::relay(machine.move_path(), STDIN_FILENO, STDOUT_FILENO));
        return 0;
    }
    TRY(check_can_start(machine)); // of which booting is no mend
    const auto saved = machine.suspended();
    const bool goes_on = saved.has_value() && !boot;
    const auto started = start_machine(machine, {.snapshot = goes_on ? *saved : ""});
    if (!started.has_value())
        return !goes_on ? std::unexpected(started.error())
                        : failure(fmt::format("{}; tandem start --boot {} boots it instead",
                                              started.error().message, name));
    fmt::print("{} {}\n  console    tandem console {}\n", name,
               goes_on ? "goes on from where it was suspended" : "runs", name);
    if (!started->ssh.empty()) fmt::print("  log in     tandem ssh {}\n", name);
    fmt::print("  shut down  tandem stop {}\n", name);
    return 0;
}

Result<int> MachineCommands::Options::stop() {
    const u64 patience = TRY(parse_seconds("--timeout", timeout));
    const NamedMachine machine = TRY(NamedMachine::find(name));
    machine::QmpClient control = TRY(machine.control());
    if (force || !machine::shut_down_by_agent(machine.agent_path()))
        TRY(control.execute(force ? "quit" : "system_powerdown"));
    if (control.wait_for_end(static_cast<int>(patience / 1'000'000))) return 0;
    return failure(fmt::format("{}: still runs after {} s; tandem stop --force {} ends it at once",
                               name, timeout, name));
}

Result<int> MachineCommands::Options::suspend() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    TRY(forget_suspended(machine));
    machine::QmpClient control = TRY(machine.control());
    const bool ran =
        machine::text_member(TRY(control.execute("query-status")), "status", "") == "running";
    // Its disks stay as they are saved.
    TRY(control.execute("stop"));
    if (const auto saved = control.run_job("snapshot-save", {{"tag", NamedMachine::kSuspended}});
        !saved.has_value()) {
        if (ran) TRY(control.execute("cont"));
        return std::unexpected(saved.error());
    }
    TRY(control.execute("quit"));
    static constexpr int kPatienceMs = 60'000;
    if (!control.wait_for_end(kPatienceMs))
        return failure(fmt::format("{}: is saved, but still there; tandem stop --force {} ends it",
                                   name, name));
    fmt::print("{} is suspended; tandem start {}\n", name, name);
    return 0;
}

Result<int> MachineCommands::Options::copy() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    for (const std::string &each : words) {
        TRY(machine.copy(each));
        fmt::print("{} is made; tandem start {}\n", each, each);
    }
    return 0;
}

Result<int> MachineCommands::Options::list() {
    nlohmann::json report = nlohmann::json::array();
    const std::vector<NamedMachine> machines = TRY(NamedMachine::all());
    if (!json && !machines.empty()) fmt::print("{:<20} {:<10} {}\n", "NAME", "STATE", "LOG IN");
    for (const NamedMachine &machine : machines) {
        const std::string state = TRY(state_of(machine));
        std::vector<std::string> login;
        if (const auto started = machine.last_start(); started.has_value() && state != "stopped")
            login = started->ssh;
        if (json)
            report.push_back({{"name", machine.name()},
                              {"state", state},
                              {"folder", machine.folder()},
                              {"ssh", login}});
        else
            fmt::print("{:<20} {:<10} {}\n", machine.name(), state, shell_line(login));
    }
    if (json)
        fmt::print("{}\n", report.dump(4, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
}

Result<int> MachineCommands::Options::rm() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    if (force)
        if (auto control = machine.control(); control.has_value()) {
            TRY(control->execute("quit"));
            static_cast<void>(control->wait_for_end(10'000));
        }
    TRY(machine.remove());
    return 0;
}

Result<int> MachineCommands::Options::ssh() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    TRY(machine.control());
    std::vector<std::string> command = TRY(machine.last_start()).ssh;
    if (command.empty())
        return failure(
            fmt::format("{}: no port of the host leads to its ssh; use tandem console", name));
    command.insert(command.end(), words.begin(), words.end());
    std::vector<char *> arguments;
    for (std::string &word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    return failure(fmt::format("ssh: {}; apt install openssh-client", std::strerror(errno)));
}

Result<int> MachineCommands::Options::console() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    auto control = TRY(machine.control());
    fmt::print(stderr, "tandem: console of {}; Ctrl-A x leaves it, Ctrl-A h helps\n", name);
    TRY(machine::attach_console(machine.console_path(), [&control] {
        static_cast<void>(control.execute("system_powerdown"));
    }));
    fmt::print(stderr, "\n");
    return 0;
}

Result<int> MachineCommands::Options::logs() {
    const NamedMachine machine = TRY(NamedMachine::find(name));
    const std::string path = own ? machine.run_log() : machine.console_log();
    const ScopedFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file.is_open())
        return failure(fmt::format("{}: {}; start the machine first", path, std::strerror(errno)));
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0) return failure(fmt::format("{}: {}", path, std::strerror(errno)));
        if (got > 0) {
            if (std::fwrite(buffer.data(), 1, static_cast<std::size_t>(got), stdout) !=
                static_cast<std::size_t>(got))
                return 0; // whoever read it has left
            continue;
        }
        std::fflush(stdout);
        if (!follow || !machine.control().has_value()) return 0;
        static constexpr int kPollMs = 200;
        ::poll(nullptr, 0, kPollMs);
    }
}

MachineCommands::MachineCommands(CLI::App &program) : options_(std::make_unique<Options>()) {
    Options &o = *options_;
    struct Verb {
        const char *name;
        const char *help;
        Result<int> (Options::*action)();
    };
    // clang-format off
    static constexpr Verb kVerbs[] = {
        {"create",  "Make a named machine of an image, which stays as it is", &Options::create},
        {"start",   "Start a named machine in the background",                &Options::start},
        {"stop",    "Shut a named machine down: by its guest agent or its power key",       &Options::stop},
        {"suspend", "Save a named machine and end it; start goes on from there",        &Options::suspend},
        {"copy",    "Make machines that go on from where a suspended one was",          &Options::copy},
        {"list",    "Show the named machines",                                &Options::list},
        {"rm",      "Remove a named machine with its disk",                   &Options::rm},
        {"ssh",     "Log in to a named machine, or run a command in it",      &Options::ssh},
        {"console", "Connect the terminal to a named machine's serial line",  &Options::console},
        {"logs",    "Show what a named machine's serial line said",           &Options::logs},
    };
    // clang-format on
    for (const Verb &verb : kVerbs) {
        CLI::App *app = add_verb(program, verb.name, verb.help);
        const std::string_view name = verb.name;
        if (name != "list") app->add_option("NAME", o.name, "the machine")->required();
        if (name == "create") {
            app->add_option("--size", o.size, "size of its disk, if larger than the image's");
            app->add_option("IMAGE", o.image, "what `run` takes")->required();
            app->add_option("OPTIONS", o.words, "of `run`, behind --")
                ->option_text("-- OPTIONS...");
        }
        if (name == "start") {
            CLI::Option *arriving =
                app->add_flag("--incoming", o.incoming,
                              "with the machine that tandem move sends to standard input");
            app->add_flag("--boot", o.boot, "boot it, though it was suspended")->excludes(arriving);
        }
        if (name == "copy")
            app->add_option("COPY", o.words, "names of the new machines")->required();
        if (name == "ssh") app->add_option("COMMAND", o.words, "behind -- if it has options");
        if (name == "stop" || name == "rm")
            app->add_flag("--force", o.force, "end it at once, as a power cut does");
        if (name == "stop")
            app->add_option("--timeout", o.timeout, "how long to wait, in seconds (120)");
        if (name == "list") app->add_flag("--json", o.json, "for programs");
        if (name == "logs") {
            app->add_flag("-f,--follow", o.follow, "go on until the machine ends");
            app->add_flag("--run", o.own, "what Tandem itself said at the last start");
        }
        app->callback(
            [&o, action = verb.action] { o.action = [&o, action] { return (o.*action)(); }; });
    }
}

MachineCommands::~MachineCommands() = default;

bool MachineCommands::is_chosen() const {
    return options_->action != nullptr;
}

int MachineCommands::run() {
    const Result<int> status = options_->action();
    if (status.has_value()) return *status;
    fmt::print(stderr, "tandem: {}\n", status.error().message);
    return kExitFailure;
}

} // namespace tandem::app
