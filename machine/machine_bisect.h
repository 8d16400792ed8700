#pragma once
/// Finds where a replay is another machine than the one recorded, with two machines in this
/// process: one as configured, the other in another engine.
#include "machine/bisect/report.h"
#include "machine/machine.h"

#include <thread>

namespace tandem::machine {

/// A replay that stands still but for what a search has it do.
class BisectedMachine {
public:
    /// As Machine::create(). What the guest says goes nowhere.
    [[nodiscard]] static Result<std::unique_ptr<BisectedMachine>> create(MachineConfig);
    ~BisectedMachine();
    BisectedMachine(const BisectedMachine &) = delete;
    BisectedMachine &operator=(const BisectedMachine &) = delete;

    /// Once, when all machines have been created; `ended` is called on its thread.
    void start(std::function<void()> ended);
    /// After start().
    [[nodiscard]] bisect::Subject &subject() { return *subject_; }
    /// Any thread.
    void stop(const RunOutcome &);
    /// Once it has been stopped or has ended: what it ended from.
    [[nodiscard]] Result<RunOutcome> wait();

private:
    explicit BisectedMachine(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}

    std::unique_ptr<Machine> machine_;
    std::unique_ptr<bisect::Subject> subject_;
    std::optional<Result<RunOutcome>> outcome_;
    std::thread thread_;
};

struct Bisection {
    RunOutcome outcome; ///< of machines that were stopped meanwhile: by a signal, or the timeout
    bisect::Finding finding;
    std::string report; ///< lines
};
/// Of the replay that this configures, in the main thread before others are started.
[[nodiscard]] Result<Bisection> bisect_divergence(const MachineConfig &);

/// What holds against a machine of this configuration: the interpreter, unless it runs in that.
[[nodiscard]] MachineConfig reference_for(const MachineConfig &);

} // namespace tandem::machine
