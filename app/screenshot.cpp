#include "app/screenshot.h"

#include "app/machines.h"
#include "app/option_values.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/screen/image_file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace tandem::app {

struct ScreenshotCommand::Options {
    std::string name, file, output = "0";

    [[nodiscard]] Result<> take() const;
};

Result<> ScreenshotCommand::Options::take() const {
    // The file's name says what it becomes.
    const std::string ending = std::filesystem::path(file).extension().string();
    if (!ending.starts_with('.') || !value_in(machine::kImageFileKinds, ending.substr(1)))
        return failure(
            fmt::format("screenshot: {}: name it FILE.png or FILE.ppm, as which it is made", file));
    const unsigned head = TRY(parse_count("--output", output));
    machine::QmpClient control = TRY(control_of(name));
    // The machine's process writes it, in another folder.
    TRY(control.execute("screendump", {{"filename", std::filesystem::absolute(file).string()},
                                       {"format", ending.substr(1)},
                                       {"head", head}}));
    return {};
}

ScreenshotCommand::ScreenshotCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "screenshot", "Write what a machine's screen shows to a file")) {
    Options &o = *options_;
    verb_->add_option("NAME", o.name, "the machine, or unix:PATH of its control socket")
        ->required();
    verb_->add_option("FILE", o.file, "FILE.png or FILE.ppm")->required();
    verb_->add_option("--output", o.output, "which of its screens, counted from 0 (0)")
        ->option_text("N");
}

ScreenshotCommand::~ScreenshotCommand() = default;

bool ScreenshotCommand::is_chosen() const {
    return verb_->parsed();
}

int ScreenshotCommand::run() {
    if (const auto taken = options_->take(); !taken.has_value()) {
        fmt::print(stderr, "tandem: {}\n", taken.error().message);
        return kExitFailure;
    }
    return 0;
}

} // namespace tandem::app
