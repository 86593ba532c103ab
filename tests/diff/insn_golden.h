/* SPDX-License-Identifier: MIT */
/* Recorded results of the host's processor, for the hosts that are none: golden.txt holds one line
 * for each row of the instruction table, a hash over what a few random single instructions of that
 * row leave behind in 64-, 32- and 16-bit code. `diff -golden` records, insn_golden compares the
 * interpreter with it. */
#ifndef TESTS_DIFF_INSN_GOLDEN_H
#define TESTS_DIFF_INSN_GOLDEN_H

#include "tests/diff/insn_diff.h"

#define GOLDEN_CASES 12 /* per row and code size */

/* Runs q from *s and mem, which get the results. False: the interpreter differs. */
typedef bool (*golden_check)(const struct sequence *q, const struct state *before,
                             const struct state *after, const uint8_t *mem_before,
                             const uint8_t *mem_after);

/* What identifies the row in the file. */
void golden_key(const struct op_row *row, char key[64]);

/* The hash of a row as the interpreter computes it, or 0 where the row can't be generated. check,
 * if given, is asked about each case; where it says no, *ok becomes false. */
uint64_t golden_hash(struct gen *g, struct cpu *c, unsigned row, golden_check check, bool *ok);

/* Print the file, on Intel's processors (diff_golden.c). A status for main(). */
int golden_record(void);

#endif
