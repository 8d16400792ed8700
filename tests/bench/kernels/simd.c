/* Loops the compiler turns into vector instructions. */
#include "kernel.h"

#include <string.h>

uint64_t saxpy(uint64_t rounds) {
    static float x[4096], y[4096];
    for (int i = 0; i < 4096; ++i) x[i] = (float)i * 0.5f, y[i] = 1.0f;
    while (rounds-- > 0)
        for (int i = 0; i < 4096; ++i) y[i] = y[i] * 0.5f + x[i];
    return (uint64_t)y[100];
}

uint64_t dot_product(uint64_t rounds) {
    typedef float vector __attribute__((vector_size(16)));
    static vector a[1024], b[1024];
    for (int i = 0; i < 1024; ++i)
        for (int k = 0; k < 4; ++k) a[i][k] = (float)(i + k) * 0.25f, b[i][k] = (float)(i & 7);
    vector sum[4] = {0};
    while (rounds-- > 0)
        for (int i = 0; i < 1024; i += 4)
            for (int k = 0; k < 4; ++k) sum[k] = sum[k] * 0.75f + a[i + k] * b[i + k];
    return (uint64_t)(sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3]);
}

uint64_t image_blend(uint64_t rounds) {
    static uint8_t a[16384], b[16384], out[16384];
    for (int i = 0; i < 16384; ++i) a[i] = (uint8_t)(i * 7), b[i] = (uint8_t)(i * 13);
    uint64_t sum = 0;
    while (rounds-- > 0) {
        const unsigned alpha = (unsigned)rounds & 255;
        for (int i = 0; i < 16384; ++i)
            out[i] = (uint8_t)((a[i] * alpha + b[i] * (255 - alpha) + 128) >> 8);
        sum += out[rounds & 16383];
        a[0] = (uint8_t)sum;
    }
    return sum;
}

uint64_t string_scan(uint64_t rounds) {
    static char text[16384];
    memset(text, 'x', sizeof text - 1);
    uint64_t sum = 0;
    while (rounds-- > 0) {
        text[rounds & 1023] = 'y';
        sum += strlen(text) + (uint64_t)((char *)memchr(text, 'z', sizeof text) == NULL);
        sum += (uint64_t)(strchr(text + 1, 'y') != NULL);
    }
    return sum;
}

uint64_t sum_bytes(uint64_t rounds) {
    static uint8_t data[16384];
    for (int i = 0; i < 16384; ++i) data[i] = (uint8_t)(i * 17);
    uint64_t sum = 0;
    while (rounds-- > 0) {
        uint32_t total = 0;
        for (int i = 0; i < 16384; ++i) total += data[i];
        sum += total;
        data[rounds & 16383] ^= (uint8_t)sum;
    }
    return sum;
}
