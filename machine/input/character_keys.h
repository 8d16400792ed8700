#pragma once
/// Which key of a US keyboard writes a character.
#include <optional>
#include <string_view>

namespace tandem::machine {

struct CharacterKey {
    std::string_view key; ///< QMP's name
    bool shift = false;
};

/// Of printable ASCII, a tab and the end of a line.
[[nodiscard]] std::optional<CharacterKey> key_of_character(char);

} // namespace tandem::machine
