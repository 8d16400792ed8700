#pragma once
/// What EL0 may do with a system register now.
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/sysreg/sysreg.h"

namespace tandem::arm {

enum class El0Verdict : u8 { Allowed, Trapped /**< EC 0x18 */, Undefined };

[[nodiscard]] El0Verdict el0_access(const ArmState &, const SysReg &, bool is_write);

/// ISS of EC 0x18 (Arm ARM, ESR_EL1, trapped MSR, MRS or System instruction).
[[nodiscard]] constexpr u32 system_trap_iss(u16 encoding, unsigned rt, bool is_read) {
    const u64 e = encoding;
    return static_cast<u32>(bits(e, 15, 14) << 20 | bits(e, 2, 0) << 17 | bits(e, 13, 11) << 14 |
                            bits(e, 10, 7) << 10 | u64{rt} << 5 | bits(e, 6, 3) << 1) |
           static_cast<u32>(is_read);
}

} // namespace tandem::arm
