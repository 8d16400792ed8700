#pragma once
/// Fields of a floating-point operation's immediate. Private to this folder.
#include "ir/types.h"

namespace tandem::ir::semantics::detail {

/// imm<10:8>; values beyond the enumeration round to odd.
[[nodiscard]] constexpr Rounding rounding_field(u64 imm) {
    const u64 field = bits(imm, 10, 8);
    return field > 5 ? Rounding::Odd : static_cast<Rounding>(field);
}
/// imm<22:16>
[[nodiscard]] constexpr unsigned fraction_bits_field(u64 imm) {
    return static_cast<unsigned>(bits(imm, 22, 16));
}
[[nodiscard]] constexpr Rounding current_rounding(const FpEnv &env) {
    return static_cast<Rounding>(env.mode.rounding());
}

} // namespace tandem::ir::semantics::detail
