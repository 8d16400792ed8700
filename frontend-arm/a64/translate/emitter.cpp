#include "frontend-arm/a64/translate/emitter.h"

namespace tandem::arm::a64 {

ir::I64 Emitter::load(unsigned size_log2, ir::I64 address, MemoryOp op) {
    switch (size_log2) {
    case 0: return b.Load8(address, op.pack());
    case 1: return b.Load16(address, op.pack());
    case 2: return b.Load32(address, op.pack());
    default: return b.Load64(address, op.pack());
    }
}

void Emitter::store(unsigned size_log2, ir::I64 address, ir::I64 value, MemoryOp op) {
    switch (size_log2) {
    case 0: b.Store8(address, value, op.pack()); break;
    case 1: b.Store16(address, value, op.pack()); break;
    case 2: b.Store32(address, value, op.pack()); break;
    default: b.Store64(address, value, op.pack()); break;
    }
}

// Arm ARM D1.8.2, CheckSPAlignment: SP as a base must be a multiple of 16. Once checked it stays
// known until SP changes by something else than a multiple of 16.
ir::I64 Emitter::base(unsigned n) {
    const ir::I64 address = x_sp(n);
    if (n == 31 && mode.has(Mode::kSpAlignment) && !sp_is_aligned_) {
        raise_if(b.IsNonZero64(b.And64(address, b.Const64(15))), HelperId::raise_sp_alignment);
        sp_is_aligned_ = true;
    }
    return address;
}

void Emitter::write_back(unsigned n, ir::I64 address, i64 offset_from_base) {
    const bool stays_aligned = sp_is_aligned_ && offset_from_base % 16 == 0;
    set_x_sp(n, address);
    if (n == 31) sp_is_aligned_ = stays_aligned;
}

} // namespace tandem::arm::a64
