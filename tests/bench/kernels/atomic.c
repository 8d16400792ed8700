/* Uncontended atomics. */
#include "kernel.h"

uint64_t atomic_add(uint64_t rounds) {
    static uint64_t counter;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; ++i) sum ^= __atomic_fetch_add(&counter, i, __ATOMIC_ACQ_REL);
    return sum;
}

uint64_t compare_exchange(uint64_t rounds) {
    static uint32_t lock, owner;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; ++i) {
        uint32_t expected = 0;
        while (!__atomic_compare_exchange_n(&lock, &expected, 1, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            expected = 0;
        sum += ++owner;
        __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    }
    return sum;
}
