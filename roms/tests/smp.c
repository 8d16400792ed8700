/* PSCI: start, state, and stop of another CPU; events between CPUs. */
#include "runtime/runtime.h"

const char rom_name[] = "smp";

enum { kAffinityInfo = 0xc4000004, kCpuOff = 0x84000002, kVersion = 0x84000000, kFeatures = 0x8400000a };
static volatile u64 starts, mpidr, go;

void secondary_main(u64 cpu) {
    mpidr = read_register(mpidr_el1) & 0xff;
    CHECK_EQUAL(cpu, 1);
    starts = starts + 1;
    __asm__ volatile("dsb sy\n sev");
    while (!go) __asm__ volatile("wfe");
    go = 0;
    __asm__ volatile("dsb sy\n sev");
    psci(kCpuOff, 0, 0, 0);
}

static u64 wait_for_state(u64 wanted) {
    u64 state;
    do state = (u64)psci(kAffinityInfo, 1, 0, 0);
    while (state != wanted);
    return state;
}

void rom_main(void) {
    CHECK_EQUAL((u64)psci(kVersion, 0, 0, 0) >> 16, 1);
    CHECK_EQUAL((u32)psci(kFeatures, 0xc4000003, 0, 0), 0);
    CHECK_EQUAL((u32)psci(kFeatures, 0x84001234, 0, 0), (u32)-1);
    CHECK_EQUAL(psci(kAffinityInfo, 0, 0, 0), 0);
    CHECK_EQUAL(psci(kAffinityInfo, 1, 0, 0), 1);
    CHECK_EQUAL((u32)start_cpu(99), (u32)-2);
    CHECK_EQUAL((u32)start_cpu(0), (u32)-4);
    for (u64 round = 1; round <= 3; ++round) {
        CHECK_EQUAL(start_cpu(1), 0);
        while (starts != round) __asm__ volatile("wfe");
        CHECK_EQUAL(mpidr, 1);
        CHECK_EQUAL((u32)start_cpu(1), (u32)-4);
        CHECK_EQUAL(psci(kAffinityInfo, 1, 0, 0), 0);
        go = 1;
        __asm__ volatile("dsb sy\n sev");
        while (go) __asm__ volatile("wfe");
        wait_for_state(1);
    }
    passed();
}
