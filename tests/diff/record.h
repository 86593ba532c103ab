/* SPDX-License-Identifier: MIT */
/* How many cases were compared, of each row of the instruction table in code of each size, and of
 * topics that are not rows; by side. tests/diff/record.txt keeps the sums of all runs that found no
 * difference: its lines are "KEY | SIDE COUNT... | SIDE COUNT...", with the counts of 64-, 32- and
 * 16-bit code for rows, and one count for topics. */
#ifndef TESTS_DIFF_RECORD_H
#define TESTS_DIFF_RECORD_H

#include "tests/diff/insn_diff.h"

struct record;

struct record *record_create(void);
void record_free(struct record *r);

/* side: a short name without blanks; for a processor its maker's (see record_maker()). */
void record_count(struct record *r, unsigned row, enum code_size size, const char *side,
                  uint64_t n);
/* topic: "AREA: WORDS", without "|". */
void record_topic(struct record *r, const char *topic, const char *side, uint64_t n);

/* What was counted; side NULL: by all sides. */
uint64_t record_of_row(const struct record *r, unsigned row, enum code_size size, const char *side);
uint64_t record_of_topic(const struct record *r, const char *topic, const char *side);
/* The n-th topic, or NULL. */
const char *record_topic_name(const struct record *r, unsigned n);

/* "amd", "intel": the side that this host's processor is. */
const char *record_maker(void);

/* Add what the file says. False: a mistake in it; a file that is not there is empty. */
bool record_read(struct record *r, const char *path);
bool record_write(const struct record *r, const char *path);
/* Add r to the file. */
bool record_merge(const struct record *r, const char *path);

#endif
