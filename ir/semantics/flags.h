#pragma once
/// Definitions of the operations on condition flags and truth values.
#include "ir/types.h"

namespace tandem::ir::semantics {
namespace detail {

/// Flags of a + b + carry, as AddWithCarry in the Arm ARM's shared pseudocode.
template <typename T>
[[nodiscard]] constexpr u32 add_with_carry_flags(T a, T b, bool carry) {
    T sum = 0;
    const bool carry1 = __builtin_add_overflow(a, b, &sum);
    const bool carry2 = __builtin_add_overflow(sum, static_cast<T>(carry), &sum);
    constexpr unsigned kTop = sizeof(T) * 8 - 1;
    const u32 negative = static_cast<u32>(sum >> kTop);
    const u32 overflow = static_cast<u32>(((a ^ sum) & (b ^ sum)) >> kTop);
    return negative << 15 | static_cast<u32>(sum == 0) << 14 |
           static_cast<u32>(carry1 || carry2) << 8 | overflow;
}
static_assert(kFlagN == 1u << 15 && kFlagZ == 1u << 14 && kFlagC == 1u << 8 && kFlagV == 1u);

} // namespace detail

[[nodiscard]] constexpr u32 AddFlags32(u32 a, u32 b) {
    return detail::add_with_carry_flags(a, b, false);
}
[[nodiscard]] constexpr u32 AddFlags64(u64 a, u64 b) {
    return detail::add_with_carry_flags(a, b, false);
}
[[nodiscard]] constexpr u32 SubFlags32(u32 a, u32 b) {
    return detail::add_with_carry_flags(a, ~b, true);
}
[[nodiscard]] constexpr u32 SubFlags64(u64 a, u64 b) {
    return detail::add_with_carry_flags(a, ~b, true);
}
[[nodiscard]] constexpr u32 AdcFlags32(u32 a, u32 b, u32 flags) {
    return detail::add_with_carry_flags(a, b, (flags & kFlagC) != 0);
}
[[nodiscard]] constexpr u32 AdcFlags64(u64 a, u64 b, u32 flags) {
    return detail::add_with_carry_flags(a, b, (flags & kFlagC) != 0);
}
[[nodiscard]] constexpr u32 SbcFlags32(u32 a, u32 b, u32 flags) {
    return AdcFlags32(a, ~b, flags);
}
[[nodiscard]] constexpr u32 SbcFlags64(u64 a, u64 b, u32 flags) {
    return AdcFlags64(a, ~b, flags);
}
[[nodiscard]] constexpr u32 LogicFlags32(u32 a) {
    return (a >> 31) << 15 | static_cast<u32>(a == 0) << 14;
}
[[nodiscard]] constexpr u32 LogicFlags64(u64 a) {
    return static_cast<u32>(a >> 63) << 15 | static_cast<u32>(a == 0) << 14;
}
[[nodiscard]] constexpr u32 FlagsFromNzcv(u32 a) {
    return flags_from_nzcv(a >> 28);
}
[[nodiscard]] constexpr u32 NzcvFromFlags(u32 flags) {
    return nzcv_from_flags(flags) << 28;
}

/// Arm ARM ConditionHolds: bits 3:1 choose the test, bit 0 inverts it but for AL and NV.
[[nodiscard]] constexpr bool CondHolds(u64 imm, u32 flags) {
    const bool n = (flags & kFlagN) != 0;
    const bool z = (flags & kFlagZ) != 0;
    const bool c = (flags & kFlagC) != 0;
    const bool v = (flags & kFlagV) != 0;
    bool holds = true;
    switch (imm >> 1 & 7) {
    case 0: holds = z; break;
    case 1: holds = c; break;
    case 2: holds = n; break;
    case 3: holds = v; break;
    case 4: holds = c && !z; break;
    case 5: holds = n == v; break;
    case 6: holds = n == v && !z; break;
    default: return true;
    }
    return holds != ((imm & 1) != 0);
}

[[nodiscard]] constexpr bool IsZero32(u32 a) {
    return a == 0;
}
[[nodiscard]] constexpr bool IsZero64(u64 a) {
    return a == 0;
}
[[nodiscard]] constexpr bool IsNonZero32(u32 a) {
    return a != 0;
}
[[nodiscard]] constexpr bool IsNonZero64(u64 a) {
    return a != 0;
}
[[nodiscard]] constexpr bool TestBit64(u64 imm, u64 a) {
    return ((a >> (imm & 63)) & 1) != 0;
}
[[nodiscard]] constexpr bool TestBitClear64(u64 imm, u64 a) {
    return !TestBit64(imm, a);
}
[[nodiscard]] constexpr bool Equal64(u64 a, u64 b) {
    return a == b;
}
[[nodiscard]] constexpr bool LessUnsigned64(u64 a, u64 b) {
    return a < b;
}
[[nodiscard]] constexpr bool LessSigned64(u64 a, u64 b) {
    return static_cast<i64>(a) < static_cast<i64>(b);
}
[[nodiscard]] constexpr bool And1(bool a, bool b) {
    return a && b;
}
[[nodiscard]] constexpr bool Or1(bool a, bool b) {
    return a || b;
}
[[nodiscard]] constexpr bool Not1(bool a) {
    return !a;
}

} // namespace tandem::ir::semantics
