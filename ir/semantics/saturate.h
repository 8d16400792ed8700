#pragma once
/// SignedSatQ and UnsignedSatQ of the Arm ARM's shared pseudocode. Private to this folder.
#include "ir/types.h"

#include <limits>

namespace tandem::ir::semantics::detail {

/// value clamped to T's range; raises kFpSaturated when that changes it. W is wide enough.
template <typename T, typename W>
[[nodiscard]] constexpr T saturate(FpEnv &env, W value) {
    constexpr W kMin = static_cast<W>(std::numeric_limits<T>::min());
    constexpr W kMax = static_cast<W>(std::numeric_limits<T>::max());
    if (value < kMin || value > kMax) [[unlikely]] {
        env.flags |= kFpSaturated;
        return value < kMin ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
    }
    return static_cast<T>(value);
}

} // namespace tandem::ir::semantics::detail
