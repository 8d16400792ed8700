#pragma once
/// The verb `cache`: shows, checks and empties the translation cache.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class CacheCommand {
public:
    /// Adds the verb, its own verbs and their options.
    explicit CacheCommand(CLI::App &program);
    ~CacheCommand();
    CacheCommand(const CacheCommand &) = delete;
    CacheCommand &operator=(const CacheCommand &) = delete;

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
