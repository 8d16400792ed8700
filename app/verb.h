#pragma once
/// Verbs of the command line.
#include <string>

namespace CLI {
class App;
}

namespace tandem::app {

/// Adds one to the program, or to another verb. A source that makes a CLI::App compiles all of
/// CLI11 with it; so that one does for all verbs.
[[nodiscard]] CLI::App *add_verb(CLI::App &parent, const std::string &name,
                                 const std::string &help);

} // namespace tandem::app
