// The helpers of helpers.inc that raise exceptions, return from them, or wait for them.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/debug/debug.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/pauth/pauth.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "ir/memory_access.h"

namespace tandem::arm::a64 {

namespace {

ArmState &state_of(ir::ExecContext &context) {
    return static_cast<ArmState &>(context);
}

// ISS of traps that carry a condition: CV = 1, COND = AL (Arm ARM, ESR_EL1, EC 0x01 and 0x07).
constexpr u32 kIssUnconditional = 1u << 24 | 0xeu << 20;
constexpr u32 kDebugStatus = 0x22; ///< IFSC, DFSC: debug exception

u64 call_firmware(ArmState &s, Conduit conduit) {
    if (s.el == 0) {
        take_undefined(s);
        return 0;
    }
    s.pc += 4;
    s.pending_exit = ir::PendingExit::Resume;
    if (!s.environment->firmware->call(s, conduit)) {
        s.pc -= 4;
        take_undefined(s);
    }
    return 0;
}

/// ERET's target state is one that cannot be entered (Arm ARM D1.3.4, illegal return).
bool is_illegal_return(u64 spsr) {
    const u64 mode = bits(spsr, 4, 0);
    return mode != 0b00000 && mode != 0b00100 && mode != 0b00101;
}

/// PSTATE.SS after ERET with this SPSR (Arm ARM, DebugExceptionReturnSS): kept only if step
/// exceptions were disabled here and are enabled there.
u32 step_bit_after_return(const ArmState &s, u64 spsr) {
    if (!bit(s.sysreg[reg::MDSCR_EL1], 0)) return 0;
    const bool illegal = is_illegal_return(spsr);
    const u32 target_el = illegal ? s.el : static_cast<u32>(bits(spsr, 3, 2));
    const u32 target_daif = static_cast<u32>(bits(spsr, 9, 6));
    const bool enabled_here = debug_exceptions_enabled(s, s.el, s.daif);
    const bool enabled_there = debug_exceptions_enabled(s, target_el, target_daif);
    return !enabled_here && enabled_there ? static_cast<u32>(bits(spsr, 21, 21)) : 0;
}

} // namespace

u64 raise_svc(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::Svc, static_cast<u32>(imm & 0xffff), s.pc + 4,
                   ReturnTo::Next);
    return 0;
}

u64 raise_hvc(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    return call_firmware(state_of(context), Conduit::Hvc);
}

u64 raise_smc(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    return call_firmware(state_of(context), Conduit::Smc);
}

u64 raise_brk(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::Brk, static_cast<u32>(imm & 0xffff), s.pc);
    return 0;
}

u64 semihosting_call(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    if (s.environment->semihosting == nullptr) {
        take_undefined(s);
        return 0;
    }
    s.pending_exit = ir::PendingExit::Resume;
    switch (s.environment->semihosting->call(s)) {
    case SemihostingCalls::Completion::Done: s.pc += 4; break;
    case SemihostingCalls::Completion::Again: break;
    case SemihostingCalls::Completion::Waits:
        s.waits_for_event = true;
        s.pending_exit = ir::PendingExit::Halt;
        break;
    }
    return 0;
}

u64 raise_undefined(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    take_undefined(state_of(context));
    return 0;
}

u64 raise_sysreg_trap(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::SystemTrap, static_cast<u32>(imm & 0x1ffffff), s.pc);
    return 0;
}

u64 raise_fp_trap(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::FpTrap, kIssUnconditional, s.pc);
    return 0;
}

u64 raise_sp_alignment(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::SpAlignment, 0, s.pc);
    return 0;
}

u64 raise_pc_alignment(ir::ExecContext &context, u64 address, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    take_exception_with_address(s, ExceptionClass::PcAlignment, 0, address, address);
    return 0;
}

u64 raise_branch_target(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::BranchTarget, static_cast<u32>(imm & 3), s.pc);
    return 0;
}

u64 raise_illegal_state(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::IllegalState, 0, s.pc);
    return 0;
}

u64 raise_software_step(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    // ISV = 1: EX says whether the stepped instruction was a load-exclusive.
    const u32 iss = 1u << 24 | static_cast<u32>(imm & 1) << 6 | kDebugStatus;
    take_exception(s, from_current_el(s, ExceptionClass::SoftwareStepLower), iss, s.pc,
                   ReturnTo::Next);
    return 0;
}

u64 raise_wait_trap(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::WaitTrap, kIssUnconditional | static_cast<u32>(imm & 3),
                   s.pc);
    return 0;
}

u64 raise_pauth_failure(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    take_exception(s, ExceptionClass::PauthFailure, static_cast<u32>(imm & 3), s.pc);
    return 0;
}

u64 check_breakpoints(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    if (breakpoint_matches(s, s.pc)) {
        take_exception(s, from_current_el(s, ExceptionClass::BreakpointLower), kDebugStatus, s.pc);
    }
    return 0;
}

u64 return_from_exception(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    u64 target = s.sysreg[reg::ELR_EL1];
    if (imm != 0) {
        // ERETAA, ERETAB: authenticate with SP as the modifier.
        target = authenticate(s, imm == 1 ? PacKey::InstructionA : PacKey::InstructionB, target,
                              s.gpr[31]);
        if (s.pending_exit != ir::PendingExit::None) return 0;
    }
    const u64 spsr = s.sysreg[reg::SPSR_EL1];
    s.software_step = step_bit_after_return(s, spsr);
    if (is_illegal_return(spsr)) {
        s.illegal = 1;
    } else {
        s.illegal = static_cast<u32>(bits(spsr, 20, 20));
        switch_stack(s, static_cast<u32>(bits(spsr, 3, 2)), static_cast<u32>(spsr & 1));
    }
    s.flags = ir::flags_from_nzcv(static_cast<u32>(spsr >> 28) & 15);
    s.daif = static_cast<u32>(bits(spsr, 9, 6));
    const FeatureSet features = s.model->features();
    if (features.has(Feature::PAN)) s.pan = static_cast<u32>(bits(spsr, 22, 22));
    if (features.has(Feature::UAO)) s.uao = static_cast<u32>(bits(spsr, 23, 23));
    if (features.has(Feature::DIT)) s.dit = static_cast<u32>(bits(spsr, 24, 24));
    if (features.has(Feature::SSBS)) s.ssbs = static_cast<u32>(bits(spsr, 12, 12));
    if (features.has(Feature::BTI)) s.btype = static_cast<u32>(bits(spsr, 11, 10));
    s.pc = branch_address(s, target);
    s.pending_exit = ir::PendingExit::Resume;
    s.memory->clear_exclusive(s);
    s.event_register.store(1, std::memory_order_relaxed); // exception return is an event
    if (s.pmu_filtered) pmu_el_changed(s);
    update_mode(s);
    return 0;
}

u64 wait_for_interrupt(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    const bool would_sleep = s.interrupt_lines.load(std::memory_order_acquire) == 0;
    if (would_sleep && s.el == 0 && !bit(s.sysreg[reg::SCTLR_EL1], 16)) { // nTWI
        return raise_wait_trap(context, 0, 0, 0, 0, 0);
    }
    resume_at_next(s);
    if (would_sleep) {
        s.waits_for_event = false;
        s.pending_exit = ir::PendingExit::Halt;
    }
    return 0;
}

u64 wait_for_event(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    ArmState &s = state_of(context);
    if (s.event_register.exchange(0, std::memory_order_acq_rel) != 0 || interrupt_deliverable(s)) {
        resume_at_next(s);
        return 0;
    }
    if (s.el == 0 && !bit(s.sysreg[reg::SCTLR_EL1], 18)) { // nTWE
        return raise_wait_trap(context, 0, 0, 0, 0, 1);
    }
    resume_at_next(s);
    s.waits_for_event = true;
    s.pending_exit = ir::PendingExit::Halt;
    return 0;
}

u64 send_event(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = state_of(context);
    if (imm == 0) {
        s.environment->events->send_event();
    } else {
        s.event_register.store(1, std::memory_order_release);
    }
    return 0;
}

u64 yield(ir::ExecContext &context, u64, u64, u64, u64, u64) {
    state_of(context).environment->events->yield();
    return 0;
}

} // namespace tandem::arm::a64
