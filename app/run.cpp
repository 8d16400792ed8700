#include "app/run.h"

#include "app/option_values.h"
#include "machine/image.h"
#include "machine/machine.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace tandem::app {

using machine::MachineConfig;

/// The options as typed.
struct RunCommand::Options {
    std::string image, kernel, initrd, append, dtb, bios, nvram;
    std::vector<std::string> disks;
    std::string cpus = "2", memory = "1G", cpu = "max", accel = "auto", gic = "3";
    std::string tier = "t1";
    std::string net = "user", serial, console, display = "none", timeout, trace, trace_filter;
    bool no_reboot = false, no_acpi = false, stats = false;

    [[nodiscard]] Result<MachineConfig> to_config() const;
};

Result<MachineConfig> RunCommand::Options::to_config() const {
    MachineConfig config;
    config.kernel = kernel;
    config.initrd = initrd;
    config.append = append;
    config.dtb = dtb;
    config.bios = bios;
    config.nvram = nvram;
    for (const std::string &disk : disks) config.disks.push_back(TRY(parse_disk(disk)));
    config.cpus = TRY(parse_count("--cpus", cpus));
    config.memory = TRY(parse_size(memory));
    TRY(parse_cpu(cpu, config));
    if (accel == "interp") {
        config.accelerator = machine::AcceleratorKind::Interpreter;
    } else if (accel == "jit") {
        config.accelerator = machine::AcceleratorKind::Jit;
    } else if (accel != "auto") {
        return failure(fmt::format("--accel {}: unknown; use auto, jit or interp", accel));
    }
    if (tier == "t1") {
        config.tier = machine::Tier::Baseline;
    } else if (tier == "t2") {
        config.tier = machine::Tier::Optimising;
    } else if (tier != "auto") {
        return failure(fmt::format("--tier {}: unknown; use auto, t1 or t2", tier));
    }
    config.gic_version = TRY(parse_count("--gic", gic));
    config.net = TRY(parse_net(net));
    if (!console.empty()) config.console = TRY(parse_serial("--console", console));
    if (!serial.empty()) {
        config.serial = TRY(parse_serial("--serial", serial));
    } else if (config.console.has_value() &&
               config.console->kind == machine::SerialConfig::Kind::Stdio) {
        config.serial.kind = machine::SerialConfig::Kind::None;
    }
    if (display != "none")
        return failure(fmt::format("--display {}: not supported yet; use none", display));
    config.reboot_allowed = !no_reboot;
    config.acpi = !no_acpi;
    if (!timeout.empty()) config.timeout_ns = TRY(parse_seconds("--timeout", timeout));
    config.statistics = stats;
    TRY(parse_trace(trace, config.trace));
    if (!trace_filter.empty()) TRY(parse_trace_filter(trace_filter, config.trace));
    if (!image.empty()) TRY(machine::use_image(config, image));
    return config;
}

RunCommand::RunCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(program.add_subcommand("run", "Run an arm64 machine")) {
    Options &o = *options_;
    struct Row {
        const char *name;
        std::string *value;
        const char *type;
        const char *help;
    };
    // clang-format off
    const Row rows[] = {
        {"IMAGE",     &o.image,        "",       "a kernel, an ELF file or (with --kernel) a disk"},
        {"--kernel",  &o.kernel,       "FILE",   "Image, Image.gz, EFI zboot or ELF kernel"},
        {"--initrd",  &o.initrd,       "FILE",   "initial RAM disk"},
        {"--append",  &o.append,       "TEXT",   "kernel command line"},
        {"--dtb",     &o.dtb,          "FILE",   "device tree instead of the board's own"},
        {"--bios",    &o.bios,         "FILE",   "firmware for the first flash bank"},
        {"--nvram",   &o.nvram,        "FILE",   "keeps the second flash bank, the firmware's variables"},
        {"--cpus",    &o.cpus,         "N",      "number of CPUs, 1 to 64 (default 2)"},
        {"--memory",  &o.memory,       "SIZE",   "RAM, such as 512M or 2G (default 1G)"},
        {"--cpu",     &o.cpu,          "MODEL",  "cortex-a53, cortex-a72, neoverse-n1 or max (default)[,pauth=qarma5]"},
        {"--accel",   &o.accel,        "KIND",   "auto (default), jit or interp"},
        {"--tier",    &o.tier,         "TIER",   "t1 (default), auto (hot loops by LLVM) or t2 (all by LLVM at once)"},
        {"--gic",     &o.gic,          "VERSION","interrupt controller, 2 or 3 (default)"},
        {"--net",     &o.net,          "KIND",   "user[,hostfwd=tcp:ADDR:PORT-:PORT]... (default) or none"},
        {"--serial",  &o.serial,       "WHERE",  "stdio (default), none, file:F, pty or tcp:ADDR:PORT"},
        {"--console", &o.console,      "WHERE",  "adds a virtio console (hvc0) there; as --serial"},
        {"--display", &o.display,      "KIND",   "none (default)"},
        {"--timeout", &o.timeout,      "SECONDS","stop after this time with status 124"},
        {"-d",        &o.trace,        "STAGES", "print translated blocks: decode,ir,opt,asm"},
        {"--dfilter", &o.trace_filter, "RANGE",  "only blocks there: FIRST..LAST or FIRST+LENGTH"},
    };
    // clang-format on
    for (const Row &row : rows)
        verb_->add_option(row.name, *row.value, row.help)->option_text(row.type);
    verb_->add_option("--disk", o.disks, "disk image, raw or qcow2; repeatable")
        ->option_text("FILE[,format=F][,cache=MODE][,readonly][,snapshot][,bus=pci|mmio]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_flag("--no-acpi", o.no_acpi, "firmware gets the device tree alone");
    verb_->add_flag("--no-reboot", o.no_reboot, "exit when the guest resets");
    verb_->add_flag("--stats", o.stats, "print statistics at the end");
}

RunCommand::~RunCommand() = default;

int RunCommand::run() {
    const auto fail = [](const Error &error, int status) {
        fmt::print(stderr, "tandem: {}\n", error.message);
        return status;
    };
    const auto config = options_->to_config();
    if (!config.has_value()) return fail(config.error(), kExitUsage);
    auto machine = machine::Machine::create(*config);
    if (!machine.has_value()) return fail(machine.error(), kExitFailure);
    const auto outcome = (*machine)->run();
    const std::string statistics = (*machine)->statistics_report();
    machine->reset(); // restores the terminal before anything more is printed
    if (!statistics.empty()) fmt::print(stderr, "{}", statistics);
    if (!outcome.has_value()) return fail(outcome.error(), kExitFailure);
    switch (outcome->reason) {
    case machine::StopReason::Timeout:
        fmt::print(stderr, "tandem: --timeout {}: the time is over\n", options_->timeout);
        return kExitTimeout;
    case machine::StopReason::Signal: return kExitSignal + outcome->signal;
    case machine::StopReason::None:
    case machine::StopReason::PowerOff:
    case machine::StopReason::Reset:
    case machine::StopReason::Quit: break;
    }
    return 0;
}

} // namespace tandem::app
