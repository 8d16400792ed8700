#pragma once
/// A profile as files that people's tools open.
#include "machine/profile/profile.h"

#include <optional>
#include <string>

namespace tandem::machine::profile {

enum class Format : u8 {
    Folded,     ///< a line for each stack: flamegraph.pl, inferno, speedscope
    Speedscope, ///< its JSON: https://www.speedscope.app/file-format-schema.json
    Html,       ///< a page with a flame graph, which needs no other file
};

/// By the file's extension; nothing if it is of another format.
[[nodiscard]] std::optional<Format> format_of(const std::string &path);

/// `title` says what was run.
[[nodiscard]] std::string write_profile(const Profile &, Format, const std::string &title);

} // namespace tandem::machine::profile
