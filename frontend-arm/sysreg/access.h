#pragma once
/// System registers without an instruction that names them: no checks, no traps.
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/sysreg/sysreg.h"

namespace tandem::arm {

/// What MRS at EL1 would read; the register can be read, and is not RNDR or RNDRRS. Reading ICC_IAR
/// acknowledges.
[[nodiscard]] u64 read_sysreg(ArmState &, const SysReg &);
/// What MSR at EL1 would write, its effects included, between two instructions.
void write_sysreg(ArmState &, const SysReg &, u64 value);

} // namespace tandem::arm
