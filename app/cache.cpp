#include "app/cache.h"

#include "app/run.h"
#include "app/verb.h"
#include "machine/accel/jit/translation_cache.h"
#include "machine/boot/file_bytes.h"
#include "machine/launch/state_directory.h"
#include "support/local_time.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <string>

namespace tandem::app {
namespace {

using namespace machine;

Result<> list(const std::string &directory) {
    const std::vector<CachePart> parts = translation_cache_parts(directory);
    u64 bytes = 0;
    for (const CachePart &part : parts) bytes += part.bytes;
    fmt::print("{}: {}\n", directory, human_size(bytes));
    if (!parts.empty())
        fmt::print("{:>8} {:>8} {:>10}  {:<19}  {}\n", "REGIONS", "HOT", "SIZE", "LAST USED",
                   "MADE FOR");
    for (const CachePart &part : parts)
        fmt::print("{:>8} {:>8} {:>10}  {:%Y-%m-%d %H:%M:%S}  {}\n", part.regions, part.hot,
                   human_size(part.bytes), local_time(static_cast<std::time_t>(part.last_used)),
                   part.damage.empty() ? part.made_for : part.damage);
    return {};
}

Result<> verify(const std::string &directory) {
    const u64 regions = TRY(verify_translation_cache(directory));
    fmt::print("{}: sound, {} regions\n", directory, regions);
    return {};
}

Result<> clear(const std::string &directory) {
    fmt::print("{}: {} freed\n", directory, human_size(TRY(clear_translation_cache(directory))));
    return {};
}

struct Verb {
    const char *name;
    const char *help;
    Result<> (*run)(const std::string &directory);
};
constexpr Verb kVerbs[] = {
    {"list", "Show what is in it, and what it was made for", list},
    {"verify", "Check all of it", verify},
    {"clear", "Remove all of it; machines that run go on", clear},
};

} // namespace

/// The options as typed, and which action they are for.
struct CacheCommand::Options {
    std::string directory;
    Result<> (*action)(const std::string &directory) = nullptr;
};

CacheCommand::CacheCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "cache", "Look after code kept for later runs")) {
    Options &o = *options_;
    verb_->require_subcommand(1);
    for (const Verb &each : kVerbs) {
        CLI::App *added = add_verb(*verb_, each.name, each.help);
        added->add_option("--cache", o.directory, "where it is (~/.cache/tandem)")
            ->option_text("DIR");
        added->callback([&o, run = each.run] { o.action = run; });
    }
}

CacheCommand::~CacheCommand() = default;

bool CacheCommand::is_chosen() const {
    return verb_->parsed();
}

int CacheCommand::run() {
    const std::string directory =
        options_->directory.empty() ? cache_directory() : options_->directory;
    if (directory.empty())
        return fail({"cache: there is no home directory; name one with --cache DIR"}, kExitUsage);
    const Result<> result = options_->action(directory);
    return result.has_value() ? 0 : fail(result.error(), kExitFailure);
}

} // namespace tandem::app
