#pragma once
/// What the emitters of scalar and vector floating point share. Private to the baseline tier.
#include "jit/baseline/block_compiler.h"

namespace tandem::jit::fp {

/// Does the operation flush denormals (FPCR.FZ in its FpMode)? Then its definition does it.
[[nodiscard]] inline bool flushes_to_zero(const Inst &in) {
    return bit(in.imm, 2);
}
[[nodiscard]] inline ir::Rounding rounding_of(const Inst &in) {
    return static_cast<ir::Rounding>(bits(in.imm, 10, 8));
}
/// The rounding of a conversion as the immediate of ROUNDSD; NearestAway and Odd have none: -1.
[[nodiscard]] inline int host_rounding(const Inst &in) {
    switch (rounding_of(in)) {
    case ir::Rounding::NearestEven: return 0;
    case ir::Rounding::PlusInf: return 2;
    case ir::Rounding::MinusInf: return 1;
    case ir::Rounding::Zero: return 3;
    default: return -1;
    }
}
/// Of a conversion from or to fixed point.
[[nodiscard]] inline u64 fraction_bits(const Inst &in) {
    return bits(in.imm, 22, 16);
}
/// The last cold path comes back here.
inline void resume_here(BlockCompiler &c) {
    c.cold(c.last_cold()).resume = static_cast<u32>(c.getSize());
}

} // namespace tandem::jit::fp
