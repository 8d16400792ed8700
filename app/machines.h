#pragma once
/// The verbs of named machines: create, start, stop, suspend, copy, list, rm, ssh, console, logs.
#include "machine/named/named_machine.h"

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tandem::app {

/// What a machine goes on from instead of booting; one of them, if any.
struct StartFrom {
    std::string snapshot = {}; ///< a file
    std::string incoming = {}; ///< where a machine comes, as --incoming has it
};
/// Starts a machine in the background.
[[nodiscard]] Result<machine::StartRecord> start_machine(const machine::NamedMachine &,
                                                         const StartFrom & = {});

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
