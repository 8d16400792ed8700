#include "app/phone.h"

#include "app/machines.h"
#include "app/option_values.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/phone/phone_actions.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

namespace tandem::app {

struct PhoneCommand::Options {
    std::string name, action, output = "0";
    std::vector<std::string> arguments;

    [[nodiscard]] Result<> act() const;
};

Result<> PhoneCommand::Options::act() const {
    const auto *found = TRY(machine::find_phone_action(action, arguments.size()));
    const unsigned screen = TRY(parse_count("--output", output));
    machine::QmpClient control = TRY(control_of(name));
    fmt::print("{}", TRY(found->run({control, arguments, screen})));
    return {};
}

PhoneCommand::PhoneCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "phone", "Touch a machine, and change what its sensors see")) {
    Options &o = *options_;
    verb_->positionals_at_end();
    verb_->add_option("NAME", o.name, "the machine, or unix:PATH of its control socket")
        ->required();
    verb_->add_option("ACTION", o.action, "what is done, see below")->required();
    verb_->add_option("ARGUMENTS", o.arguments, "what the action wants")->expected(0, 8);
    verb_->add_option("--output", o.output, "the screen that is touched, counted from 0 (0)")
        ->option_text("N");
    std::string actions = "Actions:\n";
    for (const machine::PhoneAction &action : machine::phone_actions())
        actions += fmt::format("  {:<9}{}\n", action.name, action.arguments);
    verb_->footer(actions);
}

PhoneCommand::~PhoneCommand() = default;

bool PhoneCommand::is_chosen() const {
    return verb_->parsed();
}

int PhoneCommand::run() {
    if (const auto done = options_->act(); !done.has_value()) {
        fmt::print(stderr, "tandem: {}\n", done.error().message);
        return kExitFailure;
    }
    return 0;
}

} // namespace tandem::app
