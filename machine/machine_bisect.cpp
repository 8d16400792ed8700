#include "machine/machine_bisect.h"

#include "machine/machine_debug.h"

namespace tandem::machine {

/// Of a machine that has a history, while another thread has it run.
class Machine::Bisected final : public bisect::Subject, private DebugClient {
public:
    explicit Bisected(Machine &machine) : machine_(machine) { target().attach(*this); }

    Result<Place> run_to_end() override {
        machine_.debugged_->run_to_stop();
        return place();
    }
    Result<Place> go_to(u64 position) override {
        target().go_to(position);
        return place();
    }
    Result<Place> step(u32 cpu) override {
        machine_.debugged_->step_to_stop(cpu);
        return place();
    }
    Result<replay::CheckEntry> look() override {
        return visit<replay::CheckEntry>([this](Board &) { return machine_.session_->look(); });
    }
    Result<replay::ReplayResult> verdict() override {
        return visit<replay::ReplayResult>([this](Board &) {
            const bool has_ended = machine_.timeline_->end() == machine_.session_->position();
            return machine_.session_->compare(has_ended ? replay::RunEnd::Guest
                                                        : replay::RunEnd::Host);
        });
    }
    Result<std::optional<bool>> is_recorded() override {
        return visit<std::optional<bool>>(
            [this](Board &) { return machine_.session_->is_recorded(); });
    }
    Result<std::vector<Part>> parts() override {
        return visit<std::vector<Part>>([](Board &board) {
            std::vector<Part> parts;
            board.save_devices([&](const std::string &name, std::span<const std::byte> state) {
                parts.push_back({name, {state.begin(), state.end()}});
            });
            return parts;
        });
    }
    Result<GuestMemory *> ram() override {
        return visit<GuestMemory *>([](Board &board) { return &board.ram(); });
    }
    DebugTarget &target() override { return *machine_.debugged_; }

    Result<Start> start_before(u64 position) override {
        return visit<Start>([this, position](Board &) {
            const reverse::Checkpoints &kept = machine_.timeline_->checkpoints();
            const u64 at = kept.last_before(std::max(position, kept.first()));
            return Start{at, &kept.at(at)};
        });
    }
    Result<> adopt(const Start &start) override {
        TRY(visit<bool>([this, &start](Board &) {
            machine_.timeline_->checkpoints().adopt(start.position, *start.checkpoint);
            return true;
        }));
        return {};
    }

private:
    void cpu_stopped(u64, u32, const CpuStop &) override {}

    /// What f(Board &) returns while the machine stands still.
    template <typename T, typename F>
    Result<T> visit(F f) {
        std::optional<T> result;
        machine_.debugged_->visit([&](Board &board) { result = f(board); });
        if (!result.has_value()) return failure("the machine has ended before the search did");
        return *std::move(result);
    }
    Result<Place> place() {
        return visit<Place>([this](Board &) {
            const replay::Session &session = *machine_.session_;
            return Place{session.position(), session.now_ns(), session.last_cpu()};
        });
    }

    Machine &machine_;
};

std::unique_ptr<bisect::Subject> Machine::bisected() {
    return std::make_unique<Bisected>(*this);
}

Result<std::unique_ptr<BisectedMachine>> BisectedMachine::create(MachineConfig config) {
    config.deterministic->keeps_history = true;
    config.starts_stopped = true;
    config.serial = {.kind = SerialConfig::Kind::None};
    if (config.console.has_value()) config.console = config.serial;
    return std::unique_ptr<BisectedMachine>(new BisectedMachine(TRY(Machine::create(config))));
}

BisectedMachine::~BisectedMachine() {
    stop({StopReason::Quit, 0});
    if (thread_.joinable()) thread_.join();
}

void BisectedMachine::start(std::function<void()> ended) {
    thread_ = std::thread([this, ended = std::move(ended)] {
        outcome_ = machine_->run();
        ended();
    });
    subject_ = machine_->bisected();
}

void BisectedMachine::stop(const RunOutcome &outcome) {
    machine_->stop(outcome, EventCause::ControlQuit);
}

Result<RunOutcome> BisectedMachine::wait() {
    thread_.join();
    return *std::move(outcome_);
}

MachineConfig reference_for(const MachineConfig &config) {
    MachineConfig reference = config;
    const bool is_interpreter = config.accelerator == AcceleratorKind::Interpreter;
    reference.accelerator = is_interpreter ? AcceleratorKind::Jit : AcceleratorKind::Interpreter;
    if (is_interpreter) reference.tier = Tier::Baseline;
    return reference;
}

namespace {

std::string_view engine_of(const MachineConfig &config) {
    return config.accelerator == AcceleratorKind::Interpreter ? "the interpreter"
                                                              : "translated code";
}

} // namespace

Result<Bisection> bisect_divergence(const MachineConfig &config) {
    const MachineConfig other = reference_for(config);
    const auto candidate = TRY(BisectedMachine::create(config));
    const auto reference = TRY(BisectedMachine::create(other));
    // What ends one ends the search.
    const auto stop_both = [&] {
        for (BisectedMachine *machine : {candidate.get(), reference.get()})
            machine->stop({StopReason::Quit, 0});
    };
    candidate->start(stop_both);
    reference->start(stop_both);
    Bisection bisection;
    Result<> done;
    const auto search = [&]() -> Result<> {
        bisection.finding =
            TRY(bisect::find_divergence(candidate->subject(), reference->subject()));
        bisection.report =
            TRY(bisect::describe(bisection.finding, candidate->subject(), reference->subject(),
                                 {.candidate = engine_of(config), .reference = engine_of(other)}));
        return {};
    };
    done = search();
    stop_both();
    for (BisectedMachine *machine : {candidate.get(), reference.get()}) {
        const RunOutcome outcome = TRY(machine->wait());
        const bool is_stopped =
            outcome.reason == StopReason::Signal || outcome.reason == StopReason::Timeout;
        if (is_stopped) bisection.outcome = outcome;
    }
    if (bisection.outcome.reason == StopReason::None) TRY(std::move(done));
    return bisection;
}

} // namespace tandem::machine
