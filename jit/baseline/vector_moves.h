#pragma once
/// Lane shuffles that other vector emitters build on. Private to the baseline tier.
#include "jit/baseline/block_compiler.h"

namespace tandem::jit::vec {

/// d = the even (or odd) lanes of a, then those of b. d is neither a, b nor scratch; of 8- and
/// 16-bit lanes scratch is changed.
void unzip(BlockCompiler &c, unsigned lane, bool is_odd, const Xbyak::Xmm &d, const Xbyak::Xmm &a,
           const Xbyak::Xmm &b, const Xbyak::Xmm &scratch);

} // namespace tandem::jit::vec
