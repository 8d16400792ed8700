#pragma once
/// The verb `snapshot`: saves and restores machines with a name, and looks into files that a
/// machine was saved to.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class SnapshotCommand {
public:
    /// Adds the verb, its own verbs and their options.
    explicit SnapshotCommand(CLI::App &program);
    ~SnapshotCommand();
    SnapshotCommand(const SnapshotCommand &) = delete;
    SnapshotCommand &operator=(const SnapshotCommand &) = delete;

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
