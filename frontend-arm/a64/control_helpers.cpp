// The helpers of a64/ in helpers.inc, but for memory copy and set.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"

namespace tandem::arm::a64 {

u64 branch_target_mismatch(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = static_cast<ArmState &>(context);
    // Arm ARM, BTypeCompatible_PACIXSP: SCTLR_EL1.BT0 (EL0) or BT1 (EL1) set means that PACIASP and
    // PACIBSP do not accept BTYPE 3.
    const bool is_pac = (imm & 1) != 0;
    if (is_pac && !bit(s.sysreg[reg::SCTLR_EL1], s.el == 0 ? 35 : 36)) {
        // It is accepted: run the instruction again, as if reached directly.
        s.btype = 0;
        s.pending_exit = ir::PendingExit::Resume;
        return 0;
    }
    take_exception(s, ExceptionClass::BranchTarget, s.btype, s.pc);
    return 0;
}

u64 advance_step(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = static_cast<ArmState &>(context);
    s.software_step = 0;
    update_mode(s);
    return 0;
}

} // namespace tandem::arm::a64
