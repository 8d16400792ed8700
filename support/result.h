#pragma once
/// Result<T> for host failures; the message is one line that names what, why and the mend.
#include <expected>
#include <string>
#include <utility>

namespace tandem {

struct Error {
    std::string message;
};

template <typename T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> failure(std::string message) {
    return std::unexpected<Error>(Error{std::move(message)});
}

} // namespace tandem

/// Evaluates a Result expression; returns its error from the enclosing function, else yields the
/// value. A statement expression, as GCC 12 lacks the monadic members of std::expected.
#define TRY(expression)                                                                            \
    __extension__({                                                                                \
        auto &&try_result = (expression);                                                          \
        if (!try_result.has_value()) return std::unexpected(std::move(try_result).error());        \
        std::move(try_result).value();                                                             \
    })
