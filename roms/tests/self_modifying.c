/* Code written and run at once, many times, in one place and in place of running code. */
#include "runtime/runtime.h"

const char rom_name[] = "self_modifying";

static u32 code[64] __attribute__((aligned(4096)));

static void publish(void *from, u64 size) {
    for (u64 a = (u64)from & ~63ull; a < (u64)from + size; a += 64)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (u64 a = (u64)from & ~63ull; a < (u64)from + size; a += 64)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish\n isb" ::: "memory");
}
static u32 movz(unsigned rd, unsigned value) { return 0xd2800000u | value << 5 | rd; }
enum { kRet = 0xd65f03c0 };
typedef u64 (*function)(void);

void rom_main(void) {
    /* The same place, another result each time. */
    for (unsigned i = 0; i < 2000; ++i) {
        code[0] = movz(0, i);
        code[1] = kRet;
        publish(code, 8);
        CHECK_EQUAL(((function)code)(), i);
    }
    /* Hot code, of which one instruction in the middle changes. */
    code[0] = movz(0, 1);
    code[1] = 0x91000400; /* add x0, x0, #1 */
    code[2] = 0x91000800; /* add x0, x0, #2 */
    code[3] = kRet;
    publish(code, 16);
    for (unsigned i = 0; i < 1000; ++i) CHECK_EQUAL(((function)code)(), 4);
    code[1] = 0x91002800; /* add x0, x0, #10 */
    publish(code, 16);
    for (unsigned i = 0; i < 1000; ++i) CHECK_EQUAL(((function)code)(), 13);
    /* Data beside code: writing it changes nothing. */
    for (unsigned i = 0; i < 1000; ++i) {
        code[40] = i;
        CHECK_EQUAL(((function)code)(), 13);
    }
    /* Code that replaces an instruction ahead of itself in the same block:
       str w1, [x2]; (barriers) ; movz x0, #1 -> #2 ; ret */
    for (unsigned round = 0; round < 50; ++round) {
        u32 *target = &code[8];
        code[0] = 0xb9000041; /* str w1, [x2] */
        code[1] = 0xd50b7b22; /* dc cvau, x2 */
        code[2] = 0xd5033b9f; /* dsb ish */
        code[3] = 0xd50b7522; /* ic ivau, x2 */
        code[4] = 0xd5033b9f; /* dsb ish */
        code[5] = 0xd5033fdf; /* isb */
        code[6] = 0xd503201f; /* nop */
        code[7] = 0xd503201f;
        code[8] = movz(0, 1);
        code[9] = kRet;
        publish(code, 40);
        register u64 x0 __asm__("x0");
        register u64 x1 __asm__("x1") = movz(0, 100 + round);
        register u64 x2 __asm__("x2") = (u64)target;
        register u64 x9 __asm__("x9") = (u64)code;
        __asm__ volatile("blr x9" : "=r"(x0) : "r"(x1), "r"(x2), "r"(x9) : "x30", "memory");
        CHECK_EQUAL(x0, 100 + round);
    }
    passed();
}
