#pragma once
/// Operations that translated code, T1's or T2's, does out of line. Arguments and results are
/// 16-byte slots as in ir/semantics/thunk.h.
#include "ir/block.h"
#include "ir/exec_context.h"

namespace tandem::jit {

/// A memory operation, through MemoryAccess. ExecContext::pc must be set; afterwards pending_exit
/// says whether the block must be left. Pair loads give two results.
void out_of_line_memory(ir::ExecContext &ctx, ir::Opcode opcode, u64 imm, const ir::Vec *args,
                        ir::Vec *result);

/// A Pure or Fp operation, by its definition.
void out_of_line_thunk(ir::ExecContext &ctx, ir::Opcode opcode, u64 imm, const ir::Vec *args,
                       ir::Vec *result);

} // namespace tandem::jit
