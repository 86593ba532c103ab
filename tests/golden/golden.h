/* SPDX-License-Identifier: MIT */
/* How many host instructions each guest instruction becomes: what golden.c and forms.c share. */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <stdio.h>

#include "tests/diff/insn_guest.h"

/* Code being translated, and where its lines go. */
struct golden {
    struct cpu *c;
    struct jit *j;
    FILE *out;
    unsigned guest, host, bytes; /* instructions and bytes of host code since they were set to 0 */
};

#define GUEST_TEXT 96

/* The text of a guest instruction that stands at offset `at`. */
void guest_text(enum code_size size, const uint8_t *p, unsigned len, unsigned at,
                char text[GUEST_TEXT]);

/* Put n bytes of code at the start of the guest's code page and set the code size. */
void golden_put_code(struct golden *g, enum code_size size, const uint8_t *p, unsigned n);

/* Translate the block at offset `at` of the page; NULL: there is none. */
const struct code *golden_translate(struct golden *g, enum code_size size, unsigned at);

/* Write the two columns of numbers for instruction k. */
void golden_write_cost(struct golden *g, const struct code *x, unsigned k);

/* Every form of every instruction that is translated, in code of one size. */
void golden_write_forms(struct golden *g, enum code_size size);

#endif
