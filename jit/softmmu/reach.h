#pragma once
/// Reach: how far around a page of code one entry of the guest's translation tables is known to
/// map.
///
/// Within that range virtual and physical addresses differ by a constant, so a direct branch to
/// another page of it may be linked for good: whoever runs the one block, by whatever mapping,
/// would find the other. A Linux kernel's text lies in such ranges of 64 KiB and 2 MiB. Reach is
/// part of a block's key: it takes the two highest mode bits, which frontends leave 0.
#include "ir/types.h"

#include <array>

namespace tandem::jit {

/// Byte offsets from the start of a block's page, of pages that links may cross to.
struct Reach {
    i64 first = 0;
    i64 end = 0x1000;

    [[nodiscard]] constexpr bool contains(i64 offset) const {
        return offset >= first && offset < end;
    }
};

inline constexpr unsigned kReachShift = 30;
/// Log2 of the range's bytes, by the value of the mode bits.
inline constexpr std::array<unsigned, 4> kReachLog2{12, 16, 21, 25};

/// Mode bits for code in a mapping of 1 << mapping_log2 bytes.
[[nodiscard]] constexpr u32 reach_bits(unsigned mapping_log2) {
    u32 value = 0;
    while (value + 1 < kReachLog2.size() && mapping_log2 >= kReachLog2[value + 1]) ++value;
    return value << kReachShift;
}

/// Of a block at this physical address with these mode bits. Mappings are naturally aligned, in
/// virtual and physical addresses alike.
[[nodiscard]] constexpr Reach reach_of(u64 physical, u32 mode) {
    const u64 size = u64{1} << kReachLog2[mode >> kReachShift];
    const i64 first = -static_cast<i64>((physical & (size - 1)) & ~u64{0xfff});
    return {first, first + static_cast<i64>(size)};
}

} // namespace tandem::jit
