#pragma once
/// The GICv3's register tables as constants.
#include "devices/gic/interrupt_bank.h"

namespace tandem::devices::gicv3 {

namespace distributor {
#define TANDEM_REGISTERS "devices/gic/gicv3_distributor_registers.inc"
#include "devices/core/register_table.inc"
inline constexpr u32 kGroupEnables = CTLR_EnableGrp0 | CTLR_EnableGrp1;
inline constexpr u32 kWritableControl = kGroupEnables | CTLR_E1NWF;
} // namespace distributor

namespace redistributor {
#define TANDEM_REGISTERS "devices/gic/gicv3_redistributor_registers.inc"
#include "devices/core/register_table.inc"
} // namespace redistributor

inline constexpr u32 kSgiMask = 0x0000ffff;
inline constexpr u32 kPpiMask = 0xffff0000;

/// GICD_IIDR and GICR_IIDR: Arm's JEP106 code, product 0.
inline constexpr u32 kImplementer = 0x43b;

/// PIDR4-7, PIDR0-3, CIDR0-3, a byte each in a word; PIDR2.ArchRev is 3.
[[nodiscard]] inline u32 identification(u32 offset) {
    static constexpr std::array<u8, 12> kBytes{0x44, 0, 0,    0,    0x92, 0xb4,
                                               0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return kBytes[(offset - 0xffd0) / 4 % 12];
}

/// A narrow read of a word register.
[[nodiscard]] inline u64 extract(u32 word, u64 offset, unsigned size_log2) {
    return (u64{word} >> ((offset & 3) * 8)) & ones(8u << size_log2);
}

} // namespace tandem::devices::gicv3
