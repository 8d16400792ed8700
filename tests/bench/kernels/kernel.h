#ifndef TANDEM_BENCH_KERNEL_H
#define TANDEM_BENCH_KERNEL_H
/* A benchmark kernel: does its work `rounds` times and returns a checksum that depends on all of
 * it, the same on every machine. One row of kernels.inc each. */
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t (*kernel_function)(uint64_t rounds);

#define KERNEL(name, group, rounds) uint64_t name(uint64_t);
#include "kernels.inc"

/* xorshift64: cheap, full period. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#ifdef __cplusplus
}
#endif
#endif
