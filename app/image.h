#pragma once
/// The verb `image`: disk images without a machine.
#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace tandem::app {

class ImageCommand {
public:
    /// Adds the verb, its own verbs and their options.
    explicit ImageCommand(CLI::App &program);
    ~ImageCommand();
    ImageCommand(const ImageCommand &) = delete;
    ImageCommand &operator=(const ImageCommand &) = delete;

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
