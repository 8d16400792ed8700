#ifndef TANDEM_ROMS_RANDOM_INSTRUCTIONS_H
#define TANDEM_ROMS_RANDOM_INSTRUCTIONS_H
/* What random_instructions.c and its entry code share. */
#define MAX_CPUS 8
#define CONTEXT_SHIFT 10 /* log2 of sizeof(struct context) */

/* Byte offsets in struct context. */
#define CONTEXT_PC 248
#define CONTEXT_SPSR 256
#define CONTEXT_SP_EL0 264
#define CONTEXT_SP_EL1 272
#define CONTEXT_SCTLR 280
#define CONTEXT_VECTOR 288
#define CONTEXT_STACK 296

/* SCTLR_EL1 of the program itself: the MMU off, RES1 bits set. */
#define SANE_SCTLR 0x30d00980

/* "Vector" of code that ran into a landing field. */
#define LANDED 16
#endif
