/* Exclusives and LSE atomics of every size, on one CPU and contended by two. */
#include "runtime/runtime.h"

const char rom_name[] = "atomics";

enum { kRounds = 20000 };
static volatile u64 by_exclusive, by_lse, by_swap_lock, lock, ready, done;
static volatile u64 pair[2] __attribute__((aligned(16)));

static void contend(void) {
    for (int i = 0; i < kRounds; ++i) {
        u64 value, failed;
        do {
            __asm__ volatile("ldaxr %0, [%2]\n add %0, %0, #1\n stlxr %w1, %0, [%2]"
                             : "=&r"(value), "=&r"(failed)
                             : "r"(&by_exclusive)
                             : "memory");
        } while (failed);
        __asm__ volatile("ldadd %0, xzr, [%1]" ::"r"(1ull), "r"(&by_lse) : "memory");
        u64 taken = 1;
        do __asm__ volatile("swpa %0, %0, [%1]" : "+r"(taken) : "r"(&lock) : "memory");
        while (taken);
        by_swap_lock = by_swap_lock + 1;
        __asm__ volatile("stlr xzr, [%0]" ::"r"(&lock) : "memory");
        register u64 e0 __asm__("x4"), e1 __asm__("x5");
        u64 old0, old1;
        do {
            __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(e0), "=&r"(e1) : "r"(pair) : "memory");
            old0 = e0, old1 = e1;
            register u64 n0 __asm__("x6") = e0 + 1, n1 __asm__("x7") = e1 + 2;
            __asm__ volatile("caspal x4, x5, x6, x7, [%4]"
                             : "+r"(e0), "+r"(e1)
                             : "r"(n0), "r"(n1), "r"(pair)
                             : "memory");
        } while (e0 != old0 || e1 != old1);
    }
}

/* Single-copy atomicity with FEAT_LSE2: what lies within aligned 16 bytes never tears. One CPU
 * writes the same value to both halves, the other never sees two values. */
static volatile u64 shared[2] __attribute__((aligned(16)));
static volatile u64 is_writing, may_stop, torn;

static u64 has_lse2(void) { return (read_register(id_aa64mmfr2_el1) >> 32 & 15) != 0; }

static void write_shared(void) {
    is_writing = 1;
    for (u64 i = 0; !may_stop; ++i) {
        const u64 both = (i & 0xffff) * 0x0001000100010001ull;
        for (u64 value = both, n = 0; n < 33; ++n, value = ~value)
            __asm__ volatile("stp %0, %0, [%1]" ::"r"(value), "r"(shared) : "memory");
        __asm__ volatile("stp %w0, %w0, [%1, #4]" ::"r"(both), "r"(shared) : "memory");
        __asm__ volatile("stur %0, [%1, #6]" ::"r"(both), "r"(shared) : "memory");
        __asm__ volatile("1: ldxp x8, x9, [%1]\n stxp w10, %0, %0, [%1]\n cbnz w10, 1b" ::"r"(both), "r"(shared)
                         : "memory", "x8", "x9", "x10");
    }
}

/* Every store leaves the first and the last 4 bytes equal, and so the bytes it wrote. */
static void read_shared(void) {
    while (!is_writing) {}
    for (int i = 0; i < 50 * kRounds; ++i) {
        u64 a, b;
        for (int n = 0; n < 4; ++n) {
            __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(shared) : "memory");
            if ((a & 0xffffffff) != b >> 32) ++torn;
        }
        if (i % 8 != 0) continue;
        register u64 e0 __asm__("x4") = 0, e1 __asm__("x5") = 0;
        register u64 n0 __asm__("x6") = 0, n1 __asm__("x7") = 0;
        __asm__ volatile("casp x4, x5, x6, x7, [%4]" : "+r"(e0), "+r"(e1) : "r"(n0), "r"(n1), "r"(shared) : "memory");
        if ((e0 & 0xffffffff) != e1 >> 32) ++torn;
    }
    may_stop = 1;
}

void secondary_main(u64 cpu) {
    (void)cpu;
    ready = 1;
    __asm__ volatile("dsb sy\n sev");
    contend();
    map_identity();
    if (has_lse2()) write_shared();
    __asm__ volatile("dmb sy");
    done = 1;
    __asm__ volatile("dsb sy\n sev");
}

#define LSE_CASE(op, before, operand, after)                                                       \
    ({                                                                                             \
        volatile u64 memory_ = (before);                                                           \
        u64 old_;                                                                                  \
        __asm__ volatile(op " %1, %0, [%2]" : "=&r"(old_) : "r"((u64)(operand)), "r"(&memory_) : "memory"); \
        CHECK_EQUAL(old_, (before));                                                               \
        CHECK_EQUAL(memory_, (after));                                                             \
    })

void rom_main(void) {
    LSE_CASE("ldadd", ~0ull, 2, 1);
    LSE_CASE("ldclr", 0xff, 0x0f, 0xf0);
    LSE_CASE("ldeor", 0xff, 0x0f, 0xf0);
    LSE_CASE("ldset", 0xf0, 0x0f, 0xff);
    LSE_CASE("ldsmax", ~0ull, 1, 1);
    LSE_CASE("ldsmin", 1, ~0ull, ~0ull);
    LSE_CASE("ldumax", ~0ull, 1, ~0ull);
    LSE_CASE("ldumin", ~0ull, 1, 1);
    LSE_CASE("swpal", 5, 9, 9);

    /* A store exclusive without a monitor fails and stores nothing. */
    volatile u64 cell = 7;
    u64 failed;
    __asm__ volatile("clrex\n stxr %w0, %1, [%2]" : "=&r"(failed) : "r"(8ull), "r"(&cell) : "memory");
    CHECK_EQUAL(failed, 1);
    CHECK_EQUAL(cell, 7);
    /* With one it succeeds once. */
    u64 value, again;
    __asm__ volatile("ldxr %0, [%4]\n stxr %w1, %3, [%4]\n stxr %w2, %3, [%4]"
                     : "=&r"(value), "=&r"(failed), "=&r"(again)
                     : "r"(8ull), "r"(&cell)
                     : "memory");
    CHECK_EQUAL(value, 7);
    CHECK_EQUAL(failed, 0);
    CHECK_EQUAL(again, 1);
    CHECK_EQUAL(cell, 8);

    if (start_cpu(1) == 0) {
        while (!ready) __asm__ volatile("wfe");
        contend();
        map_identity();
        if (has_lse2()) read_shared();
        while (!done) __asm__ volatile("wfe");
        CHECK_EQUAL(by_exclusive, 2 * kRounds);
        CHECK_EQUAL(by_lse, 2 * kRounds);
        CHECK_EQUAL(by_swap_lock, 2 * kRounds);
        CHECK_EQUAL(pair[0], 2 * kRounds);
        CHECK_EQUAL(pair[1], 4 * kRounds);
        CHECK_EQUAL(torn, 0);
    }
    passed();
}
