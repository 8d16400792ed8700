#pragma once
/// A moment as the user's clock and calendar show it.
#include <ctime>

namespace tandem {

/// `seconds` since 1970. For fmt/chrono.h.
[[nodiscard]] inline std::tm local_time(std::time_t seconds) {
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return local;
}

} // namespace tandem
