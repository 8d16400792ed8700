#pragma once
/// Names of the system registers, from the table. A SysRegId indexes ArmState::sysreg.
#include "support/bits.h"

namespace tandem::arm {

namespace reg {
enum SysRegId : u16 {
#define SYSREG(name, ...) name,
#include "frontend-arm/sysreg/sysregs.inc"
    kCount
};
} // namespace reg

using reg::SysRegId;
inline constexpr unsigned kSysRegCount = reg::kCount;

} // namespace tandem::arm
