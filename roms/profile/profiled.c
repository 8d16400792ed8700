/* Functions whose shares of the instructions are known, for a profiler to find. The argument
 * "unit=" says how many turns are one share. */
#include "runtime/arguments.h"
#include "runtime/runtime.h"

const char rom_name[] = "profiled";

#define FUNCTION __attribute__((noinline))

/* Two instructions a turn, and no frame record of its own. */
void spin(u64 turns);
/* The same, with X29 set to `frame` meanwhile. */
void spin_with_frame(u64 turns, const void *frame);
__asm__(".global spin\n"
        ".type spin, @function\n"
        "spin: subs x0, x0, #1\n"
        "b.ne spin\n"
        "ret\n"
        ".global spin_with_frame\n"
        ".type spin_with_frame, @function\n"
        "spin_with_frame: mov x9, x29\n"
        "mov x29, x1\n"
        "1: subs x0, x0, #1\n"
        "b.ne 1b\n"
        "mov x29, x9\n"
        "ret\n");

/* Keeps calls from being the last thing a function does, so that it has a frame. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static u64 unit;

FUNCTION void cold(void) {
    spin(4 * unit);
    KEEP_FRAME();
}
FUNCTION void hot(void) {
    spin(12 * unit);
    KEEP_FRAME();
}
FUNCTION void middle(void) {
    hot();
    KEEP_FRAME();
}
FUNCTION void outer(void) {
    middle();
    cold();
    KEEP_FRAME();
}
/* Deeper than a profiler cares to follow. */
FUNCTION void recurse(unsigned depth) {
    if (depth == 0)
        spin(unit);
    else
        recurse(depth - 1);
    KEEP_FRAME();
}

struct frame_record {
    const void *previous;
    u64 link;
};

/* Frame pointers and records as no compiler makes them. */
FUNCTION void garbage(void) {
    static struct frame_record circle[2], itself, into_nowhere, crossing;
    circle[0] = (struct frame_record){&circle[1], (u64)&garbage + 4};
    circle[1] = (struct frame_record){&circle[0], (u64)&garbage + 8};
    itself = (struct frame_record){&itself, (u64)&garbage + 4};
    into_nowhere = (struct frame_record){(const void *)0x123456789abcd000, (u64)&garbage + 4};
    crossing = (struct frame_record){(const void *)0x40000ffc, 0xffffffffffffffff};
    const void *const frames[] = {
        circle,
        &itself,
        &into_nowhere,
        &crossing,
        (void *)1,
        (void *)0x8000000,
        (void *)0x9000000,
        (void *)~0ull,
        (void *)~7ull,
        (void *)(1ull << 63),
        (void *)0xfffffff8,
        (void *)0x123456789abcdef8,
    };
    for (unsigned i = 0; i < sizeof frames / sizeof *frames; ++i)
        spin_with_frame(unit / 10, frames[i]);
    KEEP_FRAME();
}

void rom_main(void) {
    unit = argument("unit=", 1000000);
    outer();
    recurse(300);
    garbage();
    KEEP_FRAME();
}
