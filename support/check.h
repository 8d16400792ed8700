#pragma once
/// CHECK: an invariant of the program itself; asserts in every build, also in release.
/// Guest misbehaviour is never checked with this: it is data.
namespace tandem {
[[noreturn]] void check_failed(const char *expression, const char *file, int line) noexcept;
} // namespace tandem

#define CHECK(expression)                                                                          \
    (__builtin_expect(static_cast<bool>(expression), 1)                                            \
         ? static_cast<void>(0)                                                                    \
         : ::tandem::check_failed(#expression, __FILE__, __LINE__))
