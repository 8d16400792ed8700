// Entry of all CPUs, and the exception vectors.
#include "runtime/save_registers.inc"

    .section .text.start, "ax"
    .globl _start
_start:
    mov x0, #0
    // x0: CPU index. Its stack, the vectors, and FP access.
    .globl cpu_entry
cpu_entry:
    ldr x1, =stacks
    add x2, x0, #1
    add x1, x1, x2, lsl #16
    mov sp, x1
    ldr x1, =vectors
    msr vbar_el1, x1
    mov x1, #(3 << 20)
    msr cpacr_el1, x1
    isb
    cbnz x0, 1f
    bl rom_main
    bl power_off
1:  bl secondary_main
2:  wfi
    b 2b

// Saves what a handler may change; handler(vector, frame) may edit the frame.
    .macro vector number
    .balign 128
    sub sp, sp, #272
    stp x0, x1, [sp]
    mov x0, #\number
    b common
    .endm

    .balign 2048
vectors:
    .set number, 0
    .rept 16
    vector number
    .set number, number + 1
    .endr

common:
    stp x2, x3, [sp, #16]
    store_x4_to_x29 sp
    mrs x1, elr_el1
    stp x30, x1, [sp, #240]
    mrs x1, spsr_el1
    str x1, [sp, #256]
    mov x1, sp
    bl handle_exception
    ldr x1, [sp, #256]
    msr spsr_el1, x1
    ldp x30, x1, [sp, #240]
    msr elr_el1, x1
    ldp x2, x3, [sp, #16]
    load_x4_to_x29 sp
    ldp x0, x1, [sp]
    add sp, sp, #272
    eret

// uint64_t run_at_el0(void (*code)(void), void *stack): runs until an exception ends it, by
// leave_el0() from the handler; returns what that was given.
    .globl run_at_el0
run_at_el0:
    push_callee_saved
    ldr x2, =el1_stack
    mov x3, sp
    str x3, [x2]
    msr sp_el0, x1
    msr elr_el1, x0
    mov x2, #0x3c0
    msr spsr_el1, x2
    eret

    .globl leave_el0
leave_el0:
    ldr x2, =el1_stack
    ldr x2, [x2]
    mov sp, x2
    pop_callee_saved
    ret

    .bss
    .balign 8
el1_stack: .skip 8
