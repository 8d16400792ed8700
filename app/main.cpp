#include "app/cache.h"
#include "app/complete.h"
#include "app/image.h"
#include "app/machines.h"
#include "app/move.h"
#include "app/phone.h"
#include "app/play.h"
#include "app/replay.h"
#include "app/run.h"
#include "app/screenshot.h"
#include "app/snapshot.h"
#include "machine/host/terminal.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

int main(int argc, char **argv) {
    tandem::machine::install_crash_handlers();
    std::set_new_handler([] {
        tandem::machine::RawTerminal::restore();
        std::fputs("tandem: host out of memory; free some, or use a smaller --memory\n", stderr);
        std::_Exit(tandem::app::kExitFailure);
    });
    CLI::App program{"Runs whole arm64 machines on x86-64 Linux", "tandem"};
    program.set_version_flag("--version", "tandem " TANDEM_VERSION);
    program.require_subcommand(1);
    program.failure_message([](const CLI::App *, const CLI::Error &error) {
        return fmt::format("tandem: {}; see tandem --help\n", error.what());
    });
    using tandem::app::RunCommand;
    RunCommand run(program, RunCommand::Verb::Run);
    RunCommand explain(program, RunCommand::Verb::Explain);
    tandem::app::MachineCommands machines(program);
    tandem::app::ImageCommand image(program);
    tandem::app::SnapshotCommand snapshot(program);
    tandem::app::MoveCommand move(program);
    tandem::app::ReplayCommand replay(program);
    tandem::app::ScreenshotCommand screenshot(program);
    tandem::app::PhoneCommand phone(program);
    tandem::app::PlayCommand play(program);
    tandem::app::CacheCommand cache(program);
    if (argc > 1 && std::string_view{argv[1]} == "complete") {
        fmt::print("{}", tandem::app::completions(program,
                                                  std::vector<std::string>(argv + 2, argv + argc)));
        return 0;
    }
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        const int status = program.exit(error);
        return status == 0 ? 0 : tandem::app::kExitUsage;
    }
    if (machines.is_chosen()) return machines.run();
    if (image.is_chosen()) return image.run();
    if (snapshot.is_chosen()) return snapshot.run();
    if (move.is_chosen()) return move.run();
    if (screenshot.is_chosen()) return screenshot.run();
    if (phone.is_chosen()) return phone.run();
    if (play.is_chosen()) return play.run();
    if (replay.is_chosen()) return replay.run();
    if (cache.is_chosen()) return cache.run();
    return explain.is_chosen() ? explain.run() : run.run();
}
