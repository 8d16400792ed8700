#pragma once
/// What the sensors of a mobile device measure: the world around it, which whoever controls the
/// machine makes.
#include "support/bits.h"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace tandem::devices {

enum class Quantity : u8 {
#define QUANTITY(name, text, axes, unit, least, most, ...) name,
#include "devices/sensors/quantities.inc"
#undef QUANTITY
};

inline constexpr std::size_t kMaxAxes = 3;
inline constexpr i64 kMicro = 1'000'000;
/// In millionths of the quantity's unit; axes that it does not have are 0.
using QuantityValue = std::array<i64, kMaxAxes>;

struct QuantityInfo {
    std::string_view name, unit;
    std::size_t axes;
    i64 least, most; ///< millionths, of each axis
    QuantityValue at_first;
};

inline constexpr QuantityInfo kQuantities[] = {
#define QUANTITY(name, text, axes, unit, least, most, ...)                                         \
    {text, unit, axes, (least) * kMicro, (most) * kMicro, {__VA_ARGS__}},
#include "devices/sensors/quantities.inc"
#undef QUANTITY
};

[[nodiscard]] constexpr const QuantityInfo &info_of(Quantity quantity) {
    return kQuantities[static_cast<std::size_t>(quantity)];
}

struct QuantityValues {
    static constexpr u32 kVersion = 1;

    std::array<QuantityValue, std::size(kQuantities)> values = [] {
        std::array<QuantityValue, std::size(kQuantities)> first{};
        for (std::size_t i = 0; i < first.size(); ++i) first[i] = kQuantities[i].at_first;
        return first;
    }();

    [[nodiscard]] const QuantityValue &operator[](Quantity quantity) const {
        return values[static_cast<std::size_t>(quantity)];
    }
    [[nodiscard]] QuantityValue &operator[](Quantity quantity) {
        return values[static_cast<std::size_t>(quantity)];
    }
    /// Within what the quantities can be.
    [[nodiscard]] bool is_valid() const {
        for (std::size_t i = 0; i < values.size(); ++i)
            for (std::size_t axis = 0; axis < kQuantities[i].axes; ++axis)
                if (values[i][axis] < kQuantities[i].least || values[i][axis] > kQuantities[i].most)
                    return false;
        return true;
    }

    bool operator==(const QuantityValues &) const = default;
    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.values);
    }
};

} // namespace tandem::devices
