#pragma once
/// The verbs of named machines: create, start, stop, list, rm, ssh, console, logs.
#include "machine/named/named_machine.h"

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tandem::app {

/// Starts a machine in the background with these arguments of `run` besides its own.
[[nodiscard]] Result<machine::StartRecord> start_machine(const machine::NamedMachine &,
                                                         const std::vector<std::string> &more);

/// A machine by its name, or by unix:PATH of its control socket.
[[nodiscard]] Result<machine::QmpClient> control_of(const std::string &name);

class MachineCommands {
public:
    explicit MachineCommands(CLI::App &program);
    ~MachineCommands();
    MachineCommands(const MachineCommands &) = delete;
    MachineCommands &operator=(const MachineCommands &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
};

} // namespace tandem::app
