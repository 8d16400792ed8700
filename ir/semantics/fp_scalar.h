#pragma once
/// Definitions of the scalar floating-point operations, on bit patterns.
#include "ir/types.h"

namespace tandem::ir::semantics {

#define TANDEM_DECLARE(T, Bits)                                                                    \
    [[nodiscard]] Bits FAdd##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FSub##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FMul##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FMulX##T(FpEnv &env, Bits a, Bits b);                                       \
    [[nodiscard]] Bits FDiv##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FMulAdd##T(FpEnv &env, Bits a, Bits b, Bits c);                             \
    [[nodiscard]] Bits FSqrt##T(FpEnv &env, Bits a);                                               \
    [[nodiscard]] Bits FMax##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FMin##T(FpEnv &env, Bits a, Bits b);                                        \
    [[nodiscard]] Bits FMaxNum##T(FpEnv &env, Bits a, Bits b);                                     \
    [[nodiscard]] Bits FMinNum##T(FpEnv &env, Bits a, Bits b);                                     \
    [[nodiscard]] Bits FAbsDiff##T(FpEnv &env, Bits a, Bits b);                                    \
    [[nodiscard]] Bits FRound##T(FpEnv &env, u64 imm, Bits a);                                     \
    [[nodiscard]] Bits FRoundInt##T(FpEnv &env, u64 imm, Bits a);                                  \
    [[nodiscard]] Bits FRecipEstimate##T(FpEnv &env, Bits a);                                      \
    [[nodiscard]] Bits FRecipExponent##T(FpEnv &env, Bits a);                                      \
    [[nodiscard]] Bits FRecipStep##T(FpEnv &env, Bits a, Bits b);                                  \
    [[nodiscard]] Bits FRSqrtEstimate##T(FpEnv &env, Bits a);                                      \
    [[nodiscard]] Bits FRSqrtStep##T(FpEnv &env, Bits a, Bits b);                                  \
    [[nodiscard]] u32 FCompare##T(FpEnv &env, u64 imm, Bits a, Bits b);                            \
    [[nodiscard]] u64 FCompareEqual##T(FpEnv &env, Bits a, Bits b);                                \
    [[nodiscard]] u64 FCompareGreaterEqual##T(FpEnv &env, Bits a, Bits b);                         \
    [[nodiscard]] u64 FCompareGreater##T(FpEnv &env, Bits a, Bits b);                              \
    [[nodiscard]] u64 FCompareAbsGreaterEqual##T(FpEnv &env, Bits a, Bits b);                      \
    [[nodiscard]] u64 FCompareAbsGreater##T(FpEnv &env, Bits a, Bits b);                           \
    [[nodiscard]] constexpr Bits FAbs##T(Bits a) {                                                 \
        return static_cast<Bits>(a & (static_cast<Bits>(~Bits{0}) >> 1));                          \
    }                                                                                              \
    [[nodiscard]] constexpr Bits FNeg##T(Bits a) {                                                 \
        return static_cast<Bits>(a ^ Bits{1} << (T - 1));                                          \
    }                                                                                              \
    [[nodiscard]] constexpr Bits FSelect##T(bool condition, Bits a, Bits b) {                      \
        return condition ? a : b;                                                                  \
    }                                                                                              \
    [[nodiscard]] u32 FToS32##T(FpEnv &env, u64 imm, Bits a);                                      \
    [[nodiscard]] u32 FToU32##T(FpEnv &env, u64 imm, Bits a);                                      \
    [[nodiscard]] u64 FToS64##T(FpEnv &env, u64 imm, Bits a);                                      \
    [[nodiscard]] u64 FToU64##T(FpEnv &env, u64 imm, Bits a);                                      \
    [[nodiscard]] Bits S32ToF##T(FpEnv &env, u64 imm, u32 a);                                      \
    [[nodiscard]] Bits U32ToF##T(FpEnv &env, u64 imm, u32 a);                                      \
    [[nodiscard]] Bits S64ToF##T(FpEnv &env, u64 imm, u64 a);                                      \
    [[nodiscard]] Bits U64ToF##T(FpEnv &env, u64 imm, u64 a);
TANDEM_DECLARE(16, u16)
TANDEM_DECLARE(32, u32)
TANDEM_DECLARE(64, u64)
#undef TANDEM_DECLARE

/// 16-bit integers, zero-extended; of the arguments the low 16 bits count.
[[nodiscard]] u64 FToS16Half(FpEnv &env, u64 imm, u16 a);
[[nodiscard]] u64 FToU16Half(FpEnv &env, u64 imm, u16 a);
[[nodiscard]] u16 S16ToHalf(FpEnv &env, u64 imm, u64 a);
[[nodiscard]] u16 U16ToHalf(FpEnv &env, u64 imm, u64 a);

[[nodiscard]] u32 F16ToF32(FpEnv &env, u16 a);
[[nodiscard]] u64 F16ToF64(FpEnv &env, u16 a);
[[nodiscard]] u16 F32ToF16(FpEnv &env, u32 a);
[[nodiscard]] u64 F32ToF64(FpEnv &env, u32 a);
[[nodiscard]] u16 F64ToF16(FpEnv &env, u64 a);
[[nodiscard]] u32 F64ToF32(FpEnv &env, u64 a);
[[nodiscard]] u32 F64ToF32Odd(FpEnv &env, u64 a);
[[nodiscard]] u16 F32ToBF16(FpEnv &env, u32 a);
[[nodiscard]] u64 FToJavaS32(FpEnv &env, u64 a);

} // namespace tandem::ir::semantics
