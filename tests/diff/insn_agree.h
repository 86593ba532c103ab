/* SPDX-License-Identifier: MIT */
/* Instructions of which processors of one maker even do not leave the same: state images with
 * fields of the model's own, clocks and random numbers, approximations. They are compared but for
 * what a table states. */
#ifndef TESTS_DIFF_INSN_AGREE_H
#define TESTS_DIFF_INSN_AGREE_H

#include "tests/diff/insn_diff.h"

/* Bytes of an image in memory; bits of each that are not compared. */
struct agreement_field {
    unsigned from, to;
    uint8_t bits;
};

/* One line of the table: what is not compared, or by which bound. */
struct agreement {
    const char *names; /* mnemonics, a space before and after each */
    const char *text;
    struct agreement_field field[4], field16[4]; /* field16: with 16-bit operands, if another */
    unsigned what;                               /* bits that insn_agree.c knows */
};
extern const struct agreement agreements[];
extern const unsigned agreement_count;

/* The row's, or NULL. Such an instruction must be the last of its sequence. */
const struct agreement *agreement_find(const struct op_row *row);

/* Make the same in both outcomes of q what need not be. decoder: a processor in long mode. */
void agree(struct cpu *decoder, const struct sequence *q, struct state *host, struct state *guest,
           uint8_t *host_mem, uint8_t *guest_mem);

#endif
