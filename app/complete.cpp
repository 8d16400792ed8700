#include "app/complete.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace tandem::app {
namespace {

constexpr std::string_view kFiles = ":files\n";

/// Options whose values are words to choose from.
struct Choices {
    std::string_view option;
    std::initializer_list<std::string_view> values;
};
// clang-format off
const Choices kChoices[] = {
    {"--accel",          {"auto", "jit", "kvm", "interp"}},
    {"--backing-format", {"raw", "qcow2"}},
    {"--balloon",        {"on", "none"}},
    {"--bus",            {"pci", "mmio"}},
    {"--cloud-init",     {"auto", "always", "never"}},
    {"--compression",    {"zlib", "zstd"}},
    {"--console",        {"stdio", "none", "file:", "pty", "tcp:", "unix:"}},
    {"--cpu",            {"cortex-a53", "cortex-a72", "neoverse-n1", "max", "max,pauth=qarma5"}},
    {"--device",         {"car", "kiosk", "phone", "tablet", "watch"}},
    {"--display",        {"none", "sdl", "sdl,full-screen", "sdl,scale=", "vnc", "vnc="}},
    {"--format",         {"raw", "qcow2"}},
    {"--from",           {"raw", "qcow2"}},
    {"--gic",            {"2", "3"}},
    {"--guest-agent",    {"unix:", "tcp:", "pty"}},
    {"--incoming",       {"unix:", "tcp:", "fd:"}},
    {"--input",          {"keyboard", "mouse", "tablet", "touch"}},
    {"--net",            {"user", "passt", "stream,path=", "tap", "none"}},
    {"--on-panic",       {"pause", "shutdown", "exit-failure", "none"}},
    {"--profile-clock",  {"cpu", "guest"}},
    {"--qcow2-version",  {"2", "3"}},
    {"--qmp",            {"unix:"}},
    {"--refcount-bits",  {"1", "2", "4", "8", "16", "32", "64"}},
    {"--repair",         {"leaks", "all"}},
    {"--semihosting",    {"console", "stdio", "none", "file:", "pty", "tcp:", "unix:"}},
    {"--serial",         {"stdio", "none", "file:", "pty", "tcp:", "unix:"}},
    {"--tier",           {"auto", "t1", "t2"}},
    {"--to",             {"raw", "qcow2"}},
    {"--vsock",          {"path=", "cid="}},
    {"--watchdog",       {"reset", "shutdown", "poweroff", "none"}},
    {"-d",               {"decode", "ir", "opt", "asm", "llvm"}},
};
// clang-format on

bool takes_value(const CLI::Option &option) {
    return option.get_items_expected_max() > 0;
}

std::vector<const CLI::App *> verbs_of(const CLI::App &verb) {
    return verb.get_subcommands([](const CLI::App *) { return true; });
}

std::string values_of(const std::string &option_name, const CLI::Option &option,
                      std::string_view begun) {
    std::string lines;
    for (const Choices &choices : kChoices) {
        if (choices.option != option_name) continue;
        for (const std::string_view value : choices.values)
            if (value.starts_with(begun)) lines += fmt::format("{}\n", value);
        return lines;
    }
    const std::string &type = option.get_option_text();
    return type.starts_with("FILE") || type.starts_with("DIR") ? std::string{kFiles} : lines;
}

std::string options_of(const CLI::App &verb, std::string_view begun) {
    std::string lines;
    for (const CLI::Option *option : verb.get_options()) {
        const auto add = [&](const std::string &name) {
            if (name.starts_with(begun))
                lines += fmt::format("{}\t{}\n", name, option->get_description());
        };
        for (const std::string &name : option->get_snames()) add("-" + name);
        for (const std::string &name : option->get_lnames()) add("--" + name);
    }
    return lines;
}

} // namespace

std::string completions(const CLI::App &program, std::span<const std::string> words) {
    if (words.empty()) return {};
    const CLI::App *verb = &program;
    const CLI::Option *pending = nullptr; // the word before was this, and wants a value
    std::string pending_name;
    for (const std::string &word : words.first(words.size() - 1)) {
        if (pending != nullptr) {
            pending = nullptr;
            continue;
        }
        if (word.starts_with('-')) {
            const CLI::Option *option = verb->get_option_no_throw(word);
            if (option != nullptr && takes_value(*option)) {
                pending = option;
                pending_name = word;
            }
            continue;
        }
        const auto own = verbs_of(*verb);
        const auto found = std::ranges::find(own, word, &CLI::App::get_name);
        if (found != own.end()) verb = *found;
    }
    const std::string &begun = words.back();
    if (pending != nullptr) return values_of(pending_name, *pending, begun);
    if (begun.starts_with('-')) return options_of(*verb, begun);
    const auto own = verbs_of(*verb);
    if (own.empty()) return std::string{kFiles};
    std::string lines;
    for (const CLI::App *each : own)
        if (each->get_name().starts_with(begun))
            lines += fmt::format("{}\t{}\n", each->get_name(), each->get_description());
    return lines;
}

} // namespace tandem::app
