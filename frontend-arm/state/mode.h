#pragma once
/// The mode bits of ExecContext::mode: everything of the CPU's state that changes translation.
#include "ir/memory_op.h"
#include "ir/types.h"

namespace tandem::arm {

struct Mode {
    u32 value = 0;

    static constexpr u32 kEl1 = 1u << 0;            ///< PSTATE.EL
    static constexpr u32 kPan = 1u << 1;            ///< PSTATE.PAN
    static constexpr u32 kUao = 1u << 2;            ///< PSTATE.UAO
    static constexpr u32 kSpEl0 = 1u << 3;          ///< PSTATE.SP = 0 at EL1
    static constexpr u32 kFpTrapped = 1u << 4;      ///< CPACR_EL1.FPEN traps this EL
    static constexpr u32 kAlignmentCheck = 1u << 5; ///< SCTLR_EL1.A
    static constexpr u32 kSpAlignment = 1u << 6;    ///< SCTLR_EL1.SA or SA0 for this EL
    static constexpr u32 kSingleStep = 1u << 7;     ///< software step active at this EL
    static constexpr u32 kSsBit = 1u << 8;          ///< PSTATE.SS, when kSingleStep
    static constexpr u32 kBreakpoints = 1u << 9;    ///< a hardware breakpoint may match at this EL
    static constexpr u32 kBtypeTracked = 1u << 10;  ///< a guarded page exists: keep PSTATE.BTYPE
    static constexpr u32 kGuardedPage = 1u << 11;   ///< from PageMapping::mode_bits
    static constexpr u32 kIllegalState = 1u << 12;  ///< PSTATE.IL
    static constexpr u32 kUserCacheOps = 1u << 13;  ///< EL0: SCTLR_EL1.UCI and DZE and UCT allow
    static constexpr u32 kUserWaits = 1u << 14;     ///< EL0: SCTLR_EL1.nTWI and nTWE allow
    static constexpr u32 kDebugEnabled = 1u << 15;  ///< bits above may depend on PSTATE.D
    static constexpr unsigned kFpModeShift = 16;    ///< ir::FpMode, 6 bits
    static constexpr u32 kUnalignedOrdered = 1u << 22; ///< SCTLR_EL1.nAA

    [[nodiscard]] constexpr bool has(u32 bits) const { return (value & bits) != 0; }
    [[nodiscard]] constexpr unsigned el() const { return value & 1; }
    [[nodiscard]] constexpr ir::FpMode fp() const {
        return {static_cast<u8>((value >> kFpModeShift) & 0x3f)};
    }
    /// Regime of ordinary accesses.
    [[nodiscard]] constexpr ir::Regime regime() const {
        if (el() == 0) return ir::Regime::User;
        return has(kPan) ? ir::Regime::KernelNoUser : ir::Regime::Kernel;
    }
    /// Regime of LDTR and STTR (Arm ARM: as EL0, unless PSTATE.UAO).
    [[nodiscard]] constexpr ir::Regime unprivileged_regime() const {
        return has(kUao) ? regime() : ir::Regime::User;
    }
};

} // namespace tandem::arm
