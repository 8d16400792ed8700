// Hints, barriers, PSTATE, system registers and system instructions.
#include "frontend-arm/a64/translate/translator.h"
#include "frontend-arm/sysreg/sysreg.h"

namespace tandem::arm::a64 {

using ir::FenceKind;
using ir::I32;
using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)
#define ROW_WITHOUT_FIELDS(name) bool Translator::name(Fields<Row::name>)

namespace {

constexpr u64 kDaifOffset = __builtin_offsetof(ArmState, daif);
constexpr u64 kDitOffset = __builtin_offsetof(ArmState, dit);
constexpr u64 kSsbsOffset = __builtin_offsetof(ArmState, ssbs);
constexpr u64 kFpcrOffset = __builtin_offsetof(ArmState, fpcr);
constexpr u64 kInterruptLinesOffset = __builtin_offsetof(ir::ExecContext, interrupt_lines);
constexpr u64 kTlbMaintenanceOffset = __builtin_offsetof(ArmState, tlb_maintenance_pending);
constexpr u64 kFetchStaleOffset = __builtin_offsetof(ArmState, fetch_stale);
constexpr u64 kSpEl0Offset = __builtin_offsetof(ArmState, banked_sp);

constexpr u32 kDaifD = 8; ///< of ArmState::daif

/// What the helpers of sysreg/ want to know of the instruction: its encoding, and Rt for a trap's
/// ISS.
constexpr u64 helper_imm(u32 encoding, unsigned t) {
    return encoding | u64{t} << 16;
}

} // namespace

// --- hints

// clang-format off
ROW_WITHOUT_FIELDS(HINT) { return true; }
ROW_WITHOUT_FIELDS(BTI) { return true; }
// clang-format on

ROW_WITHOUT_FIELDS(YIELD) {
    call(HelperId::yield);
    return true;
}

ROW_WITHOUT_FIELDS(WFE) {
    about_to_complete();
    call(HelperId::wait_for_event);
    return true;
}

ROW_WITHOUT_FIELDS(WFI) {
    about_to_complete();
    call(HelperId::wait_for_interrupt);
    return true;
}

ROW_WITHOUT_FIELDS(SEV) {
    call(HelperId::send_event, 0);
    return true;
}

ROW_WITHOUT_FIELDS(SEVL) {
    call(HelperId::send_event, 1);
    return true;
}

// --- barriers

ROW_WITHOUT_FIELDS(CLREX) {
    b.ClearExclusive();
    return true;
}

ROW(DMB) {
    const u32 types = f.m() & 3; // 1 loads, 2 stores, else all
    b.Fence(static_cast<u64>(types == 1   ? FenceKind::LoadLoadStore
                             : types == 2 ? FenceKind::StoreStore
                                          : FenceKind::Full));
    return true;
}

ROW_WITHOUT_FIELDS(DSB) {
    about_to_complete();
    b.Fence(static_cast<u64>(FenceKind::Full));
    raise_if(b.IsNonZero32(b.GetState32(kTlbMaintenanceOffset)), HelperId::data_barrier);
    return true;
}

ROW_WITHOUT_FIELDS(ISB) {
    about_to_complete();
    raise_if(b.IsNonZero32(b.GetState32(kFetchStaleOffset)), HelperId::instruction_barrier);
    // What the helpers of pointer authentication read may change at EL1, with an ISB in between.
    if (mode.el() == 0) return true;
    b.Fence(static_cast<u64>(FenceKind::State));
    return end_block();
}

// Nothing is speculated that the guest could observe.
ROW_WITHOUT_FIELDS(SB) {
    return true;
}

// --- PSTATE

/// Unmasking may let a pending interrupt in: before the next instruction (Arm ARM D1.3.4).
void Translator::dispatch_interrupts() {
    about_to_complete();
    if (mode.has(Mode::kSingleStep)) return; // the step ends the block anyway
    b.DispatchIf(b.IsNonZero32(b.GetState32(kInterruptLinesOffset)),
                 static_cast<u64>(next_instruction()));
}

ROW(MSR_imm) {
    const u32 field = f.o() << 3 | f.p();
    const u64 operands = u64{field} << 8 | f.m();
    const auto by_helper = [&] {
        about_to_complete();
        call(HelperId::write_pstate, operands);
        return true;
    };
    switch (field) {
    case 0b000'011: return has(Feature::UAO) && mode.el() != 0 && by_helper();
    case 0b000'100: return has(Feature::PAN) && mode.el() != 0 && by_helper();
    case 0b000'101: return mode.el() != 0 && by_helper(); // SPSel
    case 0b011'001:
        if (!has(Feature::SSBS)) return false;
        b.SetState32(b.Const32(f.m() & 1), kSsbsOffset);
        return true;
    case 0b011'010:
        if (!has(Feature::DIT)) return false;
        b.SetState32(b.Const32(f.m() & 1), kDitOffset);
        return true;
    case 0b011'110: // DAIFSet
    case 0b011'111: // DAIFClr
        // At EL0 SCTLR_EL1.UMA decides; PSTATE.D is part of the mode when debug is in use.
        if (mode.el() == 0 || ((f.m() & kDaifD) != 0 && mode.has(Mode::kDebugEnabled)))
            return by_helper();
        if (field == 0b011'110) {
            b.SetState32(b.Or32(b.GetState32(kDaifOffset), b.Const32(f.m())), kDaifOffset);
        } else {
            b.SetState32(b.And32(b.GetState32(kDaifOffset), b.Const32(~f.m() & 15)), kDaifOffset);
            dispatch_interrupts();
        }
        return true;
    default: return false;
    }
}

ROW_WITHOUT_FIELDS(CFINV) {
    set_flags(b.FlagsFromNzcv(b.Xor32(b.NzcvFromFlags(flags()), b.Const32(1u << 29))));
    return true;
}

// Arm ARM C6.2, XAFLAG: N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z.
ROW_WITHOUT_FIELDS(XAFLAG) {
    const ir::Flags old = flags();
    const I64 z = b.ZeroExtend1(b.CondHolds(old, static_cast<u64>(Cond::EQ)));
    const I64 c = b.ZeroExtend1(b.CondHolds(old, static_cast<u64>(Cond::CS)));
    const I64 n = b.Xor64(b.Or64(c, z), b.Const64(1));
    const I64 nz = b.Or64(b.Shl64(n, b.Const64(31)), b.Shl64(b.And64(z, c), b.Const64(30)));
    const I64 cv =
        b.Or64(b.Shl64(b.Or64(c, z), b.Const64(29)), b.Shl64(b.AndNot64(z, c), b.Const64(28)));
    set_flags(b.FlagsFromNzcv(b.Low32(b.Or64(nz, cv))));
    return true;
}

// AXFLAG: N = 0, Z = Z | V, C = C & !V, V = 0.
ROW_WITHOUT_FIELDS(AXFLAG) {
    const ir::Flags old = flags();
    const I64 z = b.ZeroExtend1(b.CondHolds(old, static_cast<u64>(Cond::EQ)));
    const I64 c = b.ZeroExtend1(b.CondHolds(old, static_cast<u64>(Cond::CS)));
    const I64 v = b.ZeroExtend1(b.CondHolds(old, static_cast<u64>(Cond::VS)));
    const I64 nzcv =
        b.Or64(b.Shl64(b.Or64(z, v), b.Const64(30)), b.Shl64(b.AndNot64(c, v), b.Const64(29)));
    set_flags(b.FlagsFromNzcv(b.Low32(nzcv)));
    return true;
}

// --- system registers

namespace {

/// The register an access names, if the CPU has it and the exception level may ever use it.
const SysReg *accessible_register(u16 encoding, const Emitter &e, bool is_write) {
    const SysReg *const r = find_sysreg(encoding);
    if (r == nullptr || !e.has(r->feature)) return nullptr;
    if (e.mode.el() == 0 && r->el0 == El0Access::None) return nullptr;
    if ((is_write ? r->write : r->read) == SysRegAction::None) return nullptr;
    return r;
}

/// FPCR and FPSR are trapped like FP instructions.
bool is_fp_register(const SysReg &r) {
    return r.id == reg::FPCR || r.id == reg::FPSR;
}

} // namespace

ROW(MRS) {
    const u16 encoding = static_cast<u16>(1u << 15 | f.e());
    const SysReg *const r = accessible_register(encoding, *this, false);
    if (r == nullptr) {
        // FEAT_IDST: UNDEFINED is reported as a trapped access here, which the helper does.
        if (!in_feature_id_space(encoding) || !has(Feature::IDST)) return false;
        call(HelperId::read_sysreg, helper_imm(encoding, f.t()));
        return true;
    }
    if (is_fp_register(*r) && mode.has(Mode::kFpTrapped)) return raise(HelperId::raise_fp_trap);
    const bool is_direct = mode.el() != 0 || el0_always_allowed(*r, false);
    const auto by_helper = [&] {
        about_to_complete();
        set_x(f.t(), call(HelperId::read_sysreg, helper_imm(encoding, f.t())));
        return true;
    };
    if (!is_direct) return by_helper();
    const auto from_state = [&](u64 offset, unsigned shift) {
        set_x(f.t(), shl(b.ZeroExtend32(b.GetState32(offset)), shift));
        return true;
    };
    const auto from_mode = [&](u64 value) {
        set_x(f.t(), b.Const64(value));
        return true;
    };
    switch (r->id) {
    case reg::NZCV: set_x(f.t(), b.ZeroExtend32(b.NzcvFromFlags(flags()))); return true;
    case reg::DAIF: return from_state(kDaifOffset, 6);
    case reg::DIT: return from_state(kDitOffset, 24);
    case reg::SSBS: return from_state(kSsbsOffset, 12);
    case reg::FPCR: return from_state(kFpcrOffset, 0);
    case reg::CurrentEL: return from_mode(u64{mode.el()} << 2);
    case reg::SPSel: return from_mode(mode.has(Mode::kSpEl0) ? 0 : 1);
    case reg::PAN: return from_mode(mode.has(Mode::kPan) ? 1u << 22 : 0);
    case reg::UAO: return from_mode(mode.has(Mode::kUao) ? 1u << 23 : 0);
    case reg::SP_EL0:
        if (mode.has(Mode::kSpEl0)) return false;
        set_x(f.t(), b.GetState64(kSpEl0Offset));
        return true;
    case reg::RNDR:
    case reg::RNDRRS:
        set_x(f.t(), call(HelperId::random_number, b.Const64(r->id == reg::RNDRRS ? 1 : 0)));
        return true;
    default: break;
    }
    if (r->read != SysRegAction::Slot) return by_helper();
    set_x(f.t(), b.GetState64(sysreg_offset(r->id)));
    return true;
}

ROW(MSR_reg) {
    const u16 encoding = static_cast<u16>(1u << 15 | f.e());
    const SysReg *const r = accessible_register(encoding, *this, true);
    if (r == nullptr) return false;
    if (is_fp_register(*r) && mode.has(Mode::kFpTrapped)) return raise(HelperId::raise_fp_trap);
    const bool is_direct = mode.el() != 0 || el0_always_allowed(*r, true);
    const I64 value = x(f.t());
    const auto by_helper = [&] {
        about_to_complete();
        call(HelperId::write_sysreg, value, helper_imm(encoding, f.t()));
        return true;
    };
    if (!is_direct) return by_helper();
    const auto to_state = [&](u64 offset, unsigned shift, u32 mask) {
        b.SetState32(b.And32(b.Low32(lsr(value, shift)), b.Const32(mask)), offset);
        return true;
    };
    switch (r->id) {
    case reg::NZCV: set_flags(b.FlagsFromNzcv(b.Low32(value))); return true;
    case reg::DIT: return to_state(kDitOffset, 24, 1);
    case reg::SSBS: return to_state(kSsbsOffset, 12, 1);
    case reg::DAIF:
        if (mode.has(Mode::kDebugEnabled)) return by_helper();
        to_state(kDaifOffset, 6, 15);
        dispatch_interrupts();
        return true;
    case reg::SP_EL0:
        if (mode.has(Mode::kSpEl0)) return false;
        b.SetState64(value, kSpEl0Offset);
        return true;
    default: break;
    }
    if (r->write == SysRegAction::Ignore) return true;
    if (r->write != SysRegAction::Slot) return by_helper();
    b.SetState64(value, sysreg_offset(r->id));
    return true;
}

// --- system instructions

/// DC ZVA, 64 bytes (DCZID_EL0.BS = 4 in every CPU model).
bool Translator::zero_cache_line(unsigned t) {
    const u64 imm = MemoryOp{.regime = mode.regime()}.pack();
    const I64 address = x(t);
    // A fault reports the address as given, not the line's: store there first.
    b.Store8(address, b.Const64(0), imm);
    const I64 line = b.And64(address, b.Const64(~u64{63}));
    const ir::V128 zero = b.VZero();
    b.StorePairV128(line, zero, zero, imm);
    b.StorePairV128(b.Add64(line, b.Const64(32)), zero, zero, imm);
    return true;
}

ROW(SYS) {
    const u32 operation = f.o() << 11 | f.n() << 7 | f.m() << 3 | f.p();
    if (mode.el() == 0 && f.o() != 3) return false;
    // EL0 may zero memory when SCTLR_EL1 allows it; else the helper traps.
    const bool is_zva = operation == (3u << 11 | 7u << 7 | 4u << 3 | 1u);
    if (is_zva && (mode.el() != 0 || mode.has(Mode::kUserCacheOps))) return zero_cache_line(f.t());
    about_to_complete();
    call(HelperId::system_instruction, x(f.t()), helper_imm(1u << 14 | operation, f.t()));
    return true;
}

// No instruction of the implemented features returns a result.
ROW_WITHOUT_FIELDS(SYSL) {
    return false;
}

} // namespace tandem::arm::a64
