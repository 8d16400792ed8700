#pragma once
/// Taking exceptions to EL1 and returning from them (Arm ARM D1.3, AArch64.TakeException).
#include "frontend-arm/state/pstate.h"

namespace tandem::arm {

/// ESR_EL1.EC.
enum class ExceptionClass : u8 {
    Unknown = 0x00,
    WaitTrap = 0x01,
    FpTrap = 0x07,
    BranchTarget = 0x0d,
    IllegalState = 0x0e,
    Svc = 0x15,
    SystemTrap = 0x18,
    PauthFailure = 0x1c,
    InstructionAbortLower = 0x20,
    InstructionAbort = 0x21,
    PcAlignment = 0x22,
    DataAbortLower = 0x24,
    DataAbort = 0x25,
    SpAlignment = 0x26,
    Mops = 0x27,
    SError = 0x2f,
    BreakpointLower = 0x30,
    Breakpoint = 0x31,
    SoftwareStepLower = 0x32,
    SoftwareStep = 0x33,
    WatchpointLower = 0x34,
    Watchpoint = 0x35,
    Brk = 0x3c,
};

/// For the classes that exist in two forms: the one for an exception from the current EL.
[[nodiscard]] inline ExceptionClass from_current_el(const ArmState &s, ExceptionClass lower) {
    return static_cast<ExceptionClass>(static_cast<u32>(lower) + s.el);
}

/// Where the exception leaves the instruction, for PSTATE.SS in the saved state.
enum class ReturnTo : u8 {
    Same, ///< the preferred return address is the instruction itself: it has not been stepped
    Next,
};

inline constexpr u32 kIl32Bit = 1u << 25; ///< ESR_EL1.IL

/// Takes a synchronous exception to EL1: saves PSTATE and the preferred return address, sets
/// ESR_EL1 (EC, IL = 1, iss), switches to EL1h, and continues at the vector (pending_exit =
/// Resume).
void take_exception(ArmState &, ExceptionClass, u32 iss, u64 return_address,
                    ReturnTo = ReturnTo::Same);
/// Likewise, with FAR_EL1.
void take_exception_with_address(ArmState &, ExceptionClass, u32 iss, u64 far, u64 return_address);

/// UNDEFINED at the current instruction.
void take_undefined(ArmState &);

/// Whether an interrupt is pending and not masked: the dispatcher then calls take_interrupt().
[[nodiscard]] inline bool interrupt_deliverable(const ArmState &s) {
    const u32 lines = s.interrupt_lines.load(std::memory_order_acquire);
    if (lines == 0) return false;
    const u32 open = ((s.daif & kDaifI) != 0 ? 0 : kLineIrq) |
                     ((s.daif & kDaifF) != 0 ? 0 : kLineFiq) |
                     ((s.daif & kDaifA) != 0 ? 0 : kLineSError);
    return (lines & open) != 0;
}

/// Takes the pending interrupt of highest priority (SError, FIQ, IRQ); ArmState::pc is the address
/// of the next instruction. Between instructions only. False: none was deliverable.
bool take_interrupt(ArmState &);

/// Whether a CPU that left with PendingExit::Halt should run again: an interrupt is pending (masked
/// or not), or it waits for an event and the event register is set. Any thread.
[[nodiscard]] bool should_wake(const ArmState &);
/// Ends the sleep: consumes the event register after a WFE. On the CPU's thread.
void finish_wait(ArmState &);

/// Continue after the current instruction, through the dispatcher.
inline void resume_at_next(ArmState &s) {
    s.pc += 4;
    s.pending_exit = ir::PendingExit::Resume;
}

} // namespace tandem::arm
