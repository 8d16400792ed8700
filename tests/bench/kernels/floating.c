/* Scalar floating point. */
#include "kernel.h"

#include <math.h>
#include <string.h>

static uint64_t bits_of(double d) {
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

uint64_t nbody(uint64_t rounds) {
    enum { kBodies = 5 };
    double p[kBodies][3], v[kBodies][3], m[kBodies];
    for (int i = 0; i < kBodies; ++i) {
        for (int k = 0; k < 3; ++k) p[i][k] = i * 1.5 + k * 0.7, v[i][k] = (k - 1) * 0.01 * i;
        m[i] = 1.0 / (i + 1);
    }
    while (rounds-- > 0) {
        for (int i = 0; i < kBodies; ++i)
            for (int j = i + 1; j < kBodies; ++j) {
                double d[3], squared = 0.01;
                for (int k = 0; k < 3; ++k) d[k] = p[i][k] - p[j][k], squared += d[k] * d[k];
                const double magnitude = 0.001 / (squared * sqrt(squared));
                for (int k = 0; k < 3; ++k) {
                    v[i][k] -= d[k] * m[j] * magnitude;
                    v[j][k] += d[k] * m[i] * magnitude;
                }
            }
        for (int i = 0; i < kBodies; ++i)
            for (int k = 0; k < 3; ++k) p[i][k] += 0.001 * v[i][k];
    }
    return bits_of(p[0][0] + p[4][2]);
}

uint64_t mandelbrot(uint64_t rounds) {
    uint64_t total = 0;
    while (rounds-- > 0)
        for (int y = 0; y < 120; ++y)
            for (int x = 0; x < 120; ++x) {
                const double cr = x / 60.0 - 1.5, ci = y / 60.0 - 1.0;
                double zr = 0, zi = 0;
                int n = 0;
                while (n < 100 && zr * zr + zi * zi < 4) {
                    const double t = zr * zr - zi * zi + cr;
                    zi = 2 * zr * zi + ci;
                    zr = t;
                    ++n;
                }
                total += (uint64_t)n;
            }
    return total;
}

uint64_t matrix_double(uint64_t rounds) {
    enum { kN = 80 };
    static double a[kN][kN], b[kN][kN], c[kN][kN];
    for (int i = 0; i < kN; ++i)
        for (int j = 0; j < kN; ++j) a[i][j] = i * 0.5 + j, b[i][j] = (i - j) * 0.25;
    double sum = 0;
    while (rounds-- > 0) {
        for (int i = 0; i < kN; ++i)
            for (int j = 0; j < kN; ++j) {
                double total = 0;
                for (int k = 0; k < kN; ++k) total += a[i][k] * b[k][j];
                c[i][j] = total;
            }
        sum += c[3][rounds % kN];
    }
    return bits_of(sum);
}

uint64_t fft(uint64_t rounds) {
    enum { kN = 4096 };
    static double re[kN], im[kN], cosine[kN / 2], sine[kN / 2];
    /* Twiddles by repeated rotation: the same bits everywhere, unlike libm's. */
    double c = 1, s = 0;
    const double dc = 0.99999882345170190993, ds = 0.00153398018628476550;
    for (int i = 0; i < kN / 2; ++i) {
        cosine[i] = c, sine[i] = s;
        const double t = c * dc - s * ds;
        s = s * dc + c * ds, c = t;
    }
    for (int i = 0; i < kN; ++i) re[i] = (i * 37 % 101) * 0.01, im[i] = 0;
    while (rounds-- > 0) {
        for (int half = kN / 2, step = 1; half >= 1; half /= 2, step *= 2)
            for (int start = 0; start < kN; start += 2 * half)
                for (int k = 0; k < half; ++k) {
                    const int x = start + k, y = x + half;
                    const double dr = re[x] - re[y], di = im[x] - im[y];
                    re[x] = (re[x] + re[y]) * 0.5, im[x] = (im[x] + im[y]) * 0.5;
                    re[y] = dr * cosine[k * step] + di * sine[k * step];
                    im[y] = di * cosine[k * step] - dr * sine[k * step];
                }
    }
    return bits_of(re[1] + im[7]);
}

uint64_t polynomial_float(uint64_t rounds) {
    float sum = 0;
    while (rounds-- > 0)
        for (int i = 0; i < 8192; ++i) {
            const float x = (float)i * 0.0001f;
            float y = 0.3f;
            y = y * x + 1.7f;
            y = y * x - 0.4f;
            y = y * x + 2.2f;
            y = y * x - 1.1f;
            sum = sum * 0.999f + (y > 0 ? sqrtf(y) : fabsf(y));
        }
    return (uint64_t)(sum * 1000.0f);
}
