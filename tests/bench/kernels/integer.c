/* Integer arithmetic without much memory. */
#include "kernel.h"

#include <string.h>

uint64_t bit_mixing(uint64_t rounds) {
    uint64_t a = 1, b = 2;
    for (uint64_t i = 0; i < rounds; ++i) {
        a += (b << 7) ^ (a >> 3);
        b ^= a * 0x9e3779b97f4a7c15ull;
        a = (a << 11) | (a >> 53);
        b += __builtin_clzll(a | 1) + (i & 31);
    }
    return a ^ b;
}

uint64_t crc_table(uint64_t rounds) {
    static uint32_t table[256];
    static unsigned char data[65536];
    for (uint32_t i = 0; i < 256; ++i) {
        uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = (c >> 1) ^ (0xedb88320u & -(c & 1));
        table[i] = c;
    }
    for (unsigned i = 0; i < sizeof data; ++i) data[i] = (unsigned char)(i * 31);
    uint32_t crc = ~0u;
    while (rounds-- > 0)
        for (unsigned i = 0; i < sizeof data; ++i) crc = table[(crc ^ data[i]) & 255] ^ (crc >> 8);
    return crc;
}

uint64_t sieve(uint64_t rounds) {
    enum { kSize = 300000 };
    static unsigned char composite[kSize];
    uint64_t count = 0;
    while (rounds-- > 0) {
        memset(composite, 0, sizeof composite);
        for (unsigned i = 2; i < kSize; ++i) {
            if (composite[i]) continue;
            ++count;
            for (unsigned j = i * 2; j < kSize; j += i) composite[j] = 1;
        }
    }
    return count;
}

uint64_t matrix_integer(uint64_t rounds) {
    enum { kN = 80 };
    static uint32_t a[kN][kN], b[kN][kN], c[kN][kN];
    for (unsigned i = 0; i < kN; ++i)
        for (unsigned j = 0; j < kN; ++j) a[i][j] = i * 7 + j, b[i][j] = i ^ (j * 3);
    uint64_t sum = 0;
    while (rounds-- > 0) {
        for (unsigned i = 0; i < kN; ++i)
            for (unsigned j = 0; j < kN; ++j) {
                uint32_t total = 0;
#pragma GCC novector
                for (unsigned k = 0; k < kN; ++k) total += a[i][k] * b[k][j];
                c[i][j] = total;
            }
        sum += c[rounds % kN][3];
        a[1][1] = (uint32_t)sum;
    }
    return sum;
}

uint64_t big_multiply(uint64_t rounds) {
    enum { kWords = 96 };
    uint64_t a[kWords], b[kWords], r[2 * kWords], seed = 88172645463325252ull, sum = 0;
    for (int i = 0; i < kWords; ++i) a[i] = next_random(&seed), b[i] = next_random(&seed);
    while (rounds-- > 0) {
        memset(r, 0, sizeof r);
        for (int i = 0; i < kWords; ++i) {
            uint64_t carry = 0;
            for (int j = 0; j < kWords; ++j) {
                const unsigned __int128 t = (unsigned __int128)a[i] * b[j] + r[i + j] + carry;
                r[i + j] = (uint64_t)t;
                carry = (uint64_t)(t >> 64);
            }
            r[i + kWords] = carry;
        }
        sum ^= r[kWords];
        a[0] += sum;
    }
    return sum;
}

uint64_t division(uint64_t rounds) {
    uint64_t sum = 0, x = 0x123456789abcdefull;
    for (uint64_t i = 1; i <= rounds; ++i) {
        sum += x / (i | 5) + x % (i + 3);
        x = x * 6364136223846793005ull + 1;
    }
    return sum;
}
