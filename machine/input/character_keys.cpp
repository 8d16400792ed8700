#include "machine/input/character_keys.h"

#include <algorithm>
#include <array>

namespace tandem::machine {

namespace {

/// A key that is not named like its character, what it writes, and what it does with shift.
struct Row {
    std::string_view key;
    char plain, shifted;
};
constexpr Row kRows[] = {
    // clang-format off
    {"1", '1', '!'}, {"2", '2', '@'}, {"3", '3', '#'}, {"4", '4', '$'}, {"5", '5', '%'},
    {"6", '6', '^'}, {"7", '7', '&'}, {"8", '8', '*'}, {"9", '9', '('}, {"0", '0', ')'},
    {"minus", '-', '_'}, {"equal", '=', '+'}, {"bracket_left", '[', '{'}, {"bracket_right", ']', '}'},
    {"semicolon", ';', ':'}, {"apostrophe", '\'', '"'}, {"grave_accent", '`', '~'}, {"backslash", '\\', '|'},
    {"comma", ',', '<'}, {"dot", '.', '>'}, {"slash", '/', '?'},
    {"spc", ' ', ' '}, {"tab", '\t', '\t'}, {"ret", '\n', '\n'},
    // clang-format on
};
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";

} // namespace

std::optional<CharacterKey> key_of_character(char character) {
    const bool is_capital = character >= 'A' && character <= 'Z';
    const char letter = is_capital ? static_cast<char>(character - 'A' + 'a') : character;
    if (const std::size_t at = kLetters.find(letter); at != std::string_view::npos)
        return CharacterKey{kLetters.substr(at, 1), is_capital};
    for (const Row &row : kRows) {
        if (row.plain == character) return CharacterKey{row.key, false};
        if (row.shifted == character) return CharacterKey{row.key, true};
    }
    return std::nullopt;
}

} // namespace tandem::machine
