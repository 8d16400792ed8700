#include "app/replay.h"

#include "app/option_values.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/launch/state_directory.h"
#include "machine/machine.h"
#include "machine/machine_bisect.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace tandem::app {
/// The options as typed.
struct ReplayCommand::Options {
    std::string file, until, serial, console, accel, tier = "auto", timeout, trace, trace_filter;
    std::string gdb, semihosting, checkpoint_memory, net, guest_agent, vsock, qmp, audio;
    std::vector<std::string> ports;
    ProfileTexts profile;
    std::vector<std::string> symbols;
    CacheTexts cache;
    bool stats = false, gdb_wait = false, go_live = false, bisect_divergence = false;

    [[nodiscard]] Result<> apply(machine::MachineConfig &) const;
    /// What of the host a machine is connected to once it is live.
    [[nodiscard]] Result<> connect(machine::MachineConfig &) const;
    /// Nothing that a search for a divergence has no use for.
    [[nodiscard]] Result<> check_bisection() const;
    [[nodiscard]] int bisect(const machine::MachineConfig &) const;
};

Result<> ReplayCommand::Options::apply(machine::MachineConfig &config) const {
    if (!until.empty()) config.deterministic->stop_at = TRY(parse_stop_point("--until", until));
    if (!serial.empty()) config.serial = TRY(parse_serial("--serial", serial));
    if (!console.empty()) {
        if (!config.console.has_value())
            return failure(
                fmt::format("--console: {} has no such console; leave the option out", file));
        config.console = TRY(parse_serial("--console", console));
    }
    if (!semihosting.empty()) {
        if (!config.semihosting.has_value() || !config.semihosting->line.has_value())
            return failure(
                fmt::format("--semihosting: {} has no such console; leave the option out", file));
        config.semihosting->line = TRY(parse_serial("--semihosting", semihosting));
    }
    if (!audio.empty()) {
        if (!config.sound.has_value())
            return failure(fmt::format("--audio: {} has no sound; leave the option out", file));
        config.sound = TRY(parse_audio(audio));
    }
    TRY(parse_accelerator(accel, config));
    if (config.accelerator == machine::AcceleratorKind::Kvm)
        return failure("--accel kvm: KVM counts no instructions, so that it replays nothing; use "
                       "auto, jit or interp");
    TRY(parse_tier(tier, config));
    config.translation_cache = TRY(parse_cache(cache, machine::cache_directory()));
    if (!timeout.empty()) config.timeout_ns = TRY(parse_seconds("--timeout", timeout));
    TRY(parse_trace(trace, config.trace));
    if (!trace_filter.empty()) TRY(parse_trace_filter(trace_filter, config.trace));
    if (!gdb.empty()) config.gdb = TRY(machine::parse_gdb_address("--gdb", gdb));
    if (!checkpoint_memory.empty()) {
        if ((gdb.empty() && !bisect_divergence) || go_live)
            return failure("--checkpoint-memory: only a debugger of a replay goes back; add --gdb "
                           "ADDR:PORT or --bisect-divergence, without --go-live");
        config.deterministic->checkpoint_memory =
            TRY(parse_bytes("--checkpoint-memory", checkpoint_memory));
    }
    TRY(connect(config));
    if (bisect_divergence) TRY(check_bisection());
    config.starts_stopped = gdb_wait;
    config.statistics = stats;
    config.profile = TRY(parse_profile(profile));
    config.symbols = symbols;
    return machine::check_config(config);
}

Result<> ReplayCommand::Options::connect(machine::MachineConfig &config) const {
    config.deterministic->goes_live = go_live;
    const auto differs = [&](std::string_view option, std::string_view what) {
        return failure(fmt::format("{}: the machine of {} has no {}; leave the option out", option,
                                   file, what));
    };
    const std::pair<std::string_view, bool> given[] = {{"--net", !net.empty()},
                                                       {"--port", !ports.empty()},
                                                       {"--guest-agent", !guest_agent.empty()},
                                                       {"--vsock", !vsock.empty()},
                                                       {"--qmp", !qmp.empty()}};
    for (const auto &[option, is_given] : given)
        if (is_given && !go_live)
            return failure(
                fmt::format("{}: a replay is alone with its recording; add --go-live, or "
                            "leave the option out",
                            option));
    if (!net.empty()) {
        const machine::NetConfig wanted = TRY(parse_net(net));
        if (wanted.kind != config.net.kind)
            return failure(
                fmt::format("--net {}: the machine of {} has --net {}; leave the option out", net,
                            file, name_of(config.net.kind)));
        config.net.forwards = wanted.forwards;
        config.net.where = wanted.where;
    }
    const std::size_t recorded_ports = config.ports.size();
    TRY(parse_ports(ports, guest_agent, config));
    if (config.ports.size() != recorded_ports)
        return differs(fmt::format("--port {}", config.ports.back().name), "such port");
    if (!vsock.empty()) {
        if (!config.vsock.has_value()) return differs("--vsock", "virtio sockets");
        config.vsock->path = TRY(parse_vsock(vsock)).path;
    }
    if (!qmp.empty()) config.control = TRY(parse_qmp(qmp));
    return {};
}

Result<> ReplayCommand::Options::check_bisection() const {
    const std::pair<std::string_view, bool> given[] = {{"--until", !until.empty()},
                                                       {"--go-live", go_live},
                                                       {"--serial", !serial.empty()},
                                                       {"--console", !console.empty()},
                                                       {"--gdb", !gdb.empty()},
                                                       {"--gdb-wait", gdb_wait},
                                                       {"--profile", !profile.path.empty()},
                                                       {"-d", !trace.empty()},
                                                       {"--stats", stats}};
    for (const auto &[option, is_given] : given)
        if (is_given)
            return failure(fmt::format("{}: --bisect-divergence runs all of the recording, several "
                                       "times; leave one of them out",
                                       option));
    return {};
}

int ReplayCommand::Options::bisect(const machine::MachineConfig &config) const {
    const auto bisection = machine::bisect_divergence(config);
    if (!bisection.has_value()) return fail(bisection.error(), kExitFailure);
    const machine::RunOutcome outcome = bisection->outcome;
    if (outcome.reason == machine::StopReason::Timeout)
        return fail({fmt::format("--timeout {}: the time is over", timeout)}, kExitTimeout);
    if (outcome.reason == machine::StopReason::Signal) return kExitSignal + outcome.signal;
    fmt::print("{}", bisection->report);
    const machine::replay::ReplayResult &verdict = bisection->finding.verdict;
    if (verdict.verdict == machine::replay::Verdict::Cut) return fail({verdict.message}, kExitCut);
    if (verdict.verdict != machine::replay::Verdict::Diverged) return 0;
    return fail({fmt::format("{}: diverged: {}", file, verdict.message)}, kExitDiverged);
}

ReplayCommand::ReplayCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "replay", "Run a recorded machine again, the same way")) {
    Options &o = *options_;
    const auto option = [&](const char *name, std::string &value, const char *kind,
                            const char *help) {
        verb_->add_option(name, value, help)->option_text(kind);
    };
    verb_->add_option("FILE", o.file, "the recording")->required()->option_text(" ");
    option("--until", o.until, "WHERE",
           "stop at a guest time (1.5s), at count:N instructions, or when it says text:TEXT");
    verb_->add_flag("--go-live", o.go_live,
                    "go on there, or at the recording's end, with keyboard, network and all");
    option("--net", o.net, "KIND", "of a live machine: user[,hostfwd=tcp:ADDR:PORT-:PORT]...");
    option("--guest-agent", o.guest_agent, "WHERE", "of a live machine, as for run");
    option("--audio", o.audio, "WHERE", "what the guest plays, as for run");
    option("--vsock", o.vsock, "path=PATH", "of a live machine, as for run");
    option("--qmp", o.qmp, "WHERE", "control socket of a live machine: unix:PATH");
    verb_->add_option("--port", o.ports, "of a live machine, as for run; repeatable")
        ->option_text("NAME=WHERE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_flag("--bisect-divergence", o.bisect_divergence,
                    "if it is not what was recorded: say from which instruction on, and how");
    option("--serial", o.serial, "WHERE", "where the serial line's output goes, as for run");
    option("--console", o.console, "WHERE", "where the virtio console's goes, if there is one");
    option("--semihosting", o.semihosting, "WHERE", "where that console's goes, if it has a line");
    option("--accel", o.accel, "KIND", "auto (default), jit or interp");
    option("--tier", o.tier, "TIER", "auto (default), t1 or t2; any makes the same run");
    option("--cache", o.cache.directory, "DIR",
           "where LLVM's code is kept for later runs (~/.cache/tandem)");
    option("--cache-size", o.cache.size, "SIZE", "keep no more than this there (default 256M)");
    option("--timeout", o.timeout, "SECONDS", "stop after this time with status 124");
    option("-d", o.trace, "STAGES", "print translated blocks: decode,ir,opt,asm");
    option("--dfilter", o.trace_filter, "RANGE", "only blocks there: FIRST..LAST or FIRST+LENGTH");
    option("--gdb", o.gdb, "WHERE", "serve a debugger at :PORT, HOST:PORT or unix:PATH");
    option("--checkpoint-memory", o.checkpoint_memory, "SIZE",
           "for going backwards, such as 2G (512M)");
    option("--profile", o.profile.path, "F", "say where time goes, as for run");
    option("--profile-rate", o.profile.rate, "HZ", "look so many times a second (default 100)");
    option("--profile-clock", o.profile.clock, "KIND", "cpu (default; the host's) or guest");
    verb_->add_option("--symbols", o.symbols, "name guest code in the profile; repeatable")
        ->option_text("FILE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    verb_->add_flag("--gdb-wait,-S", o.gdb_wait, "start stopped, for a debugger");
    verb_->add_flag("--no-cache", o.cache.is_off, "neither use nor keep LLVM's code of other runs");
    verb_->add_flag("--stats", o.stats, "print statistics at the end");
}

ReplayCommand::~ReplayCommand() = default;

namespace {

/// The guest's own doing, which `run` would end with a status of failure for.
bool guest_failed(const machine::MachineConfig &config, const machine::RunOutcome &outcome) {
    if (outcome.reason == machine::StopReason::Exited) return outcome.status != 0;
    return outcome.reason == machine::StopReason::Panicked &&
           config.on_panic == machine::PanicAction::ExitFailure;
}

} // namespace

bool ReplayCommand::is_chosen() const {
    return verb_->parsed();
}

int ReplayCommand::run() {
    const auto journal = machine::replay::JournalReader::open(options_->file);
    if (!journal.has_value())
        return fail(journal.error().error,
                    journal.error().is_unsupported ? kExitUnsupported : kExitFailure);
    auto config = machine::config_of_recording(**journal, options_->file);
    if (!config.has_value()) return fail(config.error(), kExitFailure);
    if (const auto applied = options_->apply(*config); !applied.has_value())
        return fail(applied.error(), kExitUsage);
    if (options_->bisect_divergence) return options_->bisect(*config);
    auto machine = machine::Machine::create(*config);
    if (!machine.has_value()) return fail(machine.error(), kExitFailure);
    const auto outcome = (*machine)->run();
    const std::string statistics = (*machine)->statistics_report();
    const machine::replay::ReplayResult result = (*machine)->replay_result();
    const auto profile = (*machine)->finish_profile();
    machine->reset(); // restores the terminal before anything more is printed
    if (!statistics.empty()) fmt::print(stderr, "{}", statistics);
    if (profile.has_value()) fmt::print(stderr, "{}", *profile);
    if (!outcome.has_value()) return fail(outcome.error(), kExitFailure);
    if (!profile.has_value()) return fail(profile.error(), kExitFailure);
    if (outcome->reason == machine::StopReason::Timeout)
        return fail({fmt::format("--timeout {}: the time is over", options_->timeout)},
                    kExitTimeout);
    if (outcome->reason == machine::StopReason::Signal) return kExitSignal + outcome->signal;
    switch (result.verdict) {
    case machine::replay::Verdict::Diverged:
        return fail({fmt::format("{}: diverged: {}", options_->file, result.message)},
                    kExitDiverged);
    case machine::replay::Verdict::Cut: return fail({result.message}, kExitCut);
    case machine::replay::Verdict::Finished:
        if (guest_failed(*config, *outcome)) return kExitGuestFailed;
        if (!options_->go_live) break;
        return fail({fmt::format("--go-live: the guest ends with {}; name an earlier moment with "
                                 "--until",
                                 options_->file)},
                    kExitFailure);
    case machine::replay::Verdict::None:
    case machine::replay::Verdict::WentLive:
    case machine::replay::Verdict::Stopped: break;
    }
    return 0;
}

} // namespace tandem::app
