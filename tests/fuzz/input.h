/* SPDX-License-Identifier: MIT */
/* The fuzzer's bytes, taken from the front one value at a time. Behind the end everything is zero,
 * so that a target needs no checks of its own. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
    const uint8_t *p;
    size_t n; /* bytes left */
};

static inline uint64_t input_int(struct input *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned k = 0; k < bytes && in->n > 0; k++, in->p++, in->n--)
        v |= (uint64_t)*in->p << (8 * k);
    return v;
}

static inline uint8_t input_u8(struct input *in)
{
    return (uint8_t)input_int(in, 1);
}

/* A finding: says what is wrong and stops, which makes the fuzzer keep the input. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
