#pragma once
/// The floating-point formats, as types that the functions of softfloat.h are instantiated with.
#include "support/bits.h"

namespace tandem::ir::softfloat {

/// Fields of an IEEE 754 interchange format: sign, exponent, fraction.
template <typename BitsType, int kExponentBits, int kFractionBits>
struct Format {
    using Bits = BitsType;
    static constexpr int kFraction = kFractionBits;
    static constexpr int kMaxField = (1 << kExponentBits) - 1; ///< exponent field of inf and NaN
    static constexpr int kBias = kMaxField >> 1;
    static constexpr int kMinExponent = 1 - kBias; ///< of normal numbers
    static constexpr Bits kSign = static_cast<Bits>(u64{1} << (kExponentBits + kFractionBits));
    static constexpr Bits kFractionMask = static_cast<Bits>((u64{1} << kFractionBits) - 1);
    static constexpr Bits kInfinity =
        static_cast<Bits>(static_cast<u64>(kMaxField) << kFractionBits);
    static constexpr Bits kMaxNormal = static_cast<Bits>(kInfinity - 1);
    static constexpr Bits kQuiet = static_cast<Bits>(u64{1} << (kFractionBits - 1));
    static constexpr Bits kDefaultNaN = static_cast<Bits>(kInfinity | kQuiet);

    [[nodiscard]] static constexpr bool sign(Bits bits) { return (bits & kSign) != 0; }
    [[nodiscard]] static constexpr int exponent_field(Bits bits) {
        return static_cast<int>(bits >> kFraction) & kMaxField;
    }
    [[nodiscard]] static constexpr Bits with_sign(bool sign, Bits magnitude) {
        return static_cast<Bits>(sign ? kSign | magnitude : magnitude);
    }
    [[nodiscard]] static constexpr Bits negate(Bits bits) {
        return static_cast<Bits>(bits ^ kSign);
    }
    [[nodiscard]] static constexpr Bits absolute(Bits bits) {
        return static_cast<Bits>(bits & static_cast<Bits>(~kSign));
    }
    /// (-1)^sign * 2^exponent, a normal number.
    [[nodiscard]] static constexpr Bits power_of_two(bool sign, int exponent) {
        return with_sign(sign, static_cast<Bits>(static_cast<u64>(exponent + kBias) << kFraction));
    }
};

struct Half : Format<u16, 5, 10> {};
struct BFloat16 : Format<u16, 8, 7> {};
struct Single : Format<u32, 8, 23> {};
struct Double : Format<u64, 11, 52> {};

} // namespace tandem::ir::softfloat
