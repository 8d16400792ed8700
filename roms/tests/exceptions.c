/* Synchronous exceptions: class, syndrome, return address and saved state, from EL1 and EL0. */
#include "runtime/runtime.h"

const char rom_name[] = "exceptions";

enum { kClock = 0x09010000, kHot = 40 };
static u64 seen_vector, seen_esr, seen_elr, seen_spsr, seen_far, seen_count;
static u64 resume_offset;
static char el0_stack[4096] __attribute__((aligned(16)));

static void record(unsigned vector, struct frame *frame) {
    seen_vector = vector;
    seen_esr = read_register(esr_el1);
    seen_far = read_register(far_el1);
    seen_elr = frame->elr;
    seen_spsr = frame->spsr;
    ++seen_count;
    if (vector == kSyncEl0) leave_el0(seen_esr);
    frame->elr += resume_offset;
}

/* An instruction with a label in front of it; the exception must name it. */
#define TRY_INSTRUCTION(text)                                                                      \
    ({                                                                                             \
        u64 address_;                                                                              \
        __asm__ volatile("adr %0, 1f\n1: " text "\n" : "=&r"(address_)::"memory", "x0", "x1", "x2"); \
        address_;                                                                                  \
    })

static void el0_svc(void) { __asm__ volatile("svc #0x1234"); }
static void el0_privileged(void) { __asm__ volatile("mrs x0, ttbr0_el1"); }
static void el0_flags(void) {
    __asm__ volatile("mov x0, #0\n msr nzcv, x0\n cmp xzr, xzr\n svc #1");
}
static void el0_wfi_trapped(void) { __asm__ volatile("wfi"); }
static u64 at_el0(void (*code)(void)) { return run_at_el0(code, el0_stack + sizeof el0_stack); }

void rom_main(void) {
    exception_handler = record;

    resume_offset = 0; /* SVC: the return address is the next instruction */
    u64 at = TRY_INSTRUCTION("svc #0xbeef");
    CHECK_EQUAL(seen_vector, kSyncEl1);
    CHECK_EQUAL(seen_esr, 0x5600beef);
    CHECK_EQUAL(seen_elr, at + 4);
    CHECK_EQUAL(seen_spsr & 0x3cf, 0x3c5);

    resume_offset = 4;
    at = TRY_INSTRUCTION("brk #0x77");
    CHECK_EQUAL(seen_esr, 0xf2000077);
    CHECK_EQUAL(seen_elr, at);

    at = TRY_INSTRUCTION("udf #0");
    CHECK_EQUAL(seen_esr, 0x02000000);
    CHECK_EQUAL(seen_elr, at);
    TRY_INSTRUCTION("mrs x0, s3_0_c15_c15_7"); /* unallocated system register */
    CHECK_EQUAL(seen_esr, 0x02000000);
    TRY_INSTRUCTION("mrs x0, sctlr_el2"); /* EL2 is not there */
    CHECK_EQUAL(seen_esr, 0x02000000);

    write_register(cpacr_el1, 0);
    at = TRY_INSTRUCTION(".arch_extension fp\n fmov d0, x0");
    CHECK_EQUAL(seen_esr, 0x1fe00000);
    CHECK_EQUAL(seen_elr, at);
    write_register(cpacr_el1, 3 << 20);

    /* Alignment: with the MMU off all data is Device memory. */
    at = TRY_INSTRUCTION("adr x1, 1b\n add x1, x1, #1\n ldr x0, [x1]");
    CHECK_EQUAL(seen_esr, 0x96000021);
    CHECK_EQUAL(seen_far, at + 1);
    CHECK_EQUAL(seen_elr, at + 8);
    at = TRY_INSTRUCTION("adr x1, 1b\n and x1, x1, #~7\n add x1, x1, #4\n ldxr x0, [x1]");
    CHECK_EQUAL(seen_esr, 0x96000021);
    CHECK_EQUAL(seen_elr, at + 12);

    /* Often enough to be translated, on a page that is known to be a device's. */
    for (int i = 0; i < kHot; ++i) {
        (void)*mmio32(kClock);
        TRY_INSTRUCTION("mov x1, #0x9010000\n add x1, x1, #1\n ldadd w0, w0, [x1]");
        CHECK_EQUAL(seen_esr, 0x96000021); /* WnR 0: a read would take it too */
        CHECK_EQUAL(seen_far, kClock + 1);
    }

    /* A misaligned stack pointer (the handler itself runs on the aligned SP_EL1; SP_EL0 is used). */
    write_register(sctlr_el1, read_register(sctlr_el1) | 1 << 3);
    write_register(sp_el0, (u64)el0_stack + 8);
    at = TRY_INSTRUCTION("msr spsel, #0\n ldr x0, [sp]\n msr spsel, #1");
    CHECK_EQUAL(seen_vector, 0);
    CHECK_EQUAL(seen_esr, 0x9a000000);
    CHECK_EQUAL(seen_elr, at + 4);

    /* From EL0. */
    CHECK_EQUAL(at_el0(el0_svc), 0x56001234);
    CHECK_EQUAL(seen_spsr & 0xf, 0);
    CHECK_EQUAL(at_el0(el0_privileged), 0x02000000);
    CHECK_EQUAL(at_el0(el0_flags), 0x56000001);
    CHECK_EQUAL(seen_spsr >> 28, 6);
    write_register(sctlr_el1, read_register(sctlr_el1) & ~(1ull << 16));
    CHECK_EQUAL(at_el0(el0_wfi_trapped) & 0xfc000001, 0x04000000);

    CHECK_EQUAL(seen_count, 13 + kHot);
    passed();
}
