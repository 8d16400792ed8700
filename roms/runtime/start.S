// Entry of all CPUs, and the exception vectors.
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
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
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
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldp x0, x1, [sp]
    add sp, sp, #272
    eret

// uint64_t run_at_el0(void (*code)(void), void *stack): runs until an exception ends it, by
// leave_el0() from the handler; returns what that was given.
    .globl run_at_el0
run_at_el0:
    sub sp, sp, #112
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
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
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    add sp, sp, #112
    ret

    .bss
    .balign 8
el1_stack: .skip 8
