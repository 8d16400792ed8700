#pragma once
/// What sensors measure, as text: a quantity's name, and its values with colons between.
#include "devices/sensors/quantities.h"
#include "support/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine {

/// Errors say what is wrong and the mend.
[[nodiscard]] Result<devices::Quantity> parse_quantity(std::string_view name);
/// As many decimal numbers as the quantity has axes, within its range: "0:9.81:0".
[[nodiscard]] Result<devices::QuantityValue> parse_value(devices::Quantity, std::string_view);
/// The same from numbers.
[[nodiscard]] Result<devices::QuantityValue> to_value(devices::Quantity, std::span<const double>);
/// In the quantity's unit, one for each axis.
[[nodiscard]] std::vector<double> to_numbers(devices::Quantity, const devices::QuantityValue &);
[[nodiscard]] std::string to_text(devices::Quantity, const devices::QuantityValue &);

} // namespace tandem::machine
