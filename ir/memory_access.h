#pragma once
/// Guest memory as the interpreter and the cold paths of translated code reach it. jit/softmmu
/// implements it. A failing access raises the guest exception (through AddressTranslator), sets
/// ExecContext::pending_exit and returns 0: the caller leaves the block at once.
/// ExecContext::pc must be the address of the current instruction.
#include "ir/exec_context.h"
#include "ir/memory_op.h"

namespace tandem::ir {

class MemoryAccess {
public:
    virtual ~MemoryAccess() = default;
    /// size_log2 is 0..3; the result is zero-extended. Little-endian.
    virtual u64 load(ExecContext &, u64 va, unsigned size_log2, MemoryOp) = 0;
    virtual void store(ExecContext &, u64 va, unsigned size_log2, u64 value, MemoryOp) = 0;
    virtual Vec load128(ExecContext &, u64 va, MemoryOp) = 0;
    virtual void store128(ExecContext &, u64 va, Vec value, MemoryOp) = 0;
    /// Two registers of 4 or 8 bytes each (size_log2 2 or 3; alignment faults are by that size). On
    /// Normal memory, single-copy atomic as a whole within aligned 16 bytes (Arm ARM B2.2.1, LDP
    /// and STP with FEAT_LSE2). The defaults, two accesses, are for memory that one thread uses.
    virtual Vec load_pair(ExecContext &, u64 va, unsigned size_log2, MemoryOp);
    virtual void store_pair(ExecContext &, u64 va, unsigned size_log2, Vec values, MemoryOp);
    /// Single-copy atomic read-modify-write; returns the old value, zero-extended.
    virtual u64 atomic(ExecContext &, u64 va, u64 operand, MemoryOp) = 0;
    virtual u64 compare_swap(ExecContext &, u64 va, u64 expected, u64 desired, MemoryOp) = 0;
    virtual Vec compare_swap128(ExecContext &, u64 va, Vec expected, Vec desired, MemoryOp) = 0;
    /// Load exclusive of 1..16 bytes (op.size_log2 0..4): marks the monitor.
    virtual Vec load_exclusive(ExecContext &, u64 va, MemoryOp) = 0;
    /// Store exclusive: 0 stored, 1 not stored (monitor lost). Clears the monitor.
    virtual u32 store_exclusive(ExecContext &, u64 va, Vec value, MemoryOp) = 0;
    virtual void clear_exclusive(ExecContext &) = 0;
};

inline Vec MemoryAccess::load_pair(ExecContext &ctx, u64 va, unsigned size_log2, MemoryOp op) {
    Vec values{{load(ctx, va, size_log2, op), 0}};
    if (ctx.pending_exit == PendingExit::None)
        values.d[1] = load(ctx, va + (u64{1} << size_log2), size_log2, op);
    return values;
}
inline void MemoryAccess::store_pair(ExecContext &ctx, u64 va, unsigned size_log2, Vec values,
                                     MemoryOp op) {
    const u64 mask = ones(8u << size_log2);
    store(ctx, va, size_log2, values.d[0] & mask, op);
    if (ctx.pending_exit == PendingExit::None)
        store(ctx, va + (u64{1} << size_log2), size_log2, values.d[1] & mask, op);
}

} // namespace tandem::ir
