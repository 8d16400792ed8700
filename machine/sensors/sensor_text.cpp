#include "machine/sensors/sensor_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tandem::machine {

using devices::kMicro;
using devices::kQuantities;
using devices::Quantity;
using devices::QuantityInfo;
using devices::QuantityValue;

Result<Quantity> parse_quantity(std::string_view name) {
    const auto *found = std::ranges::find(kQuantities, name, &QuantityInfo::name);
    if (found != std::end(kQuantities))
        return static_cast<Quantity>(found - std::begin(kQuantities));
    std::vector<std::string_view> names;
    for (const QuantityInfo &quantity : kQuantities) names.push_back(quantity.name);
    return failure(fmt::format("{}: no such sensor; there are {}", name, fmt::join(names, ", ")));
}

Result<QuantityValue> to_value(Quantity quantity, std::span<const double> numbers) {
    const QuantityInfo &info = info_of(quantity);
    if (numbers.size() != info.axes)
        return failure(fmt::format("{}: {} values; give it {}", info.name, numbers.size(),
                                   info.axes == 1 ? "one" : "three, x:y:z"));
    QuantityValue value{};
    for (std::size_t axis = 0; axis < info.axes; ++axis) {
        const double micro = numbers[axis] * static_cast<double>(kMicro);
        if (!(micro >= static_cast<double>(info.least) && micro <= static_cast<double>(info.most)))
            return failure(fmt::format("{}: {} is beyond its range; use {} to {} {}", info.name,
                                       numbers[axis], info.least / kMicro, info.most / kMicro,
                                       info.unit));
        value[axis] = std::llround(micro);
    }
    return value;
}

Result<QuantityValue> parse_value(Quantity quantity, std::string_view text) {
    std::vector<double> numbers;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(':', at), text.size());
        const std::string_view part = text.substr(at, end - at);
        double &number = numbers.emplace_back();
        const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), number);
        if (error != std::errc{} || rest != part.data() + part.size())
            return failure(fmt::format("{}: '{}' is not a number", info_of(quantity).name, part));
        at = end + 1;
    }
    return to_value(quantity, numbers);
}

std::vector<double> to_numbers(Quantity quantity, const QuantityValue &value) {
    std::vector<double> numbers;
    for (std::size_t axis = 0; axis < info_of(quantity).axes; ++axis)
        numbers.push_back(static_cast<double>(value[axis]) / static_cast<double>(kMicro));
    return numbers;
}

std::string to_text(Quantity quantity, const QuantityValue &value) {
    return fmt::format("{}", fmt::join(to_numbers(quantity, value), ":"));
}

} // namespace tandem::machine
