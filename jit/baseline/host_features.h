#pragma once
/// Which x86-64 extensions generated code may use. Everything above x86-64-v2 is optional.
#include "support/bits.h"

namespace tandem::jit {

struct HostFeatures {
    bool avx = false;
    bool avx2 = false;
    bool bmi1 = false;
    bool bmi2 = false;
    bool lzcnt = false;
    bool movbe = false;
    bool fma = false;
    bool f16c = false;
    bool aes = false;
    bool pclmul = false;
    bool sha = false;
    bool gfni = false;
    bool avx512 = false; ///< F, BW, DQ and VL

    /// Those of the running host.
    [[nodiscard]] static HostFeatures detect();
    /// The host's, cut down to an x86-64 micro-architecture level (2, 3 or 4).
    [[nodiscard]] static HostFeatures detect_up_to(unsigned level);
};

} // namespace tandem::jit
