#include "app/move.h"

#include "app/machines.h"
#include "app/option_values.h"
#include "app/progress.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/boot/file_bytes.h"
#include "machine/control/json_member.h"
#include "machine/named/named_machine.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <csignal>
#include <string>
#include <string_view>

namespace tandem::app {
namespace {

using nlohmann::json;

constexpr int kPollMs = 50, kEndMs = 10'000;
constexpr std::string_view kUnix = "unix:";

volatile std::sig_atomic_t is_interrupted = 0;

/// ssh://HOST: the machine of the same name there.
Result<std::string> address_of(const std::string &target, const std::string &name) {
    if (!target.starts_with("ssh://")) return target;
    if (name.starts_with(kUnix))
        return failure(fmt::format("{}: which machine it is there goes by name; give NAME in place "
                                   "of {}",
                                   target, name));
    static constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@:/";
    if (target.find_first_not_of(kAllowed) != std::string::npos)
        return failure(fmt::format("{}: no host; write ssh://[USER@]HOST[:PORT]", target));
    // The machine's process runs it, which has no terminal to ask questions on.
    return fmt::format("exec:ssh -o BatchMode=yes {} tandem start {} --incoming", target, name);
}

u64 number(const json &object, const char *name) {
    const auto member = object.find(name);
    return member != object.end() && member->is_number_unsigned() ? member->get<u64>() : 0;
}

} // namespace

struct MoveCommand::Options {
    std::string name, target, bandwidth, downtime = "100";
    bool full_speed = false;

    [[nodiscard]] Result<> move();
    /// Until it is over; returns what is said of it then.
    [[nodiscard]] Result<json> follow(machine::QmpClient &) const;
};

Result<json> MoveCommand::Options::follow(machine::QmpClient &control) const {
    ProgressBar bar(name);
    bool is_cancelled = false;
    for (;;) {
        const json report = TRY(control.execute("query-migrate"));
        const std::string status = machine::text_member(report, "status");
        if (status == "completed") return report;
        if (status == "failed" || status == "cancelled")
            return failure(fmt::format("{}: stays here: {}", name,
                                       machine::text_member(report, "error-desc", "cancelled")));
        const json ram = report.value("ram", json::object());
        const u64 page = number(ram, "page-size");
        const u64 done = (number(ram, "normal") + number(ram, "duplicate")) * page;
        bar.show(done, done + number(ram, "remaining"));
        ::poll(nullptr, 0, kPollMs);
        if (is_interrupted != 0 && !std::exchange(is_cancelled, true))
            TRY(control.execute("migrate_cancel"));
    }
}

Result<> MoveCommand::Options::move() {
    json parameters{{"downtime-limit", TRY(parse_count("--downtime", downtime))},
                    {"max-bandwidth", 0}};
    if (!bandwidth.empty())
        parameters["max-bandwidth"] = TRY(parse_bytes("--bandwidth", bandwidth));
    machine::QmpClient control = TRY(control_of(name));
    const std::string address = TRY(address_of(target, name));
    TRY(control.execute("migrate-set-parameters", std::move(parameters)));
    TRY(control.execute(
        "migrate-set-capabilities",
        {{"capabilities", {{{"capability", "auto-converge"}, {"state", !full_speed}}}}}));
    // Ctrl-C has the machine stay.
    std::signal(SIGINT, [](int) { is_interrupted = 1; });
    TRY(control.execute("migrate", {{"uri", address}}));
    const json report = TRY(follow(control));
    TRY(control.execute("quit"));
    static_cast<void>(control.wait_for_end(kEndMs));
    fmt::print("{} runs at {} now ({:.1f} s, {}, stood still for {} ms)\n", name, target,
               static_cast<double>(number(report, "total-time")) / 1000,
               machine::human_size(number(report.value("ram", json::object()), "transferred")),
               number(report, "downtime"));
    return {};
}

MoveCommand::MoveCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "move", "Move a running machine to another process or host")) {
    Options &o = *options_;
    verb_->add_option("NAME", o.name, "the machine, or unix:PATH of its control socket")
        ->required();
    verb_
        ->add_option("TARGET", o.target,
                     "where run --incoming waits: unix:PATH, tcp:HOST:PORT; or ssh://HOST")
        ->required();
    verb_->add_option("--downtime", o.downtime, "how long it may stand still, in ms (100)")
        ->option_text("MS");
    verb_->add_option("--bandwidth", o.bandwidth, "bytes a second at most, such as 100M")
        ->option_text("SIZE");
    verb_->add_flag("--full-speed", o.full_speed,
                    "never slow the guest down, even if it writes faster than it can be sent");
}

MoveCommand::~MoveCommand() = default;

bool MoveCommand::is_chosen() const {
    return verb_->parsed();
}

int MoveCommand::run() {
    if (const auto moved = options_->move(); !moved.has_value()) {
        fmt::print(stderr, "tandem: {}\n", moved.error().message);
        return kExitFailure;
    }
    return 0;
}

} // namespace tandem::app
