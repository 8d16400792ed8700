#pragma once
/// Definitions of the vector floating-point operations.
#include "ir/types.h"

namespace tandem::ir::semantics {

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VFAdd##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFSub##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFMul##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFMulX##T(FpEnv &env, Vec a, Vec b);                                         \
    [[nodiscard]] Vec VFDiv##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFMulAdd##T(FpEnv &env, Vec a, Vec b, Vec c);                                \
    [[nodiscard]] Vec VFSqrt##T(FpEnv &env, Vec a);                                                \
    [[nodiscard]] Vec VFMax##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFMin##T(FpEnv &env, Vec a, Vec b);                                          \
    [[nodiscard]] Vec VFMaxNum##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VFMinNum##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VFAbsDiff##T(FpEnv &env, Vec a, Vec b);                                      \
    [[nodiscard]] Vec VFAddPairwise##T(FpEnv &env, Vec a, Vec b);                                  \
    [[nodiscard]] Vec VFMaxPairwise##T(FpEnv &env, Vec a, Vec b);                                  \
    [[nodiscard]] Vec VFMinPairwise##T(FpEnv &env, Vec a, Vec b);                                  \
    [[nodiscard]] Vec VFMaxNumPairwise##T(FpEnv &env, Vec a, Vec b);                               \
    [[nodiscard]] Vec VFMinNumPairwise##T(FpEnv &env, Vec a, Vec b);                               \
    [[nodiscard]] Vec VFAbs##T(Vec a);                                                             \
    [[nodiscard]] Vec VFNeg##T(Vec a);                                                             \
    [[nodiscard]] Vec VFRound##T(FpEnv &env, u64 imm, Vec a);                                      \
    [[nodiscard]] Vec VFRoundInt##T(FpEnv &env, u64 imm, Vec a);                                   \
    [[nodiscard]] Vec VFRecipEstimate##T(FpEnv &env, Vec a);                                       \
    [[nodiscard]] Vec VFRecipStep##T(FpEnv &env, Vec a, Vec b);                                    \
    [[nodiscard]] Vec VFRSqrtEstimate##T(FpEnv &env, Vec a);                                       \
    [[nodiscard]] Vec VFRSqrtStep##T(FpEnv &env, Vec a, Vec b);                                    \
    [[nodiscard]] Vec VFCompareEqual##T(FpEnv &env, Vec a, Vec b);                                 \
    [[nodiscard]] Vec VFCompareGreaterEqual##T(FpEnv &env, Vec a, Vec b);                          \
    [[nodiscard]] Vec VFCompareGreater##T(FpEnv &env, Vec a, Vec b);                               \
    [[nodiscard]] Vec VFCompareAbsGreaterEqual##T(FpEnv &env, Vec a, Vec b);                       \
    [[nodiscard]] Vec VFCompareAbsGreater##T(FpEnv &env, Vec a, Vec b);                            \
    [[nodiscard]] Vec VFToS##T(FpEnv &env, u64 imm, Vec a);                                        \
    [[nodiscard]] Vec VFToU##T(FpEnv &env, u64 imm, Vec a);                                        \
    [[nodiscard]] Vec VSToF##T(FpEnv &env, u64 imm, Vec a);                                        \
    [[nodiscard]] Vec VUToF##T(FpEnv &env, u64 imm, Vec a);                                        \
    [[nodiscard]] Vec VFComplexAdd##T(FpEnv &env, u64 imm, Vec a, Vec b);                          \
    [[nodiscard]] Vec VFComplexMulAdd##T(FpEnv &env, u64 imm, Vec a, Vec b, Vec c);
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
TANDEM_DECLARE(64)
#undef TANDEM_DECLARE

[[nodiscard]] Vec VFWiden16(FpEnv &env, Vec a);
[[nodiscard]] Vec VFWiden32(FpEnv &env, Vec a);
[[nodiscard]] Vec VFNarrow16(FpEnv &env, Vec a);
[[nodiscard]] Vec VFNarrow32(FpEnv &env, Vec a);
[[nodiscard]] Vec VFNarrowOdd32(FpEnv &env, Vec a);
[[nodiscard]] Vec VFNarrowBF16(FpEnv &env, Vec a);
[[nodiscard]] Vec VFMulAddLong(FpEnv &env, Vec a, Vec b, Vec c);
[[nodiscard]] Vec VFMulAddLongBF16(FpEnv &env, u64 imm, Vec a, Vec b, Vec c);
[[nodiscard]] Vec VFDotBF16(FpEnv &env, Vec a, Vec b, Vec c);
[[nodiscard]] Vec VFMatMulBF16(FpEnv &env, Vec a, Vec b, Vec c);

} // namespace tandem::ir::semantics
