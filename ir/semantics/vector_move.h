#pragma once
/// Definitions of the vector operations that move, combine and permute.
#include "ir/types.h"

namespace tandem::ir::semantics {

[[nodiscard]] constexpr Vec VZero() {
    return {};
}
[[nodiscard]] constexpr Vec VConst64(u64 imm) {
    return {{imm, imm}};
}
[[nodiscard]] constexpr Vec VFromI64(u64 a) {
    return {{a, 0}};
}
[[nodiscard]] constexpr Vec VFromF16(u16 a) {
    return {{a, 0}};
}
[[nodiscard]] constexpr Vec VFromF32(u32 a) {
    return {{a, 0}};
}
[[nodiscard]] constexpr Vec VFromF64(u64 a) {
    return {{a, 0}};
}
[[nodiscard]] constexpr Vec VCombine(u64 low, u64 high) {
    return {{low, high}};
}
[[nodiscard]] constexpr Vec VZeroUpper64(Vec a) {
    return {{a.d[0], 0}};
}
[[nodiscard]] constexpr Vec VMergeHigh64(Vec a, Vec b) {
    return {{a.d[0], b.d[0]}};
}
[[nodiscard]] constexpr Vec VAnd(Vec a, Vec b) {
    return {{a.d[0] & b.d[0], a.d[1] & b.d[1]}};
}
[[nodiscard]] constexpr Vec VOr(Vec a, Vec b) {
    return {{a.d[0] | b.d[0], a.d[1] | b.d[1]}};
}
[[nodiscard]] constexpr Vec VXor(Vec a, Vec b) {
    return {{a.d[0] ^ b.d[0], a.d[1] ^ b.d[1]}};
}
[[nodiscard]] constexpr Vec VNot(Vec a) {
    return {{~a.d[0], ~a.d[1]}};
}
[[nodiscard]] constexpr Vec VAndNot(Vec a, Vec b) {
    return VAnd(a, VNot(b));
}
[[nodiscard]] constexpr Vec VOrNot(Vec a, Vec b) {
    return VOr(a, VNot(b));
}
[[nodiscard]] constexpr Vec VSelect(Vec a, Vec b, Vec mask) {
    return VOr(VAnd(a, mask), VAndNot(b, mask));
}

#define TANDEM_DECLARE(T)                                                                          \
    [[nodiscard]] u64 VGet##T(u64 imm, Vec a);                                                     \
    [[nodiscard]] Vec VSet##T(u64 imm, Vec a, u64 b);                                              \
    [[nodiscard]] Vec VDup##T(u64 a);                                                              \
    [[nodiscard]] Vec VDupLane##T(u64 imm, Vec a);                                                 \
    [[nodiscard]] Vec VInsertLane##T(u64 imm, Vec a, Vec b);                                       \
    [[nodiscard]] Vec VZip1_##T(Vec a, Vec b);                                                     \
    [[nodiscard]] Vec VZip2_##T(Vec a, Vec b);                                                     \
    [[nodiscard]] Vec VUzp1_##T(Vec a, Vec b);                                                     \
    [[nodiscard]] Vec VUzp2_##T(Vec a, Vec b);                                                     \
    [[nodiscard]] Vec VTrn1_##T(Vec a, Vec b);                                                     \
    [[nodiscard]] Vec VTrn2_##T(Vec a, Vec b);
TANDEM_DECLARE(8)
TANDEM_DECLARE(16)
TANDEM_DECLARE(32)
TANDEM_DECLARE(64)
#undef TANDEM_DECLARE

[[nodiscard]] u16 VToF16(u64 imm, Vec a);
[[nodiscard]] u32 VToF32(u64 imm, Vec a);
[[nodiscard]] u64 VToF64(u64 imm, Vec a);
[[nodiscard]] Vec VExtract(u64 imm, Vec a, Vec b);
[[nodiscard]] Vec VTable(Vec table, Vec indices);
[[nodiscard]] Vec VTableExtend(Vec fallback, Vec table, Vec indices);
[[nodiscard]] Vec VReverse16_8(Vec a);
[[nodiscard]] Vec VReverse32_8(Vec a);
[[nodiscard]] Vec VReverse32_16(Vec a);
[[nodiscard]] Vec VReverse64_8(Vec a);
[[nodiscard]] Vec VReverse64_16(Vec a);
[[nodiscard]] Vec VReverse64_32(Vec a);

} // namespace tandem::ir::semantics
