/* kernels [--scale N] [GROUP | NAME]...: runs the benchmark kernels, N times their rounds, and prints,
 * for each, its name, group, nanoseconds and checksum. `kernels --threads` runs a CPU-bound loop on one
 * and on two threads. */
#include "kernel.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const struct row {
    const char *name;
    const char *group;
    kernel_function run;
    uint64_t rounds;
} kRows[] = {
#define KERNEL(name, group, rounds) {#name, group, name, rounds},
#include "kernels.inc"
};

static void *spin(void *sum) {
    *(uint64_t *)sum = bit_mixing(400000000);
    return NULL;
}

static void threads(void) {
    uint64_t sums[2], start = now();
    spin(&sums[0]);
    const uint64_t one = now() - start;
    pthread_t other;
    start = now();
    if (pthread_create(&other, NULL, spin, &sums[1]) != 0) return;
    spin(&sums[0]);
    pthread_join(other, NULL);
    const uint64_t two = now() - start;
    printf("THREADS %.3f\n", 2.0 * (double)one / (double)two);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--exit") == 0) return 0;
    if (argc == 2 && strcmp(argv[1], "--threads") == 0) return threads(), 0;
    uint64_t scale = 1;
    if (argc > 2 && strcmp(argv[1], "--scale") == 0) {
        scale = strtoull(argv[2], NULL, 10);
        argv[2] = argv[0];
        argv += 2;
        argc -= 2;
    }
    for (unsigned i = 0; i < sizeof kRows / sizeof kRows[0]; ++i) {
        const struct row *row = &kRows[i];
        int wanted = argc == 1;
        for (int a = 1; a < argc; ++a)
            wanted |= strcmp(argv[a], row->name) == 0 || strcmp(argv[a], row->group) == 0;
        if (!wanted) continue;
        row->run(row->rounds * scale / 10 + 1);
        const uint64_t start = now();
        const uint64_t checksum = row->run(row->rounds * scale);
        printf("KERNEL %s %s %llu %llx\n", row->name, row->group, (unsigned long long)(now() - start),
               (unsigned long long)checksum);
        fflush(stdout);
    }
    return 0;
}
