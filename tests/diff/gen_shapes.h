/* SPDX-License-Identifier: MIT */
/* Families of cases beyond single rows of the instruction table (see struct family). */
#ifndef TESTS_DIFF_GEN_SHAPES_H
#define TESTS_DIFF_GEN_SHAPES_H

#include "tests/diff/diff.h"

bool gen_smc(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out);
bool gen_fault(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out);
bool gen_prefix(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out);

/* The system and code size of case n: in half of the cases those that processors can be asked
 * about. */
#define GEN_MODES 16u
void gen_mode(uint64_t n, struct diff_case *out);

/* What must not be generated for it: what AMD's processors do otherwise, or what at CPL 0 takes
 * away what the test stands on. */
gen_avoid gen_avoids(const struct diff_maker *m, enum guest_system system);
bool gen_is_destructive(const struct gen_choice *choice);

#endif
