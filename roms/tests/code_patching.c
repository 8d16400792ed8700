/* One CPU writes functions, one after the other, over and over; another runs the one that is being
 * written at this moment, and the same again once it has seen the store: it then runs what was stored.
 *
 * The store may be held up for long between its translation and memory (a host that takes the
 * thread off its core will do that) while the other CPU fetches from there for the first time. */
#include "runtime/runtime.h"

const char rom_name[] = "code_patching";

enum { kFunctions = 1 << 19, kProbes = 600, kSeconds = 10, kPerPage = 4096 / 8 };
enum { kMovzX0 = 0xd2800000, kRet = 0xd65f03c0 };
typedef u64 (*function)(void);

static volatile u64 code[kFunctions] __attribute__((aligned(4096)));
static volatile u64 may_stop;

/* movz x0, #value; ret */
static u64 returning(u64 value) {
    return (u64)kRet << 32 | kMovzX0 | (value & 0xffff) << 5;
}
static u64 returned_by(u64 instructions) {
    return instructions >> 5 & 0xffff;
}
static u64 run(u64 n) {
    return ((function)&code[n])();
}

void secondary_main(u64 cpu) {
    (void)cpu;
    map_identity();
    for (u64 round = 1; !may_stop; ++round)
        for (u64 n = 0; n < kFunctions; ++n) code[n] = returning(round);
}

/* The function that is written next. */
static u64 frontier(void) {
    const u64 newest = code[0];
    u64 written = 0, unwritten = kFunctions;
    while (unwritten - written > 1) {
        const u64 middle = (written + unwritten) / 2;
        if (code[middle] == newest)
            written = middle;
        else
            unwritten = middle;
    }
    return unwritten % kFunctions;
}

/* Everything this CPU has seen in memory is what it fetches from now on. */
static void synchronize(volatile u64 *at) {
    __asm__ volatile("dmb ish\n dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(at) : "memory");
}

void rom_main(void) {
    for (u64 n = 0; n < kFunctions; ++n) code[n] = returning(0);
    map_identity();
    if (start_cpu(1) != 0) passed();
    u64 probes = 0, verified = 0;
    /* A host whose cores are busy makes both CPUs wait for each other. */
    const u64 deadline = read_register(cntvct_el0) + kSeconds * read_register(cntfrq_el0);
    for (; probes < kProbes && read_register(cntvct_el0) < deadline; ++probes) {
        const u64 n = frontier();
        const u64 before = code[n];
        run(n);
        while (code[n] == before) {}
        synchronize(&code[n]);
        const u64 stored = code[n];
        const u64 result = run(n);
        if (code[n] == stored) {
            CHECK_EQUAL(result, returned_by(stored));
            ++verified;
        }
        /* The writer is fast again on pages where nothing was run. */
        for (u64 start = n / kPerPage; frontier() / kPerPage == start;) {}
    }
    CHECK_EQUAL(verified != 0, 1);
    may_stop = 1;
    passed();
}
