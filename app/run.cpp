#include "app/run.h"

#include "app/device_profile.h"
#include "app/display_option.h"
#include "app/launch_report.h"
#include "app/option_values.h"
#include "app/verb.h"
#include "machine/launch/accelerator_choice.h"
#include "machine/launch/launch_plan.h"
#include "machine/launch/state_directory.h"
#include "machine/machine.h"
#include "support/check.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <set>

namespace tandem::app {

using machine::MachineConfig;

int fail(const Error &error, int status) {
    fmt::print(stderr, "tandem: {}\n", error.message);
    return status;
}

/// The options as typed.
struct RunCommand::Options {
    std::string image, device, kernel, initrd, append, dtb, bios, nvram, restore, incoming;
    std::vector<std::string> disks, cdroms, shares, ports, screens, inputs, displays;
    std::string cpus, memory, cpu, accel = "auto", gic, watchdog, on_panic;
    std::string tier = "auto";
    CacheTexts cache;
    std::string net, serial, console, semihosting, semihosting_folder, guest_agent, vsock, balloon,
        audio, bus;
    std::string timeout, trace, trace_filter;
    std::string cloud_init = "auto", name, qmp, gdb, snapshots;
    std::string seed, schedule, until, record, record_ring, record_when;
    ProfileTexts profile;
    bool deterministic = false;
    bool gdb_wait = false, no_reboot = false, no_acpi = false, sensors = false, stats = false,
         perf_map = false;
    std::vector<std::string> symbols;
    bool json = false; ///< of explain

    struct Row {
        const char *name;
        std::string *value;
        const char *type;
        const char *help;
    };
    /// The options that take one value.
    [[nodiscard]] std::vector<Row> rows();
    /// `arrival` is what the configuration was taken from, if it was.
    [[nodiscard]] Result<MachineConfig>
    to_config(std::unique_ptr<machine::move::Arrival> &arrival) const;
    /// Whether a machine that comes says itself what it is.
    [[nodiscard]] bool names_no_machine() const;
    [[nodiscard]] Result<machine::LaunchRequest> to_request() const;
    /// Takes over what the plan chose.
    void adopt(const machine::LaunchPlan &);
};

bool RunCommand::Options::names_no_machine() const {
    return !incoming.empty() && image.empty() && kernel.empty() && bios.empty() && disks.empty() &&
           cdroms.empty();
}

Result<MachineConfig>
RunCommand::Options::to_config(std::unique_ptr<machine::move::Arrival> &arrival) const {
    // What is not given is as the snapshot has it, or has its default.
    MachineConfig config;
    if (!restore.empty()) config = TRY(machine::config_of_snapshot(restore));
    if (names_no_machine()) {
        arrival = TRY(machine::move::Arrival::open(incoming));
        config = TRY(machine::config_of_arrival(*arrival));
    }
    config.incoming = incoming;
    const std::pair<std::string MachineConfig::*, const std::string &> texts[] = {
        {&MachineConfig::kernel, kernel}, {&MachineConfig::initrd, initrd},
        {&MachineConfig::append, append}, {&MachineConfig::dtb, dtb},
        {&MachineConfig::bios, bios},     {&MachineConfig::nvram, nvram}};
    for (const auto &[member, text] : texts)
        if (!text.empty()) config.*member = text;
    if (!disks.empty() || !cdroms.empty()) config.disks.clear();
    for (const std::string &disk : disks) config.disks.push_back(TRY(parse_disk(disk)));
    for (const std::string &image : cdroms)
        config.disks.push_back(TRY(parse_disk(image + ",media=cdrom")));
    for (const std::string &share : shares) config.shares.push_back(TRY(parse_share(share)));
    if (!cpus.empty()) config.cpus = TRY(parse_count("--cpus", cpus));
    if (!memory.empty()) config.memory = TRY(parse_size(memory));
    if (!cpu.empty()) TRY(parse_cpu(cpu, config));
    TRY(parse_accelerator(accel, config));
    TRY(parse_tier(tier, config));
    config.translation_cache = TRY(parse_cache(cache, machine::cache_directory()));
    if (!gic.empty()) config.gic_version = TRY(parse_count("--gic", gic));
    if (!watchdog.empty()) config.watchdog = TRY(parse_watchdog(watchdog));
    if (!on_panic.empty()) config.on_panic = TRY(parse_panic_action(on_panic));
    if (!net.empty()) config.net = TRY(parse_net(net));
    if (!console.empty()) config.console = TRY(parse_serial("--console", console));
    TRY(parse_semihosting(semihosting, semihosting_folder, config.semihosting));
    TRY(parse_ports(ports, guest_agent, config));
    if (!screens.empty()) config.screens.clear();
    for (const std::string &screen : screens)
        config.screens.push_back(TRY(parse_screen_option(screen)));
    if (!inputs.empty()) config.inputs.clear();
    if (sensors) config.sensors.emplace();
    for (const std::string &input : inputs) config.inputs.push_back(TRY(parse_input(input)));
    if (!vsock.empty()) config.vsock = TRY(parse_vsock(vsock));
    if (!audio.empty()) config.sound = TRY(parse_audio(audio));
    if (!balloon.empty()) config.balloon = TRY(parse_balloon(balloon));
    if (!bus.empty()) config.virtio_bus = TRY(parse_bus(bus));
    if (!serial.empty()) {
        config.serial = TRY(parse_serial("--serial", serial));
    } else if (config.console.has_value() &&
               config.console->kind == machine::SerialConfig::Kind::Stdio) {
        config.serial.kind = machine::SerialConfig::Kind::None;
    }
    config.display = TRY(parse_displays(displays));
    // What was saved, or comes, has its devices.
    if (restore.empty() && arrival == nullptr) add_devices_for_display(config);
    config.reboot_allowed = !no_reboot;
    if (no_acpi) config.acpi = false;
    if (!timeout.empty()) config.timeout_ns = TRY(parse_seconds("--timeout", timeout));
    config.statistics = stats;
    config.profile = TRY(parse_profile(profile));
    config.perf_map = perf_map || (!symbols.empty() && !config.profile.has_value());
    config.symbols = symbols;
    TRY(parse_trace(trace, config.trace));
    if (!trace_filter.empty()) TRY(parse_trace_filter(trace_filter, config.trace));
    if (!image.empty() && !restore.empty())
        return failure(
            fmt::format("{}: --restore starts from its snapshot; leave the image out", image));
    TRY(parse_deterministic(
        {deterministic, seed, schedule, until, record, record_ring, record_when}, config));
    config.name = name;
    if (!qmp.empty()) config.control = TRY(parse_qmp(qmp));
    if (!gdb.empty()) config.gdb = TRY(machine::parse_gdb_address("--gdb", gdb));
    config.starts_stopped = gdb_wait;
    if (!snapshots.empty()) config.snapshots = snapshots;
    return config;
}

Result<machine::LaunchRequest> RunCommand::Options::to_request() const {
    machine::LaunchRequest request;
    request.image = image;
    if (cloud_init == "always") {
        request.seed = machine::SeedWish::Always;
    } else if (cloud_init == "never") {
        request.seed = machine::SeedWish::Never;
    } else if (cloud_init != "auto") {
        return failure(
            fmt::format("--cloud-init {}: unknown; use auto, always or never", cloud_init));
    }
    return request;
}

void RunCommand::Options::adopt(const machine::LaunchPlan &plan) {
    using Place = machine::Choice::Place;
    const std::vector<Row> known = rows();
    for (const machine::Choice &choice : plan.choices) {
        if (choice.place == Place::First) {
            disks.insert(disks.begin(), choice.value);
        } else if (choice.place == Place::Last) {
            disks.push_back(choice.value);
        } else {
            const auto row = std::ranges::find(known, choice.option, &Row::name);
            CHECK(row != known.end());
            *row->value = choice.value;
        }
    }
}

std::vector<RunCommand::Options::Row> RunCommand::Options::rows() {
    Options &o = *this;
    // clang-format off
    return {
        {"IMAGE",     &o.image,        "",       "a disk, an ISO, a kernel or an ELF file; what it needs is chosen"},
        {"--device",  &o.device,       "NAME|FILE", "what the profile of a device says: car, kiosk, phone, tablet, watch or one of your own"},
        {"--kernel",  &o.kernel,       "FILE",   "Image, Image.gz, EFI zboot or ELF kernel"},
        {"--initrd",  &o.initrd,       "FILE",   "initial RAM disk"},
        {"--append",  &o.append,       "TEXT",   "kernel command line"},
        {"--dtb",     &o.dtb,          "FILE",   "device tree instead of the board's own"},
        {"--bios",    &o.bios,         "FILE",   "firmware for the first flash bank"},
        {"--nvram",   &o.nvram,        "FILE",   "keeps the second flash bank, the firmware's variables"},
        {"--restore", &o.restore,      "FILE",   "go on from a snapshot; it says what the machine is"},
        {"--incoming",&o.incoming,     "WHERE",  "wait for a machine that tandem move sends: unix:PATH, tcp:ADDR:PORT or fd:N"},
        {"--cpus",    &o.cpus,         "N",      "number of CPUs, 1 to 64 (default 2)"},
        {"--memory",  &o.memory,       "SIZE",   "RAM, such as 512M or 2G (default 1G)"},
        {"--cpu",     &o.cpu,          "MODEL",  "cortex-a53, cortex-a72, neoverse-n1 or max (default)[,pauth=qarma5]"},
        {"--accel",   &o.accel,        "KIND",   "auto (default: KVM for x86-64 guests), jit, kvm or interp"},
        {"--tier",    &o.tier,         "TIER",   "auto (default: hot loops by LLVM), t1 (none) or t2 (all by LLVM at once)"},
        {"--cache",   &o.cache.directory, "DIR", "where LLVM's code is kept for later runs (~/.cache/tandem)"},
        {"--cache-size", &o.cache.size,"SIZE",   "keep no more than this there (default 256M)"},
        {"--gic",     &o.gic,          "VERSION","interrupt controller, 2 or 3 (default)"},
        {"--watchdog",&o.watchdog,    "ACTION", "adds one, and says what it does: reset, shutdown, poweroff or none"},
        {"--on-panic",&o.on_panic,    "ACTION", "the guest can say that it has panicked, and this follows: pause, shutdown, exit-failure or none"},
        {"--net",     &o.net,          "KIND",   "user[,hostfwd=tcp:ADDR:PORT-:PORT]...[,tftp=DIR][,bootfile=FILE] (default), passt[,hostfwd=...], stream,path=PATH, tap[,ifname=NAME], each [,mac=MAC][,queues=N][,latency=MS][,loss=PERCENT][,rate=MBIT][,profile=NAME], or none"},
        {"--serial",  &o.serial,       "WHERE",  "stdio (default), none, file:F, pty, tcp:ADDR:PORT or unix:PATH[,log=F]"},
        {"--console", &o.console,      "WHERE",  "adds a virtio console (hvc0) there; as --serial"},
        {"--semihosting", &o.semihosting, "WHERE", "a bare-metal program may call the host: its console is the serial line's output (console), or there; as --serial"},
        {"--semihosting-folder", &o.semihosting_folder, "DIR[,readonly]", "and use the files of this folder"},
        {"--guest-agent", &o.guest_agent, "WHERE", "a port for the guest's qemu-guest-agent, mostly unix:PATH"},
        {"--vsock",   &o.vsock,        "[cid=N,]path=PATH", "sockets between guest and host: clients of PATH say CONNECT PORT; guests call PATH_PORT"},
        {"--audio",   &o.audio,        "WHERE",  "adds a sound device: nobody listens (none), the host's own (sdl[,in=on]: with its microphone), or files (wav=OUT.wav[,in=IN.wav])"},
        {"--balloon", &o.balloon,      "KIND",   "on[,stats=SECONDS]: memory that the guest does not use goes back to the host; or none (default)"},
        {"--bus",     &o.bus,          "KIND",   "of virtio devices other than disks: pci (default) or mmio"},
        {"--cloud-init", &o.cloud_init,"WHEN",   "a seed for cloud-init: auto (default; when IMAGE wants one), always or never"},
        {"--name",    &o.name,         "NAME",   "of the machine, for whoever controls it"},
        {"--qmp",     &o.qmp,          "WHERE",  "control socket, unix:PATH, that speaks QMP"},
        {"--gdb",     &o.gdb,          "WHERE",  "serve a debugger at HOST:PORT, :PORT (of this host alone) or unix:PATH"},
        {"--snapshots", &o.snapshots,  "DIR",    "where --qmp's commands keep snapshots (the current folder)"},
        {"--seed",    &o.seed,         "N",      "of a deterministic machine: its schedule and randomness (default 0)"},
        {"--schedule",&o.schedule,     "KIND",   "whose turn it is: round-robin (default), random, pct or chaos"},
        {"--until",   &o.until,        "WHERE",  "stop a deterministic machine at a guest time (1.5s), at count:N instructions or when it says text:TEXT"},
        {"--record",  &o.record,       "F",      "make a recording that tandem replay runs again; disks and nvram stay as they are"},
        {"--record-ring", &o.record_ring, "SECONDS|SIZE", "of it only the last part, when the guest panics or the run ends badly"},
        {"--record-when", &o.record_when, "TEXT", "and a second after the guest has said this"},
        {"--profile", &o.profile.path, "F",      "say where time goes: F.html (a flame graph), F.json (speedscope) or F.folded"},
        {"--profile-rate", &o.profile.rate, "HZ", "look so many times a second (default 100)"},
        {"--profile-clock", &o.profile.clock, "KIND", "cpu (default; the host's) or guest (instructions of a deterministic machine)"},
        {"--timeout", &o.timeout,      "SECONDS","stop after this time with status 124"},
        {"-d",        &o.trace,        "STAGES", "print translated blocks: decode,ir,opt,asm; regions: llvm"},
        {"--dfilter", &o.trace_filter, "RANGE",  "only blocks there: FIRST..LAST or FIRST+LENGTH"},
    };
    // clang-format on
}

RunCommand::RunCommand(CLI::App &program, Verb verb)
    : options_(std::make_unique<Options>()),
      verb_(verb == Verb::Run
                ? add_verb(program, "run", "Run an arm64 or x86-64 machine")
                : add_verb(program, "explain", "Say what run would do, and do nothing")) {
    Options &o = *options_;
    for (const Options::Row &row : o.rows())
        verb_->add_option(row.name, *row.value, row.help)->option_text(row.type);
    verb_->add_option("--disk", o.disks, "disk image, raw or qcow2; repeatable")
        ->option_text("FILE[,format=F][,cache=MODE][,readonly][,snapshot]"
                      "[,bus=pci|mmio|scsi|scsi-mmio][,media=cdrom]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_option("--cdrom", o.cdroms, "a CD-ROM drive with this image in it; repeatable")
        ->option_text("FILE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_option("--screen", o.screens, "a screen, on a graphics card; repeatable")
        ->option_text("WIDTHxHEIGHT[@DPI]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_flag("--sensors", o.sensors,
                    "the sensors and the battery of a mobile device (tandem phone)");
    verb_
        ->add_option("--display", o.displays,
                     "who sees the screens: nobody (none, the default), windows (sdl), or VNC "
                     "clients at port "
                     "5900 + N of this host, or of ADDR")
        ->option_text("none|sdl[,full-screen][,scale=N]|vnc[=[ADDR:]N][,password-file=FILE][,"
                      "password=on][,head=N]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_option("--input", o.inputs, "keyboard, mouse, tablet or touch; repeatable")
        ->option_text("KIND")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_option("--port", o.ports, "a named port of the virtio console; repeatable")
        ->option_text("NAME=WHERE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_option("--share", o.shares, "a folder for the guest to mount; repeatable")
        ->option_text("DIR[:TAG][,readonly][,type=virtiofs|9p]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_flag("--gdb-wait,-S", o.gdb_wait,
                    "start stopped, until a debugger or --qmp says go on");
    verb_->add_flag("--no-cache", o.cache.is_off, "neither use nor keep LLVM's code of other runs");
    verb_->add_flag("--no-acpi", o.no_acpi, "firmware gets the device tree alone");
    verb_->add_flag("--deterministic", o.deterministic, "the same run for the same seed and input");
    verb_->add_flag("--no-reboot", o.no_reboot, "exit when the guest resets");
    verb_->add_flag("--stats", o.stats, "print statistics at the end");
    verb_->add_flag("--perf-map", o.perf_map, "name translated code in /tmp/perf-PID.map for perf");
    verb_->add_option("--symbols", o.symbols, "nm's output that names guest code there; repeatable")
        ->option_text("FILE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    if (verb == Verb::Explain) verb_->add_flag("--json", o.json, "for programs");
}

RunCommand::~RunCommand() = default;

bool RunCommand::is_chosen() const {
    return verb_->parsed();
}

std::vector<std::string> RunCommand::given_arguments() const {
    // What IMAGE stands for is spelled out, and so is what decides about it.
    static constexpr std::array<std::string_view, 4> kDecided{"IMAGE", "--cloud-init", "--device",
                                                              "--json"};
    std::vector<std::string> words;
    for (const CLI::Option *option : verb_->get_options()) {
        const std::string name = option->get_name();
        if (option->count() == 0 || std::ranges::find(kDecided, name) != kDecided.end()) continue;
        if (option->get_items_expected_max() == 0) {
            words.push_back(name);
            continue;
        }
        for (const std::string &value : option->results()) words.insert(words.end(), {name, value});
    }
    return words;
}

Result<> RunCommand::take_profile() {
    if (options_->device.empty()) return {};
    std::set<const CLI::Option *> given;
    for (const CLI::Option *option : verb_->get_options())
        if (option->count() != 0) given.insert(option);
    for (const ProfileLine &line : TRY(read_device_profile(options_->device))) {
        CLI::Option *option = verb_->get_option_no_throw(line.option);
        if (option == nullptr || option == verb_->get_option("--device"))
            return failure(fmt::format("{}: {}: no option of tandem run; see tandem run --help",
                                       line.place, line.option.substr(2)));
        if (given.contains(option)) continue;
        const bool is_flag = option->get_items_expected_max() == 0;
        if (is_flag != line.value.empty())
            return failure(
                fmt::format("{}: {}: {}", line.place, line.option.substr(2),
                            is_flag ? "it takes no value; remove it" : "give it a value"));
        if (option->count() != 0 &&
            option->get_multi_option_policy() != CLI::MultiOptionPolicy::TakeAll)
            return failure(
                fmt::format("{}: {}: given twice; remove one", line.place, line.option.substr(2)));
        option->add_result(is_flag ? "true" : line.value);
        option->run_callback();
    }
    return {};
}

Result<PlannedRun> RunCommand::plan(const std::string &folder, const std::string &host_name) {
    TRY(take_profile());
    PlannedRun planned;
    planned.arguments = given_arguments();
    if (!options_->image.empty()) {
        machine::LaunchRequest request = TRY(options_->to_request());
        request.folder = folder;
        request.host_name = host_name;
        for (const CLI::Option *option : verb_->get_options())
            if (option->count() != 0) request.given.insert(option->get_name());
        planned.plan = TRY(machine::plan_launch(request));
        options_->adopt(*planned.plan);
        for (const machine::Choice &choice : planned.plan->choices) {
            const auto at = choice.place == machine::Choice::Place::First
                                ? planned.arguments.begin()
                                : planned.arguments.end();
            planned.arguments.insert(at, {choice.option, choice.value});
        }
    }
    planned.config = TRY(options_->to_config(planned.arrival));
    machine::AcceleratorChoice choice = TRY(machine::choose_accelerator(planned.config));
    planned.config.board = choice.board;
    planned.config.accelerator = choice.accelerator;
    planned.config.accelerator_line = std::move(choice.line);
    TRY(machine::check_config(planned.config));
    return planned;
}

Result<PlannedRun> plan_arguments(const std::vector<std::string> &arguments,
                                  const std::string &folder, const std::string &host_name) {
    CLI::App program;
    RunCommand command(program, RunCommand::Verb::Run);
    std::vector<std::string> words{"run"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::ranges::reverse(words); // the parser takes them from the end
    try {
        program.parse(std::move(words));
    } catch (const CLI::ParseError &error) {
        return failure(fmt::format("{}; see tandem run --help", error.what()));
    }
    return command.plan(folder, host_name);
}

int RunCommand::run() {
    auto planned = plan("", "");
    if (!planned.has_value()) return fail(planned.error(), kExitUsage);
    if (verb_->get_name() == "run") return start(*planned);
    if (!planned->plan.has_value())
        return fail({"explain: no image; name one: tandem explain IMAGE"}, kExitUsage);
    const std::string report = options_->json ? plan_as_json(*planned->plan, planned->arguments)
                                              : plan_as_text(*planned->plan, planned->arguments);
    fmt::print("{}", report);
    return 0;
}

int RunCommand::start(PlannedRun &planned) {
    if (planned.plan.has_value())
        if (const auto prepared = machine::prepare_launch(*planned.plan); !prepared.has_value())
            return fail(prepared.error(), kExitFailure);
    auto machine = machine::Machine::create(planned.config, std::move(planned.arrival));
    if (!machine.has_value()) return fail(machine.error(), kExitFailure);
    if (planned.plan.has_value() && !planned.plan->folder.empty())
        fmt::print(stderr, "{}", plan_as_screen(*planned.plan, planned.config));
    const auto outcome = (*machine)->run();
    const std::string statistics = (*machine)->statistics_report();
    const auto profile = (*machine)->finish_profile();
    machine->reset(); // restores the terminal before anything more is printed
    if (!statistics.empty()) fmt::print(stderr, "{}", statistics);
    if (profile.has_value()) fmt::print(stderr, "{}", *profile);
    if (!outcome.has_value()) return fail(outcome.error(), kExitFailure);
    if (!profile.has_value()) return fail(profile.error(), kExitFailure);
    switch (outcome->reason) {
    case machine::StopReason::Timeout:
        fmt::print(stderr, "tandem: --timeout {}: the time is over\n", options_->timeout);
        return kExitTimeout;
    case machine::StopReason::Signal: return kExitSignal + outcome->signal;
    case machine::StopReason::Panicked:
        return planned.config.on_panic == machine::PanicAction::ExitFailure ? kExitFailure : 0;
    case machine::StopReason::Exited: return outcome->status;
    case machine::StopReason::None:
    case machine::StopReason::PowerOff:
    case machine::StopReason::Reset:
    case machine::StopReason::Quit:
    case machine::StopReason::Reached:
    case machine::StopReason::Failure:
    case machine::StopReason::Replaced: break;
    }
    return 0;
}

} // namespace tandem::app
