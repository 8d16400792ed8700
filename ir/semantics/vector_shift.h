#pragma once
/// Definitions of the vector shifts and of narrowing. Immediate shifts by a whole lane give 0 or
/// copies of the sign; register shifts take the signed low byte of each lane of b, negative ones
/// going right.
#include "ir/types.h"

namespace tandem::ir::semantics {

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VShlImm##T(u64 imm, Vec a);                                                  \
    [[nodiscard]] Vec VLsrImm##T(u64 imm, Vec a);                                                  \
    [[nodiscard]] Vec VAsrImm##T(u64 imm, Vec a);                                                  \
    [[nodiscard]] Vec VRoundLsrImm##T(u64 imm, Vec a);                                             \
    [[nodiscard]] Vec VRoundAsrImm##T(u64 imm, Vec a);                                             \
    [[nodiscard]] Vec VShlInsert##T(u64 imm, Vec a, Vec b);                                        \
    [[nodiscard]] Vec VShrInsert##T(u64 imm, Vec a, Vec b);                                        \
    [[nodiscard]] Vec VShlS##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VShlU##T(Vec a, Vec b);                                                      \
    [[nodiscard]] Vec VRoundShlS##T(Vec a, Vec b);                                                 \
    [[nodiscard]] Vec VRoundShlU##T(Vec a, Vec b);                                                 \
    [[nodiscard]] Vec VSatShlS##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatShlU##T(FpEnv &env, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VSatRoundShlS##T(FpEnv &env, Vec a, Vec b);                                  \
    [[nodiscard]] Vec VSatRoundShlU##T(FpEnv &env, Vec a, Vec b);                                  \
    [[nodiscard]] Vec VSatShlImmSU##T(FpEnv &env, u64 imm, Vec a);
TANDEM_DECLARE(8)
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
TANDEM_DECLARE(64)
#undef TANDEM_DECLARE

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VNarrow##T(Vec a);                                                           \
    [[nodiscard]] Vec VNarrowSatS##T(FpEnv &env, Vec a);                                           \
    [[nodiscard]] Vec VNarrowSatU##T(FpEnv &env, Vec a);                                           \
    [[nodiscard]] Vec VNarrowSatSU##T(FpEnv &env, Vec a);                                          \
    [[nodiscard]] Vec VShrNarrow##T(u64 imm, Vec a);                                               \
    [[nodiscard]] Vec VShrNarrowSatS##T(FpEnv &env, u64 imm, Vec a);                               \
    [[nodiscard]] Vec VShrNarrowSatU##T(FpEnv &env, u64 imm, Vec a);                               \
    [[nodiscard]] Vec VShrNarrowSatSU##T(FpEnv &env, u64 imm, Vec a);
TANDEM_DECLARE(8)
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
#undef TANDEM_DECLARE

} // namespace tandem::ir::semantics
