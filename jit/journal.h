/* SPDX-License-Identifier: MIT */
/* What a rehearsal (cpu/rehearsal.h) writes to memory, line by line, so that it can be taken back
 * and done again. */
#ifndef JIT_JOURNAL_H
#define JIT_JOURNAL_H

#include "cpu/rehearsal.h"

#define LINE          64
#define JOURNAL_LINES 1024

/* A line of memory that an instruction wrote to. */
struct line {
    uint8_t *host;
    unsigned insn;
    uint8_t before[LINE], after[LINE];
    uint8_t found[LINE]; /* when somebody else had done the same */
};

struct journal {
    struct rehearsal rehearsal;
    bool full; /* a write was refused because there was no room for it */
    unsigned insn;
    unsigned nlines;
    struct line line[JOURNAL_LINES];
};

void journal_create(struct journal *j);

/* Forget everything. */
void journal_begin(struct journal *j);

/* The lines from number `first` on are complete: an instruction is over. */
void journal_note(struct journal *j, unsigned first);

/* Take all writes back; put memory where it was before instruction k. */
void journal_undo(const struct journal *j);
void journal_redo(const struct journal *j, unsigned k);

/* Are the lines as they were before instruction k? They are afterwards. */
bool journal_equal(struct journal *j, unsigned k);

#endif
