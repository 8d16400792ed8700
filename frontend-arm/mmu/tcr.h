#pragma once
/// TCR_EL1 as the parts of the MMU and pointer authentication read it.
#include "frontend-arm/state/arm_state.h"

namespace tandem::arm {

/// The half of the address space: bit 55 of the address chooses TTBR1_EL1's.
[[nodiscard]] constexpr bool is_upper_half(u64 va) {
    return bit(va, 55);
}

/// TCR_EL1.TBI0/1, and for instructions TBID0/1: whether address bits 63:56 are ignored.
[[nodiscard]] constexpr bool top_byte_ignored(u64 tcr, bool upper, bool instruction) {
    if (!bit(tcr, upper ? 38 : 37)) return false;
    return !instruction || !bit(tcr, upper ? 52 : 51);
}

/// Width of the input address: 64 - TnSZ, for TnSZ clamped to 16..39 (no FEAT_LVA, no FEAT_TTST).
[[nodiscard]] constexpr unsigned input_address_bits(u64 tcr, bool upper) {
    const u64 tsz = upper ? bits(tcr, 21, 16) : bits(tcr, 5, 0);
    return 64 - static_cast<unsigned>(tsz < 16 ? 16 : tsz > 39 ? 39 : tsz);
}

/// The address execution continues at after a branch to `target` (Arm ARM, AArch64.BranchAddr): an
/// ignored top byte becomes the sign extension of bit 55.
[[nodiscard]] inline u64 branch_address(const ArmState &s, u64 target) {
    const bool upper = is_upper_half(target);
    if (!top_byte_ignored(s.sysreg[reg::TCR_EL1], upper, true)) return target;
    return static_cast<u64>(sign_extend(target, 56));
}

/// The current ASID (TCR_EL1.A1 chooses the TTBR, AS the width).
[[nodiscard]] inline u16 current_asid(const ArmState &s) {
    const u64 tcr = s.sysreg[reg::TCR_EL1];
    const u64 ttbr = s.sysreg[bit(tcr, 22) ? reg::TTBR1_EL1 : reg::TTBR0_EL1];
    return static_cast<u16>(bits(ttbr, 63, 48) & (bit(tcr, 36) ? 0xffff : 0xff));
}

} // namespace tandem::arm
