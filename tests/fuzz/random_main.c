/* SPDX-License-Identifier: MIT */
/* A fuzz target with random instructions, for builds without a fuzzer.
 *
 *     translate_random [FIRST [COUNT]]
 *
 * A case is the same each time; a failure says its number. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/input.h"

#define COUNT 3000

static unsigned long current;
static uint64_t rng_state;

static uint32_t rng(void)
{
    rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng_state >> 33);
}

/* Some prefixes, then an opcode of one of the maps, ModRM and so on. */
static size_t random_insn(uint8_t *b)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x64, 0x41, 0x44, 0x48, 0x4f, 0xf0};
    size_t n = 0;

    while (rng() % 3 == 0)
        b[n++ % 4] = prefixes[rng() % sizeof(prefixes)];
    n = n < 4 ? n : 4;
    if (rng() % 2 == 0) {
        b[n++] = 0x0f;
        if (rng() % 4 == 0)
            b[n++] = rng() % 2 ? 0x38 : 0x3a;
    }
    b[n++] = (uint8_t)rng();
    b[n++] = (uint8_t)rng() | (rng() % 2 ? 0xc0 : 0);
    for (unsigned k = rng() % 6; k > 0; k--)
        b[n++] = (uint8_t)rng();
    return n;
}

static void on_abort(int sig)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "case %lu\n", current);

    (void)sig;
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(2);
}

int main(int argc, char **argv)
{
    unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : COUNT;
    uint8_t input[1024];

    signal(SIGABRT, on_abort);
    for (current = first; current < first + count; current++) {
        size_t n = 0;
        rng_state = current * UINT64_C(0x9e3779b97f4a7c15);
        while (n < 7)
            input[n++] = (uint8_t)rng();
        for (unsigned k = 1 + rng() % 20; k > 0; k--)
            n += random_insn(input + n);
        LLVMFuzzerTestOneInput(input, n);
    }
    return 0;
}
