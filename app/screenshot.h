#pragma once
/// The verb `screenshot`: what a machine's screen shows, as a file.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class ScreenshotCommand {
public:
    /// Adds the verb and its options.
    explicit ScreenshotCommand(CLI::App &program);
    ~ScreenshotCommand();
    ScreenshotCommand(const ScreenshotCommand &) = delete;
    ScreenshotCommand &operator=(const ScreenshotCommand &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
