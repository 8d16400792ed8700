#include "app/verb.h"

#include <CLI/CLI.hpp>

namespace tandem::app {

CLI::App *add_verb(CLI::App &parent, const std::string &name, const std::string &help) {
    return parent.add_subcommand(name, help);
}

} // namespace tandem::app
