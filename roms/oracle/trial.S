// void run_trial(struct trial *): enters the trial's code; its first exception ends it, in
// end_trial(). See system_instructions.c.
#include "runtime/save_registers.inc"

    .text
    .globl run_trial
run_trial:
    push_callee_saved
    adrp x1, trial_stack
    mov x2, sp
    str x2, [x1, :lo12:trial_stack]
    ldp x2, x3, [x0, #64] // pc, spsr
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x0, x1, [x0]
    eret

// void end_trial(void), from the exception handler: run_trial() returns.
    .globl end_trial
end_trial:
    msr spsel, #1
    adrp x1, trial_stack
    ldr x2, [x1, :lo12:trial_stack]
    mov sp, x2
    pop_callee_saved
    ret

    .bss
    .balign 8
trial_stack: .skip 8
