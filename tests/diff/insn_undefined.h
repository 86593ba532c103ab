/* SPDX-License-Identifier: MIT */
/* What the manuals leave undefined, what Calque does there, and what of it is compared with
 * processors all the same. docs/conformance.md prints these tables. */
#ifndef TESTS_DIFF_INSN_UNDEFINED_H
#define TESTS_DIFF_INSN_UNDEFINED_H

#include "tests/diff/insn_diff.h"

/* Flags that rows name as undefined (fl_undef). */
struct undefined_flags {
    const char *names;  /* mnemonics, a space before and after each */
    unsigned flags;     /* FL_*: those of all these rows */
    unsigned amd;       /* which of them AMD's processors leave as Calque does */
    const char *calque; /* how it leaves them */
};
extern const struct undefined_flags undefined_flags[];
extern const unsigned undefined_flags_count;

/* The line for a row, or NULL. */
const struct undefined_flags *undefined_find(const struct op_row *row);

/* EFLAGS bits that are not compared with AMD's processors behind q, which ended as *s says. */
uint32_t undefined_on_amd(const struct sequence *q);

/* Anything else. */
struct undefined_part {
    const char *what, *calque, *compared;
};
extern const struct undefined_part undefined_parts[];
extern const unsigned undefined_part_count;

#endif
