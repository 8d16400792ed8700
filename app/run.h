#pragma once
/// The verbs `run` and `explain`, which have the same options.
#include "machine/board/machine_config.h"
#include "machine/launch/launch_plan.h"
#include "machine/move/address.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tandem::app {

/// Exit statuses besides those of the guest's own doing.
inline constexpr int kExitFailure = 1, kExitUsage = 2, kExitTimeout = 124, kExitSignal = 128;
// Of a replay: it went another way; the recording is of another version; its file ends early; the
// guest failed, as it had.
inline constexpr int kExitDiverged = 3, kExitUnsupported = 4, kExitCut = 5, kExitGuestFailed = 6;

/// Prints the error's line; returns the status.
int fail(const Error &, int status);

/// A command line with everything decided.
struct PlannedRun {
    machine::MachineConfig config;
    std::vector<std::string> arguments;      ///< of `run`, that say the same without an IMAGE
    std::optional<machine::LaunchPlan> plan; ///< if there was one
    std::unique_ptr<machine::move::Arrival> arrival = {}; ///< if that said what the machine is
};

class RunCommand {
public:
    enum class Verb : u8 { Run, Explain };

    /// Adds the verb and its options.
    RunCommand(CLI::App &program, Verb);
    ~RunCommand();
    RunCommand(const RunCommand &) = delete;
    RunCommand &operator=(const RunCommand &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

    /// Once. `folder` and `host_name` as in LaunchRequest.
    [[nodiscard]] Result<PlannedRun> plan(const std::string &folder, const std::string &host_name);

private:
    struct Options;

    [[nodiscard]] std::vector<std::string> given_arguments() const;
    /// Options of --device, where none was given.
    [[nodiscard]] Result<> take_profile();
    [[nodiscard]] int start(PlannedRun &);

    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

/// The same for arguments of `run` that were kept.
[[nodiscard]] Result<PlannedRun> plan_arguments(const std::vector<std::string> &arguments,
                                                const std::string &folder,
                                                const std::string &host_name);

} // namespace tandem::app
