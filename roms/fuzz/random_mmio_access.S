// Accesses to any address, which may fault: the exception handler goes on after the instruction.
// u64 f(u64 address, u64 value), in the table random_accesses.
    .arch_extension fp
    .arch_extension simd
    .arch_extension lse

    .macro access body:vararg
    .pushsection .rodata.accesses, "a"
    .quad 1f
    .popsection
    .balign 16
1:  \body
    mov x0, x1
    ret
    .endm

    .section .rodata.accesses, "a"
    .balign 8
    .globl random_accesses
random_accesses:
    .text
    access ldrb w1, [x0]
    access ldrh w1, [x0]
    access ldr w1, [x0]
    access ldr w1, [x0]
    access ldr w1, [x0]
    access ldr x1, [x0]
    access ldrsb x1, [x0]
    access ldrsw x1, [x0]
    access strb w1, [x0]
    access strh w1, [x0]
    access str w1, [x0]
    access str w1, [x0]
    access str w1, [x0]
    access str w1, [x0]
    access str x1, [x0]
    access ldp w1, w2, [x0]
    access ldp x1, x2, [x0]
    access stp w1, w1, [x0]
    access stp x1, x1, [x0]
    access ldr q0, [x0]
    access str q0, [x0]
    access st4 {v0.16b-v3.16b}, [x0]
    access ld4 {v0.16b-v3.16b}, [x0]
    access ldar w1, [x0]
    access stlr w1, [x0]
    access ldxr w2, [x0]
    access stxr w2, w1, [x0]
    access ldxp x1, x2, [x0]
    access stxp w2, x1, x1, [x0]
    access ldaddal w1, w1, [x0]
    access swpb w1, w1, [x0]
    access casal x1, x1, [x0]
    access casp x2, x3, x4, x5, [x0]
    access dc zva, x0
    access dc civac, x0
    access ic ivau, x0
    access at s1e1w, x0
    access prfm pldl1keep, [x0]
    .section .rodata.accesses, "a"
    .globl random_accesses_end
random_accesses_end:

    .text
// void random_fetch(u64 address): executes what is there; the handler returns to x30.
    .globl random_fetch
random_fetch:
    br x0
