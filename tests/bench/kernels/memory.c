/* Work bound by loads and stores. */
#include "kernel.h"

#include <string.h>

uint64_t hash_table(uint64_t rounds) {
    enum { kBits = 16, kSize = 1 << kBits };
    static uint64_t keys[kSize], values[kSize];
    memset(keys, 0, sizeof keys);
    uint64_t seed = 42, sum = 0;
    while (rounds-- > 0) {
        const uint64_t key = (next_random(&seed) & 0x3fff) + 1;
        uint64_t slot = (key * 0x9e3779b97f4a7c15ull) >> (64 - kBits);
        while (keys[slot] != 0 && keys[slot] != key) slot = (slot + 1) & (kSize - 1);
        keys[slot] = key;
        sum += ++values[slot];
    }
    return sum;
}

uint64_t pointer_chase(uint64_t rounds) {
    enum { kNodes = 4096 };
    static struct node {
        struct node *next;
        uint64_t payload[7];
    } nodes[kNodes];
    static unsigned order[kNodes];
    uint64_t seed = 7;
    for (unsigned i = 0; i < kNodes; ++i) order[i] = i;
    for (unsigned i = kNodes - 1; i > 0; --i) {
        const unsigned j = (unsigned)(next_random(&seed) % (i + 1));
        const unsigned t = order[i];
        order[i] = order[j], order[j] = t;
    }
    for (unsigned i = 0; i < kNodes; ++i) {
        nodes[order[i]].next = &nodes[order[(i + 1) % kNodes]];
        nodes[i].payload[0] = i;
    }
    uint64_t sum = 0;
    for (const struct node *n = &nodes[0]; rounds-- > 0; n = n->next) sum += n->payload[0];
    return sum;
}

uint64_t copy_blocks(uint64_t rounds) {
    static uint64_t from[8192], to[8192];
    for (unsigned i = 0; i < 8192; ++i) from[i] = i;
    uint64_t sum = 0;
    while (rounds-- > 0) {
        memcpy(to, from, sizeof from);
        memmove((char *)from + 8, to, sizeof to - 8);
        sum += from[4096];
    }
    return sum;
}

static void sift(uint32_t *a, unsigned root, unsigned end) {
    for (;;) {
        unsigned child = 2 * root + 1;
        if (child >= end) return;
        if (child + 1 < end && a[child] < a[child + 1]) ++child;
        if (a[root] >= a[child]) return;
        const uint32_t t = a[root];
        a[root] = a[child], a[child] = t;
        root = child;
    }
}
uint64_t heap_sort(uint64_t rounds) {
    enum { kSize = 30000 };
    static uint32_t a[kSize];
    uint64_t sum = 0, seed = 99;
    while (rounds-- > 0) {
        for (unsigned i = 0; i < kSize; ++i) a[i] = (uint32_t)next_random(&seed);
        for (unsigned i = kSize / 2; i-- > 0;) sift(a, i, kSize);
        for (unsigned end = kSize; end-- > 1;) {
            const uint32_t t = a[0];
            a[0] = a[end], a[end] = t;
            sift(a, 0, end);
        }
        sum += a[17];
    }
    return sum;
}
