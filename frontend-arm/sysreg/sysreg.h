#pragma once
/// The system register table: which encodings exist, who may access them, and how.
#include "frontend-arm/state/features.h"
#include "frontend-arm/sysreg/sysreg_ids.h"

#include <string_view>

namespace tandem::arm {

/// What EL0 may do. The named controls trap with EC 0x18 when they refuse; None is UNDEFINED.
enum class El0Access : u8 {
    None,
    Id,   ///< trapped (FEAT_IDST), or UNDEFINED without it
    Read, ///< a write is UNDEFINED
    ReadWrite,
    Daif,             ///< SCTLR_EL1.UMA
    CacheType,        ///< SCTLR_EL1.UCT
    ContextNumber,    ///< SCTLR_EL1.TSCXT refuses
    CounterFrequency, ///< CNTKCTL_EL1.EL0PCTEN or EL0VCTEN
    PhysicalCounter,  ///< CNTKCTL_EL1.EL0PCTEN
    VirtualCounter,   ///< CNTKCTL_EL1.EL0VCTEN
    PhysicalTimer,    ///< CNTKCTL_EL1.EL0PTEN
    VirtualTimer,     ///< CNTKCTL_EL1.EL0VTEN
    Pmu,              ///< PMUSERENR_EL0.EN
    PmuRead,          ///< likewise; read-only register
    PmuSoftware,      ///< PMUSERENR_EL0.{EN, SW}
    PmuEvent,         ///< PMUSERENR_EL0.EN, or ER for reads (and for PMSELR_EL0)
    PmuCycle,         ///< PMUSERENR_EL0.EN, or CR for reads
    DebugChannel,     ///< MDSCR_EL1.TDCC refuses
};

/// How a register is read or written once the access is allowed.
enum class SysRegAction : u8 {
    Slot,   ///< load or store 64 bits at sysreg_offset(); the whole effect
    Helper, ///< call read_sysreg or write_sysreg
    Ignore, ///< write without effect
    None,   ///< UNDEFINED
};

struct SysReg {
    std::string_view name;
    u16 encoding; ///< op0<1:0>:op1:CRn:CRm:op2
    SysRegId id;
    El0Access el0;
    SysRegAction read;
    SysRegAction write;
    Feature feature; ///< exists only with it
    u64 reset;
};

[[nodiscard]] constexpr u16 sysreg_encoding(unsigned op0, unsigned op1, unsigned crn, unsigned crm,
                                            unsigned op2) {
    return static_cast<u16>((op0 & 3) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2);
}

/// Whether FEAT_IDST covers the encoding: its exceptions are reported with EC 0x18 (Arm ARM,
/// ID_AA64MMFR2_EL1.IDS).
[[nodiscard]] constexpr bool in_feature_id_space(u16 encoding) {
    const u64 op1 = bits(encoding, 13, 11);
    return bits(encoding, 15, 14) == 3 && (op1 == 0 || op1 == 1 || op1 == 3) &&
           bits(encoding, 10, 7) == 0 && bits(encoding, 6, 3) <= 7;
}

/// The register of an encoding; null if it does not exist (in any CpuModel: check `feature`).
/// The reserved encodings of the ID space (op0 3, op1 0, CRn 0, CRm 1-7) give a register that reads
/// as zero.
[[nodiscard]] const SysReg *find_sysreg(u16 encoding);
[[nodiscard]] const SysReg &sysreg_info(SysRegId id);

/// Byte offset of the storage, from the context. SP_EL0 lives in ArmState::banked_sp.
[[nodiscard]] u64 sysreg_offset(SysRegId id);

/// Whether EL0 may make this access without looking at any control, or never may: decided at
/// translation. Otherwise the helpers read_sysreg and write_sysreg check and trap.
[[nodiscard]] constexpr bool el0_always_allowed(const SysReg &r, bool is_write) {
    return r.el0 == El0Access::ReadWrite || (r.el0 == El0Access::Read && !is_write);
}

} // namespace tandem::arm
