#pragma once
/// The GICv2's register tables as constants.
#include "devices/gic/interrupt_bank.h"

namespace tandem::devices::gicv2 {

namespace distributor {
#define TANDEM_REGISTERS "devices/gic/gicv2_distributor_registers.inc"
#include "devices/core/register_table.inc"
inline constexpr u32 kGroupEnables = CTLR_EnableGrp0 | CTLR_EnableGrp1;
} // namespace distributor

namespace cpu {
#define TANDEM_REGISTERS "devices/gic/gicv2_cpu_registers.inc"
#include "devices/core/register_table.inc"
inline constexpr u32 kGroupEnables = CTLR_EnableGrp0 | CTLR_EnableGrp1;
inline constexpr u32 kWritableControl = 0x3ff;
} // namespace cpu

/// GICD_IIDR: Arm's JEP106 code. GICC_IIDR adds the architecture version, 2.
inline constexpr u32 kImplementer = 0x43b;
inline constexpr u32 kArchitecture = 2 << 16;

} // namespace tandem::devices::gicv2
