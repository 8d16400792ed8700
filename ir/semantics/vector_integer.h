#pragma once
/// Definitions of the integer vector operations. Shapes and immediates are described at the rows
/// of ir/opcodes.inc; saturating operations raise kFpSaturated.
#include "ir/types.h"

namespace tandem::ir::semantics {

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VAdd##T(Vec a, Vec b);                                                       \
    [[nodiscard]] Vec VSub##T(Vec a, Vec b);                                                       \
    [[nodiscard]] Vec VNeg##T(Vec a);                                                              \
    [[nodiscard]] Vec VAbs##T(Vec a);                                                              \
    [[nodiscard]] Vec VCompareEqual##T(Vec a, Vec b);                                              \
    [[nodiscard]] Vec VCompareGreaterS##T(Vec a, Vec b);                                           \
    [[nodiscard]] Vec VCompareGreaterEqualS##T(Vec a, Vec b);                                      \
    [[nodiscard]] Vec VCompareGreaterU##T(Vec a, Vec b);                                           \
    [[nodiscard]] Vec VCompareGreaterEqualU##T(Vec a, Vec b);                                      \
    [[nodiscard]] Vec VCompareTest##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VAddPairwise##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VSatAddS##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatAddU##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatAddSU##T(FpEnv &env, Vec a, Vec b);                                      \
    [[nodiscard]] Vec VSatAddUS##T(FpEnv &env, Vec a, Vec b);                                      \
    [[nodiscard]] Vec VSatSubS##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatSubU##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatAbs##T(FpEnv &env, Vec a);                                               \
    [[nodiscard]] Vec VSatNeg##T(FpEnv &env, Vec a);
TANDEM_DECLARE(8)
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
TANDEM_DECLARE(64)
#undef TANDEM_DECLARE

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VMul##T(Vec a, Vec b);                                                       \
    [[nodiscard]] Vec VMaxS##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VMaxU##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VMinS##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VMinU##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VHalvingAddS##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VHalvingAddU##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VRoundHalvingAddS##T(Vec a, Vec b);                                          \
    [[nodiscard]] Vec VRoundHalvingAddU##T(Vec a, Vec b);                                          \
    [[nodiscard]] Vec VHalvingSubS##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VHalvingSubU##T(Vec a, Vec b);                                               \
    [[nodiscard]] Vec VAbsDiffS##T(Vec a, Vec b);                                                  \
    [[nodiscard]] Vec VAbsDiffU##T(Vec a, Vec b);                                                  \
    [[nodiscard]] Vec VMaxPairwiseS##T(Vec a, Vec b);                                              \
    [[nodiscard]] Vec VMaxPairwiseU##T(Vec a, Vec b);                                              \
    [[nodiscard]] Vec VMinPairwiseS##T(Vec a, Vec b);                                              \
    [[nodiscard]] Vec VMinPairwiseU##T(Vec a, Vec b);                                              \
    [[nodiscard]] Vec VCountLeadingZeros##T(Vec a);                                                \
    [[nodiscard]] Vec VCountLeadingSigns##T(Vec a);                                                \
    [[nodiscard]] Vec VWidenS##T(Vec a);                                                           \
    [[nodiscard]] Vec VWidenU##T(Vec a);                                                           \
    [[nodiscard]] Vec VMulLongS##T(Vec a, Vec b);                                                  \
    [[nodiscard]] Vec VMulLongU##T(Vec a, Vec b);                                                  \
    [[nodiscard]] Vec VPairwiseAddLongS##T(Vec a);                                                 \
    [[nodiscard]] Vec VPairwiseAddLongU##T(Vec a);                                                 \
    [[nodiscard]] Vec VAcrossAdd##T(u64 imm, Vec a);                                               \
    [[nodiscard]] Vec VAcrossAddLongS##T(u64 imm, Vec a);                                          \
    [[nodiscard]] Vec VAcrossAddLongU##T(u64 imm, Vec a);                                          \
    [[nodiscard]] Vec VAcrossMaxS##T(u64 imm, Vec a);                                              \
    [[nodiscard]] Vec VAcrossMaxU##T(u64 imm, Vec a);                                              \
    [[nodiscard]] Vec VAcrossMinS##T(u64 imm, Vec a);                                              \
    [[nodiscard]] Vec VAcrossMinU##T(u64 imm, Vec a);
TANDEM_DECLARE(8)
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
#undef TANDEM_DECLARE

[[nodiscard]] Vec VReverseBits8(Vec a);
[[nodiscard]] Vec VPopulation8(Vec a);

} // namespace tandem::ir::semantics
