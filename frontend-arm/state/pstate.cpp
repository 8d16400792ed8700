#include "frontend-arm/state/pstate.h"

#include "frontend-arm/debug/debug.h"
#include "frontend-arm/pauth/pauth.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"

namespace tandem::arm {

namespace {

// SCTLR_EL1.
constexpr u64 kSctlrA = 1u << 1, kSctlrSa = 1u << 3, kSctlrSa0 = 1u << 4, kSctlrDze = 1u << 14,
              kSctlrUct = 1u << 15, kSctlrNtwi = 1u << 16, kSctlrNtwe = 1u << 18,
              kSctlrUci = 1u << 26, kSctlrNaa = 1u << 6;

// FPCR bits outside the executors' FpMode have no storage in `mode`.
constexpr u8 fp_mode(u32 fpcr) {
    return static_cast<u8>(bits32(fpcr, 23, 22) | (bits32(fpcr, 24, 24) << 2) |
                           (bits32(fpcr, 25, 25) << 3) | (bits32(fpcr, 19, 19) << 4) |
                           (bits32(fpcr, 26, 26) << 5));
}

/// The exception flags MXCSR has collected, in FPSR's layout.
u32 fpsr_from_mxcsr(u32 mxcsr) {
    u32 flags = 0;
    if ((mxcsr & 0x01) != 0) flags |= ir::kFpInvalid;
    if ((mxcsr & 0x04) != 0) flags |= ir::kFpDivZero;
    if ((mxcsr & 0x08) != 0) flags |= ir::kFpOverflow;
    if ((mxcsr & 0x10) != 0) flags |= ir::kFpUnderflow;
    if ((mxcsr & 0x20) != 0) flags |= ir::kFpInexact;
    return flags;
}

} // namespace

void update_mode(ArmState &s) {
    u32 mode = s.mode_controls[s.el] | s.pan << 1 | s.uao << 2 | s.illegal << 12;
    if (s.el != 0) mode |= (s.sp_select ^ 1) << 3;
    if (s.debug_enabled) mode |= Mode::kDebugEnabled | debug_mode_bits(s);
    s.mode = mode;
    s.exec_tag = (s.exec_tag & ~u64{0xffffffff}) | mode;
}

void update_controls(ArmState &s) {
    const u64 sctlr = s.sysreg[reg::SCTLR_EL1];
    const u64 fpen = bits(s.sysreg[reg::CPACR_EL1], 21, 20);
    u32 common = static_cast<u32>(fp_mode(s.fpcr)) << Mode::kFpModeShift;
    if ((sctlr & kSctlrA) != 0) common |= Mode::kAlignmentCheck;
    if ((sctlr & kSctlrNaa) != 0) common |= Mode::kUnalignedOrdered;
    if (s.guarded_page_seen) common |= Mode::kBtypeTracked;

    u32 el0 = common;
    if (fpen != 3) el0 |= Mode::kFpTrapped;
    if ((sctlr & kSctlrSa0) != 0) el0 |= Mode::kSpAlignment;
    constexpr u64 kCacheOps = kSctlrUci | kSctlrDze | kSctlrUct;
    if ((sctlr & kCacheOps) == kCacheOps) el0 |= Mode::kUserCacheOps;
    constexpr u64 kWaits = kSctlrNtwi | kSctlrNtwe;
    if ((sctlr & kWaits) == kWaits) el0 |= Mode::kUserWaits;

    u32 el1 = common | Mode::kEl1;
    if (!bit(fpen, 0)) el1 |= Mode::kFpTrapped;
    if ((sctlr & kSctlrSa) != 0) el1 |= Mode::kSpAlignment;

    s.mode_controls = {el0, el1};
    update_debug_controls(s);
    update_pac_controls(s);
    update_mode(s);
}

u64 spsr_from_pstate(const ArmState &s) {
    return u64{ir::nzcv_from_flags(s.flags)} << 28 | u64{s.dit} << 24 | u64{s.uao} << 23 |
           u64{s.pan} << 22 | u64{s.software_step} << 21 | u64{s.illegal} << 20 |
           u64{s.ssbs} << 12 | u64{s.btype} << kSpsrBtypeShift | u64{s.daif} << kSpsrDaifShift |
           u64{s.el} << kSpsrElShift | s.sp_select;
}

void set_pstate(ArmState &s, u64 pstate) {
    s.flags = ir::flags_from_nzcv(static_cast<u32>(bits(pstate, 31, 28)));
    s.el = static_cast<u32>(bits(pstate, kSpsrElShift, kSpsrElShift));
    s.sp_select = bit(pstate, 0) ? 1 : 0;
    s.daif = static_cast<u32>(bits(pstate, kSpsrDaifShift + 3, kSpsrDaifShift));
    s.btype = static_cast<u32>(bits(pstate, kSpsrBtypeShift + 1, kSpsrBtypeShift));
    s.ssbs = (pstate & kSpsrSsbs) != 0 ? 1 : 0;
    s.illegal = (pstate & kSpsrIl) != 0 ? 1 : 0;
    s.software_step = (pstate & kSpsrSs) != 0 ? 1 : 0;
    s.pan = (pstate & kSpsrPan) != 0 ? 1 : 0;
    s.uao = (pstate & kSpsrUao) != 0 ? 1 : 0;
    s.dit = (pstate & kSpsrDit) != 0 ? 1 : 0;
}

void set_fpcr(ArmState &s, u32 value) {
    s.fpcr = value;
    // MXCSR.RC: FPCR.RMode's encoding with its bits exchanged. Flushing is never left to the host.
    const u32 rounding = bits32(value, 22, 22) << 14 | bits32(value, 23, 23) << 13;
    s.mxcsr = (s.mxcsr & ~0x6000u) | rounding;
    update_controls(s);
}

u32 read_fpsr(const ArmState &s) {
    return s.fpsr | fpsr_from_mxcsr(s.mxcsr);
}

void write_fpsr(ArmState &s, u32 value) {
    s.fpsr = value;
    s.mxcsr &= ~0x3fu;
}

void reset(ArmState &s, u64 mpidr) {
    s.gpr.fill(0);
    s.v.fill({});
    s.pc = s.flags = s.fpsr = s.fpcr = 0;
    s.mxcsr = 0x1f80;
    s.el = s.sp_select = 1;
    s.daif = 0xf;
    s.pan = s.uao = s.dit = s.ssbs = s.tco = 0;
    s.btype = s.software_step = s.illegal = 0;
    s.banked_sp.fill(0);
    s.pmu_base.fill(0);
    s.waits_for_event = s.guarded_page_seen = s.pmu_filtered = false;
    s.pmu_running = s.fetch_stale = s.tlb_maintenance_pending = 0;
    s.event_register = 0;
    for (unsigned id = 0; id < kSysRegCount; ++id) {
        s.sysreg[id] = s.model->reset_value(static_cast<SysRegId>(id));
    }
    s.sysreg[reg::MPIDR_EL1] = mpidr | u64{1} << 31;
    if (s.environment != nullptr) s.sysreg[reg::CNTFRQ_EL0] = s.environment->timer->frequency();
    s.pending_exit = ir::PendingExit::None;
    update_controls(s);
}

u64 mpidr_of(unsigned index, bool gic_v3) {
    const unsigned per_cluster = gic_v3 ? 16 : 8;
    return u64{index / per_cluster} << 8 | index % per_cluster;
}

} // namespace tandem::arm
