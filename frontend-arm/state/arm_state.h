#pragma once
/// Architectural state of one AArch64 CPU (EL0 and EL1). X0-X30 and the current SP are
/// ExecContext::gpr, NZCV is ExecContext::flags, FPSR's cumulative bits are ExecContext::fpsr.
#include "frontend-arm/state/mode.h"
#include "frontend-arm/sysreg/sysreg_ids.h"
#include "ir/exec_context.h"

namespace tandem::arm {

class CpuModel;
struct Environment;

inline constexpr unsigned kPmuCounters = 6; ///< PMCR_EL0.N: event counters beside the cycle counter

/// What pointer authentication needs of SCTLR_EL1 and TCR_EL1; see pauth/.
struct PacControls {
    /// Bits that hold the code: [is a data pointer][is in the upper half].
    std::array<std::array<u64, 2>, 2> mask{};
    std::array<u8, 2> half_bit{}; ///< [is a data pointer]: bit of a new pointer that tells its half
    u8 enabled_keys = 0;          ///< bit for every PacKey
};

struct ArmState : ir::ExecContext {
    alignas(16) std::array<ir::Vec, 32> v{};

    // PSTATE, but for NZCV. `mode` is derived from these by update_mode().
    u32 el = 1;
    u32 sp_select = 1; ///< PSTATE.SP
    u32 daif = 0xf;    ///< D A I F in bits 3:0
    u32 pan = 0, uao = 0, dit = 0, ssbs = 0, tco = 0;
    u32 btype = 0, software_step = 0, illegal = 0;
    u32 fpcr = 0;
    std::array<u64, 2> banked_sp{}; ///< SP_EL0, SP_EL1; the current one lives in gpr[31]

    /// System registers that are plain storage, by SysRegId.
    std::array<u64, kSysRegCount> sysreg{};

    const CpuModel *model = nullptr;     ///< feature set and ID registers; constant
    Environment *environment = nullptr;  ///< GIC, timers, PSCI: what the board provides
    u32 index = 0;                       ///< of this CPU on the board
    bool waits_for_event = false;        ///< PendingExit::Halt is a WFE, not a WFI
    std::atomic<u32> event_register = 0; ///< WFE's; any thread sets it (SEV)

    // Digests of control registers, kept by update_controls().
    std::array<u32, 2> mode_controls{}; ///< the part of `mode` that comes from registers, by EL
    PacControls pac;
    bool debug_enabled = false; ///< MDSCR_EL1.{MDE, SS} and the locks allow debug exceptions
    bool watchpoints_enabled = false;
    bool guarded_page_seen = false; ///< a page with GP = 1 was executed: PSTATE.BTYPE matters

    bool pmu_filtered = false;       ///< pmu/: an enabled counter counts in one EL only
    u32 pmu_running = 0;             ///< pmu/: counters that count now; bit kPmuCounters: cycles
    u32 fetch_stale = 0;             ///< the mapping of code may have changed since the last ISB
    u32 tlb_maintenance_pending = 0; ///< TLB maintenance was broadcast since the last DSB
    std::array<u64, kPmuCounters + 1> pmu_base{}; ///< pmu/: value = base + (running? source : 0)
};

/// Byte offset, from the context, of an integer register; 31 is SP.
[[nodiscard]] constexpr u64 gpr_offset(unsigned n) {
    return n * 8ull;
}
[[nodiscard]] inline u64 v_offset(unsigned n) {
    return static_cast<u64>(__builtin_offsetof(ArmState, v)) + n * 16ull;
}

} // namespace tandem::arm
