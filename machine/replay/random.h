#pragma once
/// Numbers that a seed determines, on every host alike.
#include "support/bits.h"

namespace tandem::machine::replay {

/// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixing function.
class Random {
public:
    static constexpr u32 kVersion = 1;

    explicit Random(u64 seed) : state_(seed) {}

    u64 next() {
        u64 z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    /// Less than `bound`, which is not 0.
    u64 below(u64 bound) { return static_cast<u64>(u128{next()} * bound >> 64); }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.state_);
    }

private:
    u64 state_;
};

} // namespace tandem::machine::replay
