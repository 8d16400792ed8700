#include "app/play.h"

#include "app/machines.h"
#include "app/option_values.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/phone/script.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace tandem::app {

struct PlayCommand::Options {
    std::string name, file, output = "0";

    [[nodiscard]] Result<> play() const;
};

Result<> PlayCommand::Options::play() const {
    const unsigned screen = TRY(parse_count("--output", output));
    const auto steps = TRY(machine::read_script(file));
    machine::QmpClient control = TRY(control_of(name));
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto shown = machine::run_step(control, steps[i], screen);
        if (!shown.has_value())
            return failure(fmt::format("{}: step {}: {}", file, i + 1, shown.error().message));
        fmt::print("{}", *shown);
    }
    return {};
}

PlayCommand::PlayCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "play", "Do what a script says with a machine, and see to it")) {
    Options &o = *options_;
    verb_->add_option("NAME", o.name, "the machine, or unix:PATH of its control socket")
        ->required();
    verb_->add_option("FILE", o.file, "a JSON list of steps: do, wait, see")->required();
    verb_->add_option("--output", o.output, "the screen that is touched and seen, from 0 (0)")
        ->option_text("N");
}

PlayCommand::~PlayCommand() = default;

bool PlayCommand::is_chosen() const {
    return verb_->parsed();
}

int PlayCommand::run() {
    if (const auto played = options_->play(); !played.has_value()) {
        fmt::print(stderr, "tandem: {}\n", played.error().message);
        return kExitFailure;
    }
    return 0;
}

} // namespace tandem::app
