#pragma once
/// Screens as text: WIDTHxHEIGHT[@DPI].
#include "devices/backend/display.h"
#include "support/result.h"

#include <string>
#include <string_view>

namespace tandem::machine {

inline constexpr std::size_t kMaxScreens = 16;

/// The error says what is wrong and the mend, without the option's name.
[[nodiscard]] Result<devices::DisplayMode> parse_screen(std::string_view);
[[nodiscard]] std::string to_text(const devices::DisplayMode &);

} // namespace tandem::machine
