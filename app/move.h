#pragma once
/// The verb `move`: a running machine goes on in another process.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class MoveCommand {
public:
    /// Adds the verb and its options.
    explicit MoveCommand(CLI::App &program);
    ~MoveCommand();
    MoveCommand(const MoveCommand &) = delete;
    MoveCommand &operator=(const MoveCommand &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
