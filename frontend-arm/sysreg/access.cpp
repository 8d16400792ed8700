// MRS and MSR: the helpers read_sysreg, write_sysreg, write_pstate and random_number.
#include "frontend-arm/sysreg/access.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/debug/debug.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/sysreg/el0_access.h"
#include "frontend-arm/timer/generic_timer.h"
#include "ir/tlb_control.h"

namespace tandem::arm {

namespace {

ArmState &state_of(ir::ExecContext &context) {
    return static_cast<ArmState &>(context);
}

constexpr u64 kSctlrM = 1u << 0, kSctlrWxn = 1u << 19;

/// SCTLR_EL1 bits that exist without any feature: M, A, C, SA, SA0, UMA, I, DZE, UCT, nTWI, nTWE,
/// WXN, UCI. EE and E0E are RES0: the CPU is little-endian only.
constexpr u64 kSctlrBase = 0x40dd21f;
constexpr u64 kSctlrRes1 = 0x30500800; ///< LSMAOE, nTLSMD, EIS, TSCXT, EOS

u64 sctlr_value(FeatureSet features, u64 value) {
    u64 mask = kSctlrBase;
    u64 res1 = kSctlrRes1;
    const auto adds = [&](Feature feature, u64 extra) {
        if (features.has(feature)) mask |= extra;
    };
    adds(Feature::LSE2, u64{1} << 6);                                            // nAA
    adds(Feature::PAuth, u64{1} << 31 | u64{1} << 30 | u64{1} << 27 | 1u << 13); // EnIA..EnDB
    adds(Feature::CSV2, u64{1} << 20);                                           // TSCXT
    adds(Feature::IESB, u64{1} << 21);
    adds(Feature::PAN, u64{1} << 23);  // SPAN
    adds(Feature::MOPS, u64{1} << 33); // MSCEn
    adds(Feature::BTI, u64{1} << 35 | u64{1} << 36);
    adds(Feature::SSBS, u64{1} << 44); // DSSBS
    if (!features.has(Feature::PAN)) res1 |= u64{1} << 23;
    res1 &= ~mask;
    return (value & mask) | res1;
}

void write_sctlr(ArmState &s, u64 value) {
    const u64 old = s.sysreg[reg::SCTLR_EL1];
    const u64 updated = sctlr_value(s.model->features(), value);
    s.sysreg[reg::SCTLR_EL1] = updated;
    if (((old ^ updated) & (kSctlrM | kSctlrWxn)) != 0) s.environment->tlb->translation_changed(s);
    update_controls(s);
    resume_at_next(s);
}

/// TTBR0_EL1, TTBR1_EL1, TCR_EL1, MAIR_EL1.
void write_translation_control(ArmState &s, SysRegId id, u64 value) {
    const u64 old = s.sysreg[id];
    const u16 old_asid = current_asid(s);
    s.sysreg[id] = value;
    ir::TlbControl &tlb = *s.environment->tlb;
    if ((id == reg::TCR_EL1 || id == reg::MAIR_EL1) && old != value) tlb.translation_changed(s);
    const u16 asid = current_asid(s);
    if (asid != old_asid) tlb.set_address_space(s, asid);
    if (id == reg::TCR_EL1) update_controls(s);
    resume_at_next(s);
}

void write_debug(ArmState &s, SysRegId id, u64 value) {
    const bool watched = s.watchpoints_enabled;
    switch (id) {
    case reg::OSDTRRX_EL1:
    case reg::OSDTRTX_EL1: s.sysreg[id] = value & 0xffffffff; break;
    case reg::MDCCINT_EL1:
        s.sysreg[id] = value & 0x60000000;
        break; // RX, TX
    // TDCC, KDE, HDE, MDE, SS; the halting debug and channel bits have no function here.
    case reg::MDSCR_EL1: s.sysreg[id] = value & 0xf001; break;
    case reg::OSLAR_EL1: s.sysreg[reg::OSLSR_EL1] = 0x8 | (value & 1) << 1; break;
    case reg::OSDLR_EL1: s.sysreg[id] = value & 1; break;
    default: // DBGBVR, DBGBCR, DBGWVR, DBGWCR
        if (id >= reg::DBGWVR0_EL1 && id < reg::DBGWVR0_EL1 + kWatchpoints) {
            value = static_cast<u64>(sign_extend(value, 49)) & ~u64{3};
        } else if (id >= reg::DBGBVR0_EL1 && id < reg::DBGBVR0_EL1 + kFirstContextBreakpoint) {
            value = static_cast<u64>(sign_extend(value, 49)) & ~u64{3};
        } else if (id >= reg::DBGBCR0_EL1 && id < reg::DBGBCR0_EL1 + kBreakpoints) {
            value = (value & 0xffe007) | 0x1e0; // BAS is RES1 without AArch32
        } else if (id >= reg::DBGWCR0_EL1) {
            value &= 0x1f1fffff;
        }
        s.sysreg[id] = value;
        break;
    }
    update_controls(s);
    if (watched || s.watchpoints_enabled) s.environment->tlb->watchpoints_changed(s);
    resume_at_next(s);
}

/// After a write to PSTATE: leave the block if the translation mode or the interrupts say so.
void pstate_changed(ArmState &s) {
    const u32 mode = s.mode;
    update_mode(s);
    if (s.mode != mode || interrupt_deliverable(s)) resume_at_next(s);
}

u32 fpcr_mask(FeatureSet features) {
    // AHP, DN, FZ, RMode; FZ16.
    return 0x07c00000 | (features.has(Feature::FP16) ? 1u << 19 : 0);
}
constexpr u64 kFpsrMask = 0x0800009f;

u64 read_computed(ArmState &s, SysRegId id) {
    switch (id) {
    case reg::NZCV: return u64{ir::nzcv_from_flags(s.flags)} << 28;
    case reg::DAIF: return u64{s.daif} << 6;
    case reg::CurrentEL: return u64{s.el} << 2;
    case reg::SPSel: return s.sp_select;
    case reg::PAN: return u64{s.pan} << 22;
    case reg::UAO: return u64{s.uao} << 23;
    case reg::DIT: return u64{s.dit} << 24;
    case reg::SSBS: return u64{s.ssbs} << 12;
    case reg::FPCR: return s.fpcr;
    case reg::FPSR: return read_fpsr(s);
    case reg::CCSIDR_EL1: return s.model->cache_size_id(s.sysreg[reg::CSSELR_EL1]);
    case reg::ISR_EL1: {
        const u32 lines = s.interrupt_lines.load(std::memory_order_acquire);
        return ((lines & kLineFiq) != 0 ? 1u << 6 : 0) | ((lines & kLineIrq) != 0 ? 1u << 7 : 0) |
               ((lines & kLineSError) != 0 ? 1u << 8 : 0);
    }
    case reg::DBGCLAIMSET_EL1: return 0xff;
    default: break;
    }
    if (id >= reg::ICC_PMR_EL1) return s.environment->gic->read(id);
    if (id >= reg::CNTKCTL_EL1 && id <= reg::CNTV_CVAL_EL0) return read_timer(s, id);
    if (id >= reg::PMCR_EL0 && id <= reg::PMCCFILTR_EL0) return read_pmu(s, id);
    return s.sysreg[id];
}

void write_computed(ArmState &s, SysRegId id, u64 value) {
    switch (id) {
    case reg::NZCV: s.flags = ir::flags_from_nzcv(static_cast<u32>(bits(value, 31, 28))); return;
    case reg::DAIF:
        s.daif = static_cast<u32>(bits(value, 9, 6));
        pstate_changed(s);
        return;
    case reg::SPSel:
        switch_stack(s, s.el, static_cast<u32>(value & 1));
        pstate_changed(s);
        return;
    case reg::PAN:
        s.pan = static_cast<u32>(bits(value, 22, 22));
        pstate_changed(s);
        return;
    case reg::UAO:
        s.uao = static_cast<u32>(bits(value, 23, 23));
        pstate_changed(s);
        return;
    case reg::DIT: s.dit = static_cast<u32>(bits(value, 24, 24)); return;
    case reg::SSBS: s.ssbs = static_cast<u32>(bits(value, 12, 12)); return;
    case reg::FPCR: {
        const u32 mode = s.mode;
        set_fpcr(s, static_cast<u32>(value) & fpcr_mask(s.model->features()));
        if (s.mode != mode) resume_at_next(s);
        return;
    }
    case reg::FPSR: write_fpsr(s, static_cast<u32>(value & kFpsrMask)); return;
    case reg::SCTLR_EL1: write_sctlr(s, value); return;
    case reg::CPACR_EL1:
        s.sysreg[id] = value & (u64{3} << 20);
        update_controls(s);
        resume_at_next(s);
        return;
    case reg::TTBR0_EL1:
    case reg::TTBR1_EL1:
    case reg::TCR_EL1:
    case reg::MAIR_EL1: write_translation_control(s, id, value); return;
    case reg::CSSELR_EL1: s.sysreg[id] = value & 0xf; return;
    case reg::DBGCLAIMSET_EL1: s.sysreg[reg::DBGCLAIMCLR_EL1] |= value & 0xff; return;
    case reg::DBGCLAIMCLR_EL1: s.sysreg[id] &= ~value; return;
    default: break;
    }
    if (id >= reg::ICC_PMR_EL1) {
        s.environment->gic->write(id, value);
    } else if (id >= reg::CNTKCTL_EL1 && id <= reg::CNTV_CVAL_EL0) {
        write_timer(s, id, value);
    } else if (id >= reg::PMCR_EL0 && id <= reg::PMCCFILTR_EL0) {
        write_pmu(s, id, value);
    } else {
        write_debug(s, id, value);
        return;
    }
    // Somebody may want the CPU before its next instruction, for a timer that is due very soon.
    if (interrupt_deliverable(s) || s.attention.load(std::memory_order_relaxed) != 0)
        resume_at_next(s);
}

/// Whether the access may go on; otherwise the exception has been raised.
bool check_access(ArmState &s, const SysReg *r, u16 encoding, unsigned rt, bool is_write) {
    const auto trap = [&] {
        take_exception(s, ExceptionClass::SystemTrap, system_trap_iss(encoding, rt, !is_write),
                       s.pc);
    };
    if (r == nullptr || !s.model->has(r->feature) ||
        (is_write ? r->write : r->read) == SysRegAction::None ||
        (r->id == reg::SP_EL0 && s.sp_select == 0)) {
        const bool reported_as_trap =
            !is_write && in_feature_id_space(encoding) && s.model->has(Feature::IDST);
        if (reported_as_trap) {
            trap();
        } else {
            take_undefined(s);
        }
        return false;
    }
    if (s.el == 0) {
        switch (el0_access(s, *r, is_write)) {
        case El0Verdict::Allowed: break;
        case El0Verdict::Trapped: trap(); return false;
        case El0Verdict::Undefined: take_undefined(s); return false;
        }
    }
    if (r->feature == Feature::FP && Mode{s.mode}.has(Mode::kFpTrapped)) {
        a64::raise_fp_trap(s, 0, 0, 0, 0, 0);
        return false;
    }
    return true;
}

u64 &slot(ArmState &s, SysRegId id) {
    return id == reg::SP_EL0 ? s.banked_sp[0] : s.sysreg[id];
}

} // namespace

El0Verdict el0_access(const ArmState &s, const SysReg &r, bool is_write) {
    const u64 sctlr = s.sysreg[reg::SCTLR_EL1];
    const u64 timers = s.sysreg[reg::CNTKCTL_EL1];
    const u64 pmu = s.sysreg[reg::PMUSERENR_EL0];
    const auto trapped_unless = [](bool granted) {
        return granted ? El0Verdict::Allowed : El0Verdict::Trapped;
    };
    switch (r.el0) {
    case El0Access::None: break;
    case El0Access::Id:
        return s.model->has(Feature::IDST) ? El0Verdict::Trapped : El0Verdict::Undefined;
    case El0Access::Read: return is_write ? El0Verdict::Undefined : El0Verdict::Allowed;
    case El0Access::ReadWrite: return El0Verdict::Allowed;
    case El0Access::Daif: return trapped_unless(bit(sctlr, 9));
    case El0Access::CacheType: return trapped_unless(bit(sctlr, 15));
    case El0Access::ContextNumber: return trapped_unless(!bit(sctlr, 20));
    case El0Access::CounterFrequency:
        return is_write ? El0Verdict::Undefined : trapped_unless((timers & 3) != 0);
    case El0Access::PhysicalCounter: return trapped_unless(bit(timers, 0));
    case El0Access::VirtualCounter: return trapped_unless(bit(timers, 1));
    case El0Access::PhysicalTimer: return trapped_unless(bit(timers, 9));
    case El0Access::VirtualTimer: return trapped_unless(bit(timers, 8));
    case El0Access::Pmu:
    case El0Access::PmuRead: return trapped_unless(bit(pmu, 0));
    case El0Access::PmuSoftware: return trapped_unless((pmu & 3) != 0);
    case El0Access::PmuEvent:
        return trapped_unless(bit(pmu, 0) ||
                              (bit(pmu, 3) && (!is_write || r.id == reg::PMSELR_EL0)));
    case El0Access::PmuCycle: return trapped_unless(bit(pmu, 0) || (bit(pmu, 2) && !is_write));
    case El0Access::DebugChannel: return trapped_unless(!bit(s.sysreg[reg::MDSCR_EL1], 12));
    }
    return El0Verdict::Undefined;
}

u64 read_sysreg(ArmState &s, const SysReg &r) {
    return r.read == SysRegAction::Slot ? slot(s, r.id) : read_computed(s, r.id);
}

void write_sysreg(ArmState &s, const SysReg &r, u64 value) {
    if (r.write == SysRegAction::Slot) slot(s, r.id) = value;
    if (r.write != SysRegAction::Helper) return;
    const u64 pc = s.pc;
    write_computed(s, r.id, value);
    // There is no block to leave, and no instruction to go on after.
    s.pc = pc;
    s.pending_exit = ir::PendingExit::None;
}

namespace a64 {

u64 read_sysreg(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    const u16 encoding = static_cast<u16>(imm);
    // The clock of the vDSO, and thus the most frequent of all.
    constexpr u16 kVirtualCount = sysreg_encoding(3, 3, 14, 0, 2);
    if (encoding == kVirtualCount && (s.el != 0 || bit(s.sysreg[reg::CNTKCTL_EL1], 1))) {
        return s.environment->timer->counter();
    }
    const SysReg *r = find_sysreg(encoding);
    if (!check_access(s, r, encoding, static_cast<unsigned>(bits(imm, 20, 16)), false)) return 0;
    if (r->id == reg::RNDR || r->id == reg::RNDRRS) {
        return random_number(context, r->id == reg::RNDRRS, 0, 0, 0, 0);
    }
    return arm::read_sysreg(s, *r);
}

u64 write_sysreg(ir::ExecContext &context, u64 value, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    const u16 encoding = static_cast<u16>(imm);
    const SysReg *r = find_sysreg(encoding);
    if (!check_access(s, r, encoding, static_cast<unsigned>(bits(imm, 20, 16)), true)) return 0;
    switch (r->write) {
    case SysRegAction::Slot: slot(s, r->id) = value; break;
    case SysRegAction::Helper: write_computed(s, r->id, value); break;
    default: break;
    }
    return 0;
}

u64 write_pstate(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    const u32 crm = static_cast<u32>(imm & 15);
    const u32 value = crm & 1;
    const FeatureSet features = s.model->features();
    const auto defined = [&](Feature feature, bool from_el0) {
        return features.has(feature) && (from_el0 || s.el != 0);
    };
    switch (bits(imm, 13, 8)) { // op1:op2
    case 0b000'011:
        if (!defined(Feature::UAO, false)) break;
        s.uao = value;
        pstate_changed(s);
        return 0;
    case 0b000'100:
        if (!defined(Feature::PAN, false)) break;
        s.pan = value;
        pstate_changed(s);
        return 0;
    case 0b000'101:
        if (!defined(Feature::Base, false)) break;
        switch_stack(s, s.el, value);
        pstate_changed(s);
        return 0;
    case 0b011'001:
        if (!defined(Feature::SSBS, true)) break;
        s.ssbs = value;
        return 0;
    case 0b011'010:
        if (!defined(Feature::DIT, true)) break;
        s.dit = value;
        return 0;
    case 0b011'110:
    case 0b011'111: {
        const bool sets = bits(imm, 10, 8) == 0b110;
        if (s.el == 0 && !bit(s.sysreg[reg::SCTLR_EL1], 9)) { // UMA
            const u16 encoding = sysreg_encoding(0, 3, 4, crm, sets ? 6 : 7);
            take_exception(s, ExceptionClass::SystemTrap, system_trap_iss(encoding, 31, false),
                           s.pc);
            return 0;
        }
        s.daif = sets ? s.daif | crm : s.daif & ~crm;
        pstate_changed(s);
        return 0;
    }
    default: break;
    }
    take_undefined(s);
    return 0;
}

u64 random_number(ir::ExecContext &context, u64 reseeded, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    u64 value = 0;
    const bool available = s.environment->entropy->random(value, reseeded != 0);
    s.flags = available ? 0 : ir::kFlagZ;
    return available ? value : 0;
}

} // namespace a64
} // namespace tandem::arm
