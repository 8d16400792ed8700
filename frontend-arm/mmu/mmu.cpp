#include "frontend-arm/mmu/mmu.h"

#include "frontend-arm/debug/debug.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/mmu/walk.h"

namespace tandem::arm {

namespace {

ArmState &state_of(ir::ExecContext &context) {
    return static_cast<ArmState &>(context);
}
const ArmState &state_of(const ir::ExecContext &context) {
    return static_cast<const ArmState &>(context);
}

void raise_abort(ArmState &s, u64 va, ir::AccessKind kind, u8 status) {
    if (kind == ir::AccessKind::Execute) {
        raise_instruction_abort(s, va, status);
    } else {
        raise_data_abort(s, va, status, kind == ir::AccessKind::Store, false);
    }
}

} // namespace

bool Mmu::translate(ir::ExecContext &context, u64 va, ir::Regime regime, ir::AccessKind kind,
                    ir::PageMapping &mapping) {
    ArmState &s = state_of(context);
    const WalkResult result = walk(s, bus_, va, {.kind = kind, .regime = regime});
    if (result.faults) {
        raise_abort(s, va, kind, result.status);
        return false;
    }
    mapping = result.mapping;
    if (kind == ir::AccessKind::Execute && mapping.mode_bits != 0 && !s.guarded_page_seen) {
        // From here on branches have to record PSTATE.BTYPE: come back with the new mode.
        s.guarded_page_seen = true;
        update_controls(s);
        s.pending_exit = ir::PendingExit::Resume;
        return false;
    }
    return true;
}

void Mmu::raise_alignment_fault(ir::ExecContext &context, u64 va, bool is_store) {
    raise_data_abort(state_of(context), va, static_cast<u8>(FaultStatus::Alignment), is_store,
                     false);
}

u64 Mmu::branch_address(const ir::ExecContext &context, u64 target) const {
    return arm::branch_address(state_of(context), target);
}

void Mmu::raise_external_abort(ir::ExecContext &context, u64 va, ir::AccessKind kind) {
    raise_abort(state_of(context), va, kind, static_cast<u8>(FaultStatus::ExternalAbort));
}

bool Mmu::may_watch(const ir::ExecContext &context, u64 va_page) const {
    return page_is_watched(state_of(context), va_page);
}

bool Mmu::check_watchpoint(ir::ExecContext &context, u64 va, u32 bytes, ir::Regime regime,
                           bool is_store) {
    ArmState &s = state_of(context);
    u64 address = 0;
    if (!watchpoint_matches(s, va, bytes, regime, is_store, address)) return true;
    constexpr u32 kDebugStatus = 0x22;
    take_exception_with_address(s, from_current_el(s, ExceptionClass::WatchpointLower),
                                kDebugStatus | static_cast<u32>(is_store) << 6, address, s.pc);
    return false;
}

bool Mmu::probe(const ArmState &s, u64 va, u64 &physical) const {
    // Every valid mapping is readable or executable at EL1.
    for (const ir::AccessKind kind : {ir::AccessKind::Load, ir::AccessKind::Execute}) {
        const WalkResult result = walk(s, bus_, va, {.kind = kind, .updates_descriptors = false});
        if (result.faults) continue;
        physical = result.physical;
        return true;
    }
    return false;
}

} // namespace tandem::arm
