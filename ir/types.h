#pragma once
/// Value types of the IR and their C++ representation in the executors.
#include "support/bits.h"

#include <array>
#include <string_view>

namespace tandem::ir {

enum class Type : u8 {
    Void,
    I1,    ///< a truth value
    I32,   ///< 32-bit integer
    I64,   ///< 64-bit integer
    F16,   ///< IEEE half as its bit pattern, in the vector register class
    F32,   ///< IEEE single, likewise
    F64,   ///< IEEE double, likewise
    V128,  ///< 128-bit vector
    Flags, ///< N, Z, C, V in the layout of kFlag*
};

/// A 128-bit vector; lane 0 is the least significant.
struct alignas(16) Vec {
    std::array<u64, 2> d{};
    bool operator==(const Vec &) const = default;
};

/// Layout of a Flags value: what LAHF and SETO leave in AX, so that x86-64 code moves flags in and
/// out in two instructions. C is the ARM carry (set means "no borrow" after a subtraction).
inline constexpr u32 kFlagV = 1u << 0;
inline constexpr u32 kFlagC = 1u << 8;
inline constexpr u32 kFlagZ = 1u << 14;
inline constexpr u32 kFlagN = 1u << 15;
inline constexpr u32 kFlagMask = kFlagN | kFlagZ | kFlagC | kFlagV;

/// Flags from the architectural order: nzcv is N:Z:C:V in bits 3:0.
[[nodiscard]] constexpr u32 flags_from_nzcv(u32 nzcv) {
    return ((nzcv & 8) != 0 ? kFlagN : 0) | ((nzcv & 4) != 0 ? kFlagZ : 0) |
           ((nzcv & 2) != 0 ? kFlagC : 0) | ((nzcv & 1) != 0 ? kFlagV : 0);
}
/// N:Z:C:V in bits 3:0.
[[nodiscard]] constexpr u32 nzcv_from_flags(u32 flags) {
    return ((flags & kFlagN) != 0 ? 8u : 0) | ((flags & kFlagZ) != 0 ? 4u : 0) |
           ((flags & kFlagC) != 0 ? 2u : 0) | ((flags & kFlagV) != 0 ? 1u : 0);
}

/// Conditions, encoded as in A64 instructions (Arm ARM C1.2.4).
enum class Cond : u8 { EQ, NE, CS, CC, MI, PL, VS, VC, HI, LS, GE, LT, GT, LE, AL, NV };

/// How floating-point operations behave: a digest of FPCR, constant per translation block.
/// Bits 1:0 rounding (FPCR.RMode: 0 nearest even, 1 +inf, 2 -inf, 3 zero), 2 FZ, 3 DN, 4 FZ16,
/// 5 AHP. An FP instruction's immediate holds it in bits 7:0.
struct FpMode {
    u8 value = 0;
    [[nodiscard]] constexpr unsigned rounding() const { return value & 3u; }
    [[nodiscard]] constexpr bool flush_to_zero() const { return (value & 4) != 0; }
    [[nodiscard]] constexpr bool default_nan() const { return (value & 8) != 0; }
    [[nodiscard]] constexpr bool flush_to_zero_f16() const { return (value & 16) != 0; }
    [[nodiscard]] constexpr bool alternative_half() const { return (value & 32) != 0; }
};

/// Rounding of a conversion: FPCR.RMode's values, then ties-to-away and round-to-odd.
enum class Rounding : u8 { NearestEven, PlusInf, MinusInf, Zero, NearestAway, Odd };

/// Cumulative exception bits, at their FPSR positions.
inline constexpr u32 kFpInvalid = 1u << 0;
inline constexpr u32 kFpDivZero = 1u << 1;
inline constexpr u32 kFpOverflow = 1u << 2;
inline constexpr u32 kFpUnderflow = 1u << 3;
inline constexpr u32 kFpInexact = 1u << 4;
inline constexpr u32 kFpInputDenormal = 1u << 7;
inline constexpr u32 kFpSaturated = 1u << 27; ///< FPSR.QC

/// What an FP or saturating operation reads and accumulates. Semantics functions take it first.
struct FpEnv {
    FpMode mode;
    u32 flags = 0; ///< kFp* bits raised, to be ORed into FPSR
};

} // namespace tandem::ir
