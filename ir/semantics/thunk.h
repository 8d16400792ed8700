#pragma once
/// Uniform entry points to the semantics functions, for executors that call them out of line.
#include "ir/block.h"

namespace tandem::ir::semantics {

/// Computes one operation. Every argument is a 16-byte slot holding the value in its low bytes,
/// zero-extended to at least 64 bits (a truth value is 0 or 1); slots of absent arguments are not
/// read. All 16 bytes of the result slot are written, zero-extended, as the register invariant of
/// F16, F32 and F64 demands; it may be an argument's slot. `imm` is the instruction's immediate
/// (of FP operations bits 7:0 are the FpMode). Exceptions raised are ORed into `fpsr`.
using Thunk = void (*)(u32 &fpsr, void *result, const void *a, const void *b, const void *c,
                       const void *d, u64 imm);

/// The thunk of an opcode; null if its class is neither Pure nor Fp, and for Second*, which name
/// a result of another instruction and are the executor's business.
[[nodiscard]] Thunk thunk(Opcode op);

} // namespace tandem::ir::semantics
