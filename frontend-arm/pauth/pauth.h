#pragma once
/// Pointer authentication (FEAT_PAuth; Arm ARM, AddPAC, Auth, Strip).
#include "frontend-arm/state/arm_state.h"

namespace tandem::arm {

/// In the order of ESR_EL1.ISS<1:0> of an authentication failure.
enum class PacKey : u8 { InstructionA, InstructionB, DataA, DataB };

/// Recomputes ArmState::pac: after a change of SCTLR_EL1 or TCR_EL1. Part of update_controls().
void update_pac_controls(ArmState &);

/// PACIA and its siblings. Returns the pointer unchanged if SCTLR_EL1 disables the key.
[[nodiscard]] u64 add_pac(const ArmState &, PacKey, u64 pointer, u64 modifier);

/// AUTIA and its siblings, and the branches and loads that contain them, for translated code. The
/// low bits of the result are the pointer's, unless authentication failed and the model has
/// FEAT_FPACCOMBINE: then bit 0 differs and the caller raises the exception. Without it, failure
/// poisons the pointer.
[[nodiscard]] u64 try_authenticate(const ArmState &, PacKey, u64 pointer, u64 modifier);

/// Likewise; raises the exception itself.
[[nodiscard]] u64 authenticate(ArmState &, PacKey, u64 pointer, u64 modifier);

[[nodiscard]] u64 strip_pac(const ArmState &, u64 pointer, bool is_instruction);

/// PACGA: the code in bits 63:32.
[[nodiscard]] u64 generic_pac(const ArmState &, u64 value, u64 modifier);

/// The implementation-defined algorithm: one folded 64 x 64 multiplication. Every input bit changes
/// the result; it is as strong as an emulator needs, and costs a few cycles where QARMA5 costs
/// hundreds.
[[nodiscard]] constexpr u64 fast_pac(u64 pointer, u64 modifier, u64 key_high, u64 key_low) {
    constexpr u64 kC0 = 0x9e3779b97f4a7c15, kC1 = 0xbf58476d1ce4e5b9;
    const u64 spread = modifier << 24 | modifier >> 40; // so that low bits reach far up
    const u128 product = u128{pointer ^ key_low ^ kC0} * (spread ^ key_high ^ kC1);
    return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
}

/// The architected algorithm QARMA5 (Arm ARM, ComputePAC).
[[nodiscard]] u64 qarma5(u64 data, u64 modifier, u64 key0, u64 key1);

} // namespace tandem::arm
