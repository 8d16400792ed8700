#pragma once
/// Bit-field helpers in the manual's notation: bits(value, high, low).
#include <bit>
#include <cstdint>
#include <type_traits>

namespace tandem {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
__extension__ using u128 = unsigned __int128;
__extension__ using i128 = __int128;

/// All-ones in the low `width` bits; width is 0..64.
[[nodiscard]] constexpr u64 ones(unsigned width) {
    return width >= 64 ? ~u64{0} : (u64{1} << width) - 1;
}
/// value<high:low>, right-aligned.
[[nodiscard]] constexpr u64 bits(u64 value, unsigned high, unsigned low) {
    return (value >> low) & ones(high - low + 1);
}
[[nodiscard]] constexpr u32 bits32(u32 value, unsigned high, unsigned low) {
    return static_cast<u32>(bits(value, high, low));
}
[[nodiscard]] constexpr bool bit(u64 value, unsigned index) {
    return ((value >> index) & 1) != 0;
}
/// value with field<high:low> replaced by the low bits of `field`.
[[nodiscard]] constexpr u64 with_bits(u64 value, unsigned high, unsigned low, u64 field) {
    const u64 mask = ones(high - low + 1) << low;
    return (value & ~mask) | ((field << low) & mask);
}
/// The low `width` bits of value as a two's complement number; width is 1..64.
[[nodiscard]] constexpr i64 sign_extend(u64 value, unsigned width) {
    const unsigned shift = 64 - width;
    return static_cast<i64>(value << shift) >> shift;
}
[[nodiscard]] constexpr u64 align_down(u64 value, u64 alignment) {
    return value & ~(alignment - 1);
}
[[nodiscard]] constexpr u64 align_up(u64 value, u64 alignment) {
    return align_down(value + alignment - 1, alignment);
}
[[nodiscard]] constexpr bool is_aligned(u64 value, u64 alignment) {
    return (value & (alignment - 1)) == 0;
}
/// Rotate the low `width` bits of value right; width is 1..64.
[[nodiscard]] constexpr u64 rotate_right(u64 value, unsigned amount, unsigned width) {
    value &= ones(width);
    amount %= width;
    if (amount == 0) return value;
    return ((value >> amount) | (value << (width - amount))) & ones(width);
}

} // namespace tandem
