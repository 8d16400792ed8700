#pragma once
/// Cuts a stream of bytes into JSON values: they may follow each other with or without white space
/// between, and arrive in any pieces.
#include "support/bits.h"

#include <optional>
#include <string>
#include <string_view>

namespace tandem::machine {

class JsonSplitter {
public:
    /// Longer values, and deeper ones, are given up.
    static constexpr std::size_t kMaxLength = 1 << 20;
    static constexpr unsigned kMaxDepth = 256;

    enum class Kind : u8 { Value, TooLarge };
    struct Piece {
        Kind kind = Kind::Value;
        std::string text;
    };

    void add(std::string_view bytes) { waiting_ += bytes; }
    /// The next whole value, as it was written; TooLarge once for each that is given up.
    [[nodiscard]] std::optional<Piece> next();

private:
    void scan(char c);
    void begin_value();

    std::string waiting_;
    std::size_t scanned_ = 0; ///< bytes of waiting_ that have been looked at
    unsigned depth_ = 0;
    bool in_string_ = false, escaped_ = false;
    bool is_plain_ = false; ///< no object and no array: ends with white space
    bool skipping_ = false; ///< a value that is too large, up to the end of its line
    bool complete_ = false;
};

} // namespace tandem::machine
