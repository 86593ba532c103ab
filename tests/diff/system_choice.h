/* SPDX-License-Identifier: MIT */
/* A case of the system tests is nothing but choices: which descriptor type, which privilege level,
 * which bits of a page table entry. A scenario (system.h) asks for them one by one, by name; where
 * the answers come from is not its business. Value 0 is the plain one, so a case is written as what
 * is not plain about it: "mode=long level=3 slot.type=call32". */
#ifndef TESTS_SYSTEM_CHOICE_H
#define TESTS_SYSTEM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHOICES_MAX 96
#define CHOICE_NAME 32

struct choice {
    char what[CHOICE_NAME];
    char name[CHOICE_NAME]; /* of the value */
    unsigned value, count;
};

enum choice_source {
    FROM_SEED,  /* at random, the more often 0 the larger `plain` is */
    FROM_GIVEN, /* those of `given`, by their names; else 0 */
    FROM_ORDER, /* those of `given`, by their places; else 0 */
};

struct choices {
    enum choice_source source;
    uint64_t seed;
    unsigned plain; /* of 8 */
    unsigned count, given_count;
    struct choice made[CHOICES_MAX], given[CHOICES_MAX];
};

/* One of `count` values, whose names are at `names` in steps of `stride` bytes (char *, the first
 * member of each row of a table); NULL: numbers are their names. */
unsigned choose_from(struct choices *ch, const char *prefix, const char *what, const void *names,
                     unsigned stride, unsigned count);

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
/* The index of a row in a table whose rows begin with their names. */
#define CHOOSE(ch, what, table)                                                                    \
    choose_from(ch, "", what, table, sizeof((table)[0]), (unsigned)ROWS(table))
#define CHOOSE_AT(ch, prefix, what, table)                                                         \
    choose_from(ch, prefix, what, table, sizeof((table)[0]), (unsigned)ROWS(table))

/* A number below count; yes or no. */
unsigned choose_number(struct choices *ch, const char *what, unsigned count);
bool choose_yes(struct choices *ch, const char *what);

/* Begin another case from a seed, from what was made last (to be changed in `given`), or from
 * text. False: the text is no case. */
void choices_random(struct choices *ch, uint64_t seed);
void choices_again(struct choices *ch);
bool choices_parse(struct choices *ch, const char *text);

/* What a case was said to have, but was not asked for, or has no such value; NULL: all is well. */
const char *choices_unknown(const struct choices *ch);

/* The next case in order; false: that was the last. */
bool choices_next(struct choices *ch);

/* Write the choices that are not plain. */
void choices_print(const struct choices *ch, FILE *out);

#endif
