#pragma once
/// One translation table walk (Arm ARM D8, AArch64.S1Translate).
#include "frontend-arm/state/arm_state.h"
#include "ir/frontend.h"

namespace tandem::arm {

/// ESR_ELx.ISS<5:0> of an abort. Those with a level have it in their low two bits.
enum class FaultStatus : u8 {
    AddressSize = 0x00,
    Translation = 0x04,
    AccessFlag = 0x08,
    Permission = 0x0c,
    ExternalAbort = 0x10,
    ExternalAbortOnWalk = 0x14,
    Alignment = 0x21,
    UnsupportedAtomicUpdate = 0x31,
};

struct WalkAccess {
    ir::AccessKind kind = ir::AccessKind::Load;
    ir::Regime regime = ir::Regime::Kernel;
    bool updates_descriptors = true; ///< hardware management of the access flag and dirty state
};

struct WalkResult {
    bool faults = false;
    u8 status = 0; ///< if it faults: ISS<5:0>
    u64 physical = 0;
    u8 attributes = 0;   ///< the byte of MAIR_EL1
    u8 shareability = 0; ///< SH<1:0>
    ir::PageMapping mapping;
};

[[nodiscard]] WalkResult walk(const ArmState &, ir::PhysicalBus &, u64 va, WalkAccess);

/// Raises a data abort at the current instruction.
void raise_data_abort(ArmState &, u64 va, u8 status, bool is_write, bool is_cache_maintenance);
void raise_instruction_abort(ArmState &, u64 va, u8 status);

} // namespace tandem::arm
