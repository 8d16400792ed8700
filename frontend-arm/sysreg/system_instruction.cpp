// SYS: address translation, cache and TLB maintenance.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/mmu/walk.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "frontend-arm/sysreg/el0_access.h"
#include "ir/memory_access.h"
#include "ir/tlb_control.h"

namespace tandem::arm {

namespace {

ArmState &state_of(ir::ExecContext &context) {
    return static_cast<ArmState &>(context);
}

constexpr u64 kZvaBytes = 64; ///< DCZID_EL0.BS

/// Cache maintenance by address: there is no cache, but the address must translate.
void maintain_address(ArmState &s, u64 va, ir::AccessKind kind) {
    const ir::Regime regime = s.el == 0 ? ir::Regime::User : ir::Regime::Kernel;
    const WalkResult result = walk(s, *s.environment->bus, va, {.kind = kind, .regime = regime});
    if (result.faults) raise_data_abort(s, va, result.status, true, true);
}

/// DC ZVA. Aborts are those of ordinary stores: CM = 0, WnR = 1.
void zero_block(ArmState &s, u64 va) {
    ir::MemoryOp op;
    op.regime = Mode{s.mode}.regime();
    const u64 base = va & ~(kZvaBytes - 1);
    for (u64 offset = 0; offset < kZvaBytes; offset += 16) {
        s.memory->store128(s, base + offset, {}, op);
        if (s.pending_exit != ir::PendingExit::None) return;
    }
}

/// AT S1Exx: fills PAR_EL1.
void translate_address(ArmState &s, u64 va, ir::Regime regime, ir::AccessKind kind) {
    const WalkResult result = walk(s, *s.environment->bus, va,
                                   {.kind = kind, .regime = regime, .updates_descriptors = false});
    constexpr u64 kRes1 = 1u << 11;
    if (result.faults) {
        const u8 class_bits = result.status & 0x3c;
        if (class_bits == static_cast<u8>(FaultStatus::ExternalAbortOnWalk)) {
            raise_data_abort(s, va, result.status, kind == ir::AccessKind::Store, true);
            return;
        }
        s.sysreg[reg::PAR_EL1] = kRes1 | u64{result.status} << 1 | 1;
        return;
    }
    constexpr u64 kNonSecure = 1u << 9;
    // Device memory and Normal non-cacheable memory are outer shareable, whatever SH says.
    const bool uncached = (result.attributes >> 4) == 0 || result.attributes == 0x44;
    const u64 shareability = uncached ? 2 : result.shareability;
    s.sysreg[reg::PAR_EL1] = u64{result.attributes} << 56 | result.mapping.physical | kRes1 |
                             kNonSecure | shareability << 7;
}

/// Operand of TLBI R*: BaseADDR, NUM, SCALE, TG (Arm ARM, TLBI RVAE1).
bool decode_range(u64 operand, ir::TlbInvalidation &invalidation) {
    const u64 granule_field = bits(operand, 47, 46);
    if (granule_field == 0) return false; // reserved: nothing is invalidated
    const unsigned granule = granule_field == 1 ? 12 : granule_field == 2 ? 14 : 16;
    const u64 count = (bits(operand, 43, 39) + 1) << (5 * bits(operand, 45, 44) + 1);
    invalidation.va = static_cast<u64>(sign_extend(bits(operand, 36, 0), 37)) << granule;
    invalidation.pages = count << (granule - 12);
    return true;
}

/// TLBI, CRn = 8. False: no such instruction.
bool invalidate_tlb(ArmState &s, u32 crm, u32 op2, u64 operand) {
    using Scope = ir::TlbInvalidation::Scope;
    const FeatureSet features = s.model->features();
    bool is_range = false;
    ir::TlbInvalidation invalidation;
    switch (crm) {
    case 7: break;
    case 3: invalidation.broadcast = true; break; // IS
    case 1:                                       // OS
        if (!features.has(Feature::TLBIOS)) return false;
        invalidation.broadcast = true;
        break;
    case 2: // RIS
    case 5: // ROS
        invalidation.broadcast = true;
        [[fallthrough]];
    case 6:
        if (!features.has(Feature::TLBIRANGE)) return false;
        is_range = true;
        break;
    default: return false;
    }
    const u64 asid_mask = bit(s.sysreg[reg::TCR_EL1], 36) ? 0xffff : 0xff;
    invalidation.asid = static_cast<u16>(bits(operand, 63, 48) & asid_mask);
    switch (op2) {
    case 0: // VMALLE1
        if (is_range) return false;
        invalidation.scope = Scope::All;
        break;
    case 2: // ASIDE1
        if (is_range) return false;
        invalidation.scope = Scope::Asid;
        break;
    case 1: // VAE1
    case 5: // VALE1
        invalidation.scope = Scope::Range;
        break;
    case 3: // VAAE1
    case 7: // VAALE1
        invalidation.scope = Scope::RangeGlobal;
        break;
    default: return false;
    }
    invalidation.last_level_only = (op2 & 4) != 0;
    if (is_range) {
        if (!decode_range(operand, invalidation)) return true;
    } else {
        invalidation.va = static_cast<u64>(sign_extend(bits(operand, 43, 0), 44)) << 12;
    }
    s.environment->tlb->invalidate(s, invalidation);
    s.fetch_stale = 1;
    if (invalidation.broadcast) s.tlb_maintenance_pending = 1;
    return true;
}

/// Whether EL0 may execute this cache instruction; otherwise it is trapped.
bool check_user_cache_operation(ArmState &s, u64 imm, unsigned sctlr_bit) {
    if (s.el != 0 || bit(s.sysreg[reg::SCTLR_EL1], sctlr_bit)) return true;
    const u32 iss =
        system_trap_iss(static_cast<u16>(imm), static_cast<unsigned>(bits(imm, 20, 16)), false);
    take_exception(s, ExceptionClass::SystemTrap, iss, s.pc);
    return false;
}

constexpr unsigned kSctlrDze = 14, kSctlrUci = 26;

/// CRn = 7, op1 = 3: the cache instructions that EL0 may use. False: no such instruction.
bool user_cache_operation(ArmState &s, u32 crm, u32 op2, u64 operand, u64 imm) {
    if (op2 != 1) return false;
    const FeatureSet features = s.model->features();
    switch (crm) {
    case 4: // DC ZVA
        if (check_user_cache_operation(s, imm, kSctlrDze)) zero_block(s, operand);
        return true;
    case 12: // DC CVAP
        if (!features.has(Feature::DPB)) return false;
        break;
    case 13: // DC CVADP
        if (!features.has(Feature::DPB2)) return false;
        break;
    case 5:  // IC IVAU
    case 10: // DC CVAC
    case 11: // DC CVAU
    case 14: // DC CIVAC
        break;
    default: return false;
    }
    if (check_user_cache_operation(s, imm, kSctlrUci)) {
        maintain_address(s, operand, ir::AccessKind::Load);
    }
    return true;
}

/// CRn = 7, op1 = 0, from EL1. False: no such instruction.
bool privileged_operation(ArmState &s, u32 crm, u32 op2, u64 operand) {
    using ir::AccessKind;
    using ir::Regime;
    switch (crm << 3 | op2) {
    case 1 << 3 | 0:  // IC IALLUIS
    case 5 << 3 | 0:  // IC IALLU
    case 6 << 3 | 2:  // DC ISW
    case 10 << 3 | 2: // DC CSW
    case 14 << 3 | 2: // DC CISW
        return true;
    case 6 << 3 | 1: // DC IVAC
        maintain_address(s, operand, AccessKind::Store);
        return true;
    case 8 << 3 | 0: translate_address(s, operand, Regime::Kernel, AccessKind::Load); return true;
    case 8 << 3 | 1: translate_address(s, operand, Regime::Kernel, AccessKind::Store); return true;
    case 8 << 3 | 2: translate_address(s, operand, Regime::User, AccessKind::Load); return true;
    case 8 << 3 | 3: translate_address(s, operand, Regime::User, AccessKind::Store); return true;
    case 9 << 3 | 0: // AT S1E1RP
    case 9 << 3 | 1: // AT S1E1WP
        if (!s.model->has(Feature::PAN2)) return false;
        translate_address(s, operand, s.pan != 0 ? Regime::KernelNoUser : Regime::Kernel,
                          op2 == 0 ? AccessKind::Load : AccessKind::Store);
        return true;
    default: return false;
    }
}

} // namespace

namespace a64 {

u64 system_instruction(ir::ExecContext &context, u64 operand, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    const u32 op1 = static_cast<u32>(bits(imm, 13, 11)), crn = static_cast<u32>(bits(imm, 10, 7));
    const u32 crm = static_cast<u32>(bits(imm, 6, 3)), op2 = static_cast<u32>(bits(imm, 2, 0));
    bool exists = false;
    if (op1 == 3 && crn == 7) {
        exists = user_cache_operation(s, crm, op2, operand, imm);
    } else if (op1 == 0 && s.el != 0) {
        if (crn == 7) exists = privileged_operation(s, crm, op2, operand);
        if (crn == 8) exists = invalidate_tlb(s, crm, op2, operand);
    }
    if (!exists) take_undefined(s);
    return 0;
}

u64 data_barrier(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    s.tlb_maintenance_pending = 0;
    s.environment->tlb->complete(s);
    resume_at_next(s);
    return 0;
}

u64 instruction_barrier(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    s.fetch_stale = 0;
    resume_at_next(s);
    return 0;
}

} // namespace a64
} // namespace tandem::arm
