/* SPDX-License-Identifier: MIT */
/* Floating-point and vector kernels of the compute set. `double` is the x87's on i386 and SSE2's on
 * amd64; the others use the same unit on both. All results are exact or rounded in one right way.
 */
#include "bench.h"

/* -- Matrices of double -------------------------------------------------------------------------*/

enum { SIDE = 64 };

static void matrix_prepare(void)
{
    double *a = (double *)pool;
    uint32_t seed = 7;
    for (int i = 0; i < 2 * SIDE * SIDE; i++) {
        a[i] = (double)(int32_t)(random_next(&seed) % 2001) - 1000;
    }
}

static uint32_t matrix_round(void)
{
    const double *a = (const double *)pool, *b = a + SIDE * SIDE;
    double *c = (double *)pool + 2 * SIDE * SIDE;
    uint32_t hash = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++) {
                sum += a[i * SIDE + k] * b[k * SIDE + j];
            }
            c[i * SIDE + j] = sum;
        }
    }
    for (int i = 0; i < SIDE * SIDE; i += 61) {
        hash = hash_add(hash, (uint32_t)(int32_t)c[i]);
    }
    return hash;
}

/* -- Double: a simulation -----------------------------------------------------------------------*/

enum { BODIES = 8, STEPS = 100 };

/* Bodies on springs: additions, multiplications, divisions, comparisons. */
static uint32_t springs_round(void)
{
    volatile double x[BODIES], v[BODIES];
    double energy = 0;
    for (int i = 0; i < BODIES; i++) {
        x[i] = i * 1.5;
        v[i] = 0;
    }
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BODIES; i++) {
            double force = 0;
            for (int k = 0; k < BODIES; k++) {
                double d = x[k] - x[i];
                if (k != i) {
                    force += d / (d * d + 0.5);
                }
            }
            v[i] = (v[i] + force * 0.0078125) * 0.9921875;
        }
        for (int i = 0; i < BODIES; i++) {
            x[i] = x[i] + v[i] * 0.0078125;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        energy += v[i] * v[i];
    }
    return (uint32_t)(int32_t)(energy * 1048576);
}

/* -- x87 ----------------------------------------------------------------------------------------*/

static inline long double root(long double value)
{
    __asm__("fsqrt" : "+t"(value));
    return value;
}

static uint32_t x87_round(void)
{
    long double x = 0.1L, sum = 0;
    for (int i = 0; i < 2000; i++) {
        long double p = ((((x + 3) * x - 2) * x + 5) * x - 7) * x + 11;
        sum += p / (root(x) + 1);
        x = x * 1.0625L;
        x = x > 2 ? x - 1.9375L : x;
    }
    return (uint32_t)(int32_t)(sum * 1024);
}

/* -- SSE2 ---------------------------------------------------------------------------------------*/

typedef float float4 __attribute__((vector_size(16)));
typedef double double2 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));
typedef int16_t short8 __attribute__((vector_size(16)));
typedef uint8_t byte16 __attribute__((vector_size(16)));
typedef char char16 __attribute__((vector_size(16)));

#define SSE2 __attribute__((target("sse2")))

enum { VECTORS = 1024 };

static void vector_prepare(void)
{
    float *f = (float *)pool;
    for (int i = 0; i < 8 * VECTORS; i++) {
        f[i] = (float)(i % 509) * 0.25f;
    }
}

/* y = y * 0.5 + x * 3, where no rounding happens to be needed */
static SSE2 uint32_t float_round(void)
{
    const float4 *x = (const float4 *)pool;
    float4 *y = (float4 *)pool + VECTORS, sum = {0, 0, 0, 0};
    for (int i = 0; i < VECTORS; i++) {
        float4 value = x[(i + 5) % VECTORS] * 0.5f + x[i] * 3.0f;
        y[i] = value;
        sum += value;
    }
    return (uint32_t)(int32_t)(sum[0] + sum[1] + sum[2] + sum[3]);
}

static SSE2 uint32_t double_round(void)
{
    double2 z = {0.25, 0.5}, c = {-0.5, 0.125}, sum = {0, 0};
    for (int i = 0; i < 2000; i++) {
        z = z * z + c;
        sum += z / (z * z + 1.5);
    }
    return (uint32_t)(int32_t)((sum[0] + sum[1]) * 1048576);
}

static void bytes_prepare(void)
{
    uint32_t seed = 8;
    for (int i = 0; i < 16 * 2 * VECTORS; i++) {
        pool[i] = (uint8_t)random_next(&seed);
    }
}

/* Picture arithmetic: widen, weigh, add, shift, compare, pack. */
static SSE2 uint32_t pixel_round(void)
{
    const byte16 *a = (const byte16 *)pool, *b = a + VECTORS, zero = {0};
    int4 sum = {0, 0, 0, 0};
    for (int i = 0; i < VECTORS; i++) {
        short8 low = (short8)__builtin_ia32_punpcklbw128((char16)a[i], (char16)zero);
        short8 high = (short8)__builtin_ia32_punpckhbw128((char16)b[i], (char16)zero);
        short8 mixed = (low * 77 + high * 179) >> 4;
        mixed = mixed ^ (short8)(mixed > high);
        sum += (int4)mixed + ((int4)a[i] ^ (int4)b[i]);
    }
    return (uint32_t)(sum[0] ^ sum[1] ^ sum[2] ^ sum[3]);
}

/* The nearest of sixteen bytes at a time: what string functions of C libraries are made of. */
static SSE2 uint32_t scan_round(void)
{
    const byte16 *a = (const byte16 *)pool;
    uint32_t found = 0;
    for (int i = 0; i < VECTORS; i++) {
        byte16 equal = (byte16)(a[i] == (byte16){0} + (uint8_t)i);
        int mask = __builtin_ia32_pmovmskb128((char16)equal);
        if (mask) {
            found += (uint32_t)i + (uint32_t)__builtin_ctz((unsigned)mask);
        }
    }
    return found;
}

const struct kernel float_kernels[] = {
    {"matrix-double", matrix_round, matrix_prepare, 300, 0xc352db95},
    {"springs", springs_round, NULL, 6000, 0x23fb66},
    {"x87", x87_round, NULL, 6000, 0xf2235d},
    {"sse-float", float_round, vector_prepare, 60000, 0xdd01b},
    {"sse2-double", double_round, NULL, 15000, 0xf00bab7f},
    {"sse2-pixels", pixel_round, bytes_prepare, 60000, 0x73afa30d},
    {"sse2-scan", scan_round, bytes_prepare, 60000, 0x7486},
    {NULL, NULL, NULL, 0, 0},
};
