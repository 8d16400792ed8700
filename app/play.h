#pragma once
/// The verb `play`: a script of what a person does with a machine, and sees.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class PlayCommand {
public:
    /// Adds the verb and its options.
    explicit PlayCommand(CLI::App &program);
    ~PlayCommand();
    PlayCommand(const PlayCommand &) = delete;
    PlayCommand &operator=(const PlayCommand &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
