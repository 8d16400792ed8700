// Entry to and exit from the random code of random_instructions.c.
#include "fuzz/random_instructions.h"
#include "runtime/save_registers.inc"

    .text
// Where CPU_ON starts a CPU, whatever its argument.
    .globl random_cpu_entry
random_cpu_entry:
    mrs x0, mpidr_el1
    and x0, x0, #(MAX_CPUS - 1)
    adrp x1, contexts
    add x1, x1, :lo12:contexts
    add x1, x1, x0, lsl #CONTEXT_SHIFT
    ldr x1, [x1, #CONTEXT_STACK]
    mov sp, x1
    ldr x1, =random_vectors
    msr vbar_el1, x1
    isb
    b start_random_cpu

// Vector `number`. No register is known and translation may be in any state: that is mended first.
    .macro vector number
    .balign 128
    msr tpidr_el1, x0
    mov x0, #(SANE_SCTLR & 0xffff)
    movk x0, #(SANE_SCTLR >> 16), lsl #16
    msr sctlr_el1, x0
    isb
    msr tpidr_el0, x1
    msr tpidrro_el0, x2
    mov x2, #\number
    b random_exit
    .endm

    .balign 2048
    .globl random_vectors
random_vectors:
    .set number, 0
    .rept 16
    vector number
    .set number, number + 1
    .endr
// Memory is filled with branches to here: a stray branch, or an exception through a stray VBAR_EL1.
    .globl random_landing
random_landing:
    vector LANDED

random_exit:
    mrs x1, mpidr_el1
    and x1, x1, #(MAX_CPUS - 1)
    adrp x0, contexts
    add x0, x0, :lo12:contexts
    add x0, x0, x1, lsl #CONTEXT_SHIFT
    str x2, [x0, #CONTEXT_VECTOR]
    mrs x1, tpidr_el1
    mrs x2, tpidr_el0
    stp x1, x2, [x0]
    mrs x2, tpidrro_el0
    stp x2, x3, [x0, #16]
    store_x4_to_x29 x0
    mrs x1, elr_el1
    stp x30, x1, [x0, #240]
    mrs x1, spsr_el1
    str x1, [x0, #CONTEXT_SPSR]
    mrs x1, spsel // 0 only after a landing
    cbz x1, 1f
    mrs x1, sp_el0
    str x1, [x0, #CONTEXT_SP_EL0]
1:  msr spsel, #1
    mov x1, sp
    str x1, [x0, #CONTEXT_SP_EL1]
    ldr x1, [x0, #CONTEXT_STACK]
    mov sp, x1
    bl random_exception
    // Falls through with x0, the context, as random_enter gets it.

// void random_enter(struct context *): runs the context's code until an exception.
    .globl random_enter
random_enter:
    ldr x1, [x0, #CONTEXT_SP_EL0]
    msr sp_el0, x1
    ldr x1, [x0, #CONTEXT_SP_EL1]
    mov sp, x1
    ldp x30, x1, [x0, #240]
    msr elr_el1, x1
    ldr x1, [x0, #CONTEXT_SPSR]
    msr spsr_el1, x1
    ldp x2, x3, [x0, #16]
    load_x4_to_x29 x0
    ldr x1, [x0]
    msr tpidr_el1, x1
    ldr x1, [x0, #8]
    ldr x0, [x0, #CONTEXT_SCTLR]
    msr sctlr_el1, x0 // this code is mapped where it is; ERET synchronises
    mrs x0, tpidr_el1
    eret
