#pragma once
/// Definitions of the vector multiplications beyond VMul and VMulLong: saturating doubling ones,
/// dot products, matrix products, polynomials, and the unsigned estimates.
#include "ir/types.h"

namespace tandem::ir::semantics {

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] Vec VSatDoubleMulHigh##T(FpEnv &env, Vec a, Vec b);                              \
    [[nodiscard]] Vec VSatRoundDoubleMulHigh##T(FpEnv &env, Vec a, Vec b);                         \
    [[nodiscard]] Vec VSatRoundDoubleMulAddHigh##T(FpEnv &env, Vec a, Vec b, Vec c);               \
    [[nodiscard]] Vec VSatRoundDoubleMulSubHigh##T(FpEnv &env, Vec a, Vec b, Vec c);               \
    [[nodiscard]] Vec VSatDoubleMulLong##T(FpEnv &env, Vec a, Vec b);
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
#undef TANDEM_DECLARE

[[nodiscard]] Vec VRecipEstimateU32(Vec a);
[[nodiscard]] Vec VRSqrtEstimateU32(Vec a);
[[nodiscard]] Vec VDotS(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VDotU(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VDotUS(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VMatMulS(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VMatMulU(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VMatMulUS(Vec a, Vec b, Vec c);
[[nodiscard]] Vec VPolyMul8(Vec a, Vec b);
[[nodiscard]] Vec VPolyMulLong8(Vec a, Vec b);
[[nodiscard]] Vec VPolyMulLong64(Vec a, Vec b);

} // namespace tandem::ir::semantics
