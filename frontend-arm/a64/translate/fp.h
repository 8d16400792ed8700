#pragma once
/// What the bodies of scalar floating-point rows share. A float's `size` is log2 of its bytes:
/// 1 half, 2 single, 3 double; 0 stands for an unallocated type.
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

/// An operation on each of the types: FLOAT_OPS(FAdd) is {FAdd16, FAdd32, FAdd64}.
template <class H, class S, class D>
struct FloatOps {
    H half;
    S single;
    D double_;
};
using Float1 =
    FloatOps<ir::F16 (ir::Builder::*)(ir::F16, u64), ir::F32 (ir::Builder::*)(ir::F32, u64),
             ir::F64 (ir::Builder::*)(ir::F64, u64)>;
using Float2 = FloatOps<ir::F16 (ir::Builder::*)(ir::F16, ir::F16, u64),
                        ir::F32 (ir::Builder::*)(ir::F32, ir::F32, u64),
                        ir::F64 (ir::Builder::*)(ir::F64, ir::F64, u64)>;
using Float3 = FloatOps<ir::F16 (ir::Builder::*)(ir::F16, ir::F16, ir::F16, u64),
                        ir::F32 (ir::Builder::*)(ir::F32, ir::F32, ir::F32, u64),
                        ir::F64 (ir::Builder::*)(ir::F64, ir::F64, ir::F64, u64)>;
#define FLOAT_OPS(name) {&ir::Builder::name##16, &ir::Builder::name##32, &ir::Builder::name##64}

/// Size of a float whose type is in an ftype field.
[[nodiscard]] inline unsigned float_size(const Translator &t, u32 ftype) {
    switch (ftype) {
    case 0: return 2;
    case 1: return 3;
    case 3: return t.has(Feature::FP16) ? 1 : 0;
    default: return 0;
    }
}
/// Vd = op(Vn); imm holds what the operation needs, FpMode included.
bool float_op(Translator &t, unsigned size, u32 d, u32 n, Float1 op, u64 imm);
/// Vd = op(Vn, Vm).
bool float_op(Translator &t, unsigned size, u32 d, u32 n, u32 m, Float2 op, u64 imm);

/// Immediate of rounding to integral and of conversions to integer or fixed point.
[[nodiscard]] inline u64 rounding_imm(const Translator &t, Rounding rounding,
                                      unsigned fraction_bits = 0) {
    return t.fp_mode() | static_cast<u64>(rounding) << 8 | u64{fraction_bits} << 16;
}
/// FRINTX: raises Inexact.
inline constexpr u64 kRaiseInexact = 1u << 11;
/// FRINT64*: saturates to 64 instead of 32 bits.
inline constexpr u64 kRoundTo64Bits = 1u << 16;
/// FCMPE, FCCMPE: quiet NaNs raise Invalid Operation too.
inline constexpr u64 kSignalQuietNans = 1u << 8;

/// FPCR.RMode.
[[nodiscard]] inline Rounding current_rounding(const Translator &t) {
    return static_cast<Rounding>(t.mode.fp().rounding());
}

/// VFPExpandImm (Arm ARM, shared pseudocode): the float of 1 << size bytes that imm8 stands for.
[[nodiscard]] constexpr u64 expand_float_imm(u32 imm8, unsigned size) {
    const unsigned exponent_bits = size == 1 ? 5 : size == 2 ? 8 : 11;
    const unsigned fraction_bits = (8u << size) - exponent_bits - 1;
    const u64 sign = imm8 >> 7;
    const bool low_range = bit(imm8, 6);
    const u64 exponent = (low_range ? 0 : u64{1} << (exponent_bits - 1)) |
                         (low_range ? ones(exponent_bits - 3) << 2 : 0) | bits(imm8, 5, 4);
    return sign << ((8u << size) - 1) | exponent << fraction_bits |
           bits(imm8, 3, 0) << (fraction_bits - 4);
}

} // namespace tandem::arm::a64
