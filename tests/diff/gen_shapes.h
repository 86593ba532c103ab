/* SPDX-License-Identifier: MIT */
/* Families of cases beyond single rows of the instruction table (see struct family). */
#ifndef TESTS_DIFF_GEN_SHAPES_H
#define TESTS_DIFF_GEN_SHAPES_H

#include "tests/diff/diff.h"

bool gen_smc(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out);

/* The system and code size of case n: in half of the cases the one that processors can be asked
 * about. */
void gen_mode(uint64_t n, enum guest_system *system, enum code_size *size);

#endif
