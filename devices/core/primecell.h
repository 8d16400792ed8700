#pragma once
/// What Arm's PrimeCell peripherals have in common.
#include "support/bits.h"

#include <array>

namespace tandem::devices {

/// The identification registers at 0xfe0-0xffc: PeriphID0-3, then PCellID0-3, a byte each in a
/// word.
class PrimecellId {
public:
    /// peripheral_id is PeriphID3.2.1.0.
    constexpr explicit PrimecellId(u32 peripheral_id) : peripheral_id_(peripheral_id) {}

    static constexpr u32 kOffset = 0xfe0;
    [[nodiscard]] static constexpr bool covers(u32 offset) {
        return offset >= kOffset && offset < 0x1000;
    }
    [[nodiscard]] constexpr u32 read(u32 offset) const {
        const u64 all = u64{kCellId} << 32 | peripheral_id_;
        return static_cast<u32>(all >> ((offset - kOffset) / 4 * 8)) & 0xff;
    }

private:
    static constexpr u32 kCellId = 0xb105f00d;
    u32 peripheral_id_;
};

} // namespace tandem::devices
