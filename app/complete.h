#pragma once
/// What a shell may offer next. The completions of bash, zsh and fish ask the program itself
/// (`tandem complete WORD...`, which --help does not list), so they know all its verbs and options.
#include <span>
#include <string>

namespace CLI {
class App;
}

namespace tandem::app {

/// `words` are those after the program's name; the last one has been begun, perhaps by nothing yet.
/// A line for each candidate, with a tab and its description if there is one; the line ":files"
/// stands for names of files.
[[nodiscard]] std::string completions(const CLI::App &program, std::span<const std::string> words);

} // namespace tandem::app
