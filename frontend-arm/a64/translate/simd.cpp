#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

ir::V128 scalar_operand(Translator &t, u32 n, unsigned size) {
    switch (size) {
    case 0: return t.b.VFromI64(t.b.VGet8(t.v(n), 0));
    case 1: return t.b.VFromF16(t.h(n));
    case 2: return t.b.VFromF32(t.s(n));
    default: return t.b.VFromF64(t.d(n));
    }
}

void set_scalar(Translator &t, u32 d, unsigned size, ir::V128 value) {
    switch (size) {
    case 0: t.set_v(d, t.b.VFromI64(t.b.VGet8(value, 0))); break;
    case 1: t.set_h(d, t.b.VToF16(value, 0)); break;
    case 2: t.set_s(d, t.b.VToF32(value, 0)); break;
    default: t.set_v(d, t.b.VZeroUpper64(value)); break;
    }
}

ir::V128 dup_element(Translator &t, u32 m, unsigned size, unsigned index) {
    constexpr Lanes1 dup = OPS(VDupLane);
    return (t.b.*dup[size])(t.v(m), index);
}

bool vector_op(Translator &t, Vector f, const Lanes1 &op, u64 imm) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    t.set_v(f.d, (t.b.*op[f.size])(t.v(f.n), imm), f.q);
    return true;
}

bool vector_op(Translator &t, Vector f, const Lanes2 &op) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    t.set_v(f.d, (t.b.*op[f.size])(t.v(f.n), t.v(f.m), 0), f.q);
    return true;
}

bool vector_fp_op(Translator &t, Vector f, const Lanes1 &op, u64 imm) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    t.set_v(f.d, (t.b.*op[f.size])(vector_operand(t, f.n, f.q), imm), f.q);
    return true;
}

bool vector_fp_op(Translator &t, Vector f, const Lanes2 &op, u64 imm) {
    if (op[f.size] == nullptr || !is_arrangement(f.q, f.size)) return false;
    const ir::V128 n = vector_operand(t, f.n, f.q);
    const ir::V128 m = f.m == f.n ? n : vector_operand(t, f.m, f.q);
    t.set_v(f.d, (t.b.*op[f.size])(n, m, imm), f.q);
    return true;
}

} // namespace tandem::arm::a64
