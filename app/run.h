#pragma once
/// The verb `run`.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

/// Exit statuses besides those of the guest's own doing.
inline constexpr int kExitFailure = 1, kExitUsage = 2, kExitTimeout = 124, kExitSignal = 128;

class RunCommand {
public:
    /// Adds the verb and its options.
    explicit RunCommand(CLI::App &program);
    ~RunCommand();
    RunCommand(const RunCommand &) = delete;
    RunCommand &operator=(const RunCommand &) = delete;

    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
