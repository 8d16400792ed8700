#pragma once
/// The verbs of named machines: create, start, stop, list, rm, ssh, console, logs.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

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
