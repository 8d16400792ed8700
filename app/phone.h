#pragma once
/// The verb `phone`: what a person does with a mobile device, and what is around it.
#include <memory>

namespace CLI {
class App;
}

namespace tandem::app {

class PhoneCommand {
public:
    /// Adds the verb and its options.
    explicit PhoneCommand(CLI::App &program);
    ~PhoneCommand();
    PhoneCommand(const PhoneCommand &) = delete;
    PhoneCommand &operator=(const PhoneCommand &) = delete;

    [[nodiscard]] bool is_chosen() const;
    /// Returns the exit status.
    [[nodiscard]] int run();

private:
    struct Options;
    std::unique_ptr<Options> options_;
    CLI::App *verb_;
};

} // namespace tandem::app
