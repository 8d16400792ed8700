#pragma once
/// The format of a stream as registers and converters have it (Intel HD Audio 1.0a, 3.7.1).
#include "support/bits.h"

namespace tandem::devices {

struct HdaFormat {
    static constexpr u16 kNotPcm = 1 << 15;

    u16 value = 0;

    [[nodiscard]] constexpr u32 rate() const {
        const u32 base = bit(value, 14) ? 44'100 : 48'000;
        const u32 times = static_cast<u32>(bits(value, 13, 11)) + 1;
        // More than four times is reserved.
        return base * (times > 4 ? 1 : times) / (static_cast<u32>(bits(value, 10, 8)) + 1);
    }
    /// Of a sample in memory.
    [[nodiscard]] constexpr u32 sample_bytes() const {
        switch (bits(value, 6, 4)) {
        case 0: return 1;
        case 1: return 2;
        default: return 4;
        }
    }
    [[nodiscard]] constexpr u32 channels() const { return static_cast<u32>(bits(value, 3, 0)) + 1; }
    [[nodiscard]] constexpr u32 frame_bytes() const { return channels() * sample_bytes(); }
    static constexpr u32 kMaxFrameBytes = 16 * 4;
};

} // namespace tandem::devices
