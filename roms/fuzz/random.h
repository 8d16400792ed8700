#ifndef TANDEM_ROMS_RANDOM_H
#define TANDEM_ROMS_RANDOM_H
/* Random numbers for the fuzzing guests: xorshift64* (Vigna, 2016). */
#include "runtime/runtime.h"

/* A state for one of several streams of a seed; never zero. */
static inline u64 random_stream(u64 seed, u64 stream) {
    u64 z = (seed + 1) * 0x9e3779b97f4a7c15ull + stream * 0xd1342543de82ef95ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    return (z ^ (z >> 27)) | 1;
}
static inline u64 random_next(u64 *state) {
    u64 x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}
/* Below a bound; the low bits of the generator are its weakest. */
static inline u64 random_below(u64 *state, u64 bound) {
    return (random_next(state) >> 24) % bound;
}
#define RANDOM_ELEMENT(state, array)                                                               \
    ((array)[random_below((state), sizeof(array) / sizeof((array)[0]))])
#endif
