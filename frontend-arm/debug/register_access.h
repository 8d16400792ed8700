#pragma once
/// A CPU's registers for a debugger outside of the machine: all of its state by name, without what
/// an instruction that reads it would set off.
#include "frontend-arm/state/arm_state.h"
#include "support/result.h"

#include <string_view>
#include <vector>

namespace tandem::arm {

enum class RegisterClass : u8 {
    General, ///< X0-X30, and as 31 the current SP
    ProgramCounter,
    Pstate,  ///< in SPSR_EL1's layout
    Vector,  ///< V0-V31: 128 bits
    System,  ///< by SysRegId
    PacMask, ///< bits that hold a code, read-only: index<0> of data pointers, <1> in the upper half
};

struct DebugRegister {
    RegisterClass register_class = RegisterClass::General;
    u16 index = 0;
};

/// System registers that a debugger may read at any time: not those whose reading acknowledges an
/// interrupt or draws a random number, nor what is part of the other classes.
[[nodiscard]] std::vector<SysRegId> debug_system_registers(const CpuModel &);
[[nodiscard]] std::string_view system_register_name(SysRegId);

// While the CPU stands between two instructions.

[[nodiscard]] ir::Vec read_register(ArmState &, DebugRegister);
/// System registers as MSR at EL1 writes them. Fails for what cannot be written, or not to that.
[[nodiscard]] Result<> write_register(ArmState &, DebugRegister, const ir::Vec &value);

} // namespace tandem::arm
