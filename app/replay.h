#pragma once
/// The verb `replay`: runs a recorded machine again.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class ReplayCommand {
public:
    /// Adds the verb and its options.
    explicit ReplayCommand(CLI::App &program);
    ~ReplayCommand();
    ReplayCommand(const ReplayCommand &) = delete;
    ReplayCommand &operator=(const ReplayCommand &) = delete;

    /// The verb was given.
    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
