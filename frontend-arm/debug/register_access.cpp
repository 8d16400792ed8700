#include "frontend-arm/debug/register_access.h"

#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/pstate.h"
#include "frontend-arm/sysreg/access.h"
#include "frontend-arm/sysreg/sysreg.h"

namespace tandem::arm {
namespace {

bool is_inspectable(SysRegId id) {
    switch (id) {
    case reg::RNDR:
    case reg::RNDRRS:
    case reg::ICC_IAR0_EL1:
    case reg::ICC_IAR1_EL1:
    // Parts of PSTATE.
    case reg::NZCV:
    case reg::DAIF:
    case reg::CurrentEL:
    case reg::SPSel:
    case reg::PAN:
    case reg::UAO:
    case reg::DIT:
    case reg::SSBS:
    // Among the floating-point registers.
    case reg::FPCR:
    case reg::FPSR: return false;
    default: return true;
    }
}

Result<> write_pstate(ArmState &s, u64 value) {
    const u64 el = bits(value, kSpsrElShift + 1, kSpsrElShift);
    const bool uses_sp_el1 = bit(value, 0);
    if ((value & kSpsrAarch32) != 0 || el > 1 || (el == 0 && uses_sp_el1))
        return failure("cpsr: no mode of this CPU; use EL0t, EL1t or EL1h");
    s.banked_sp[current_sp_bank(s)] = s.gpr[31];
    set_pstate(s, value);
    s.gpr[31] = s.banked_sp[current_sp_bank(s)];
    update_mode(s);
    return {};
}

Result<> write_system(ArmState &s, SysRegId id, u64 value) {
    const SysReg &r = sysreg_info(id);
    if (r.write == SysRegAction::None)
        return failure(std::string(r.name) + ": read-only; leave it as it is");
    if (id == reg::SP_EL0 && current_sp_bank(s) == 0) {
        s.gpr[31] = value;
        return {};
    }
    write_sysreg(s, r, value);
    return {};
}

} // namespace

std::vector<SysRegId> debug_system_registers(const CpuModel &model) {
    std::vector<SysRegId> ids;
    for (unsigned i = 0; i < kSysRegCount; ++i) {
        const SysReg &r = sysreg_info(static_cast<SysRegId>(i));
        if (r.read != SysRegAction::None && model.has(r.feature) && is_inspectable(r.id))
            ids.push_back(r.id);
    }
    return ids;
}

std::string_view system_register_name(SysRegId id) {
    return sysreg_info(id).name;
}

ir::Vec read_register(ArmState &s, DebugRegister which) {
    const auto index = which.index;
    switch (which.register_class) {
    case RegisterClass::General: return {{s.gpr[index], 0}};
    case RegisterClass::ProgramCounter: return {{s.pc, 0}};
    case RegisterClass::Pstate: return {{spsr_from_pstate(s), 0}};
    case RegisterClass::Vector: return s.v[index];
    case RegisterClass::System: {
        const SysReg &r = sysreg_info(static_cast<SysRegId>(index));
        if (r.id == reg::SP_EL0) return {{stack_pointer(s, 0), 0}};
        return {{read_sysreg(s, r), 0}};
    }
    case RegisterClass::PacMask: return {{s.pac.mask[index & 1][index >> 1], 0}};
    }
    return {};
}

Result<> write_register(ArmState &s, DebugRegister which, const ir::Vec &value) {
    const auto index = which.index;
    switch (which.register_class) {
    case RegisterClass::General: s.gpr[index] = value.d[0]; break;
    case RegisterClass::ProgramCounter: s.pc = value.d[0]; break;
    case RegisterClass::Pstate: return write_pstate(s, value.d[0]);
    case RegisterClass::Vector: s.v[index] = value; break;
    case RegisterClass::System: return write_system(s, static_cast<SysRegId>(index), value.d[0]);
    case RegisterClass::PacMask:
        return failure("pauth masks: they follow from TCR_EL1; change that");
    }
    return {};
}

} // namespace tandem::arm
