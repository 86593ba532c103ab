/* SPDX-License-Identifier: MIT */
/* Makes a case that fails as simple as it gets. */
#ifndef TESTS_DIFF_DIFF_MINIMISE_H
#define TESTS_DIFF_DIFF_MINIMISE_H

#include "tests/diff/diff.h"

/* Does this simpler case fail in the same way? */
struct minimise {
    struct cpu *decoder;
    struct machine *machines; /* of each system, to see how a case goes on */
    bool (*fails)(void *self, const struct diff_case *k);
    void *self;
};

/* *k gets fewer instructions, plainer registers and emptier memory while it fails. */
void diff_minimise(const struct minimise *m, struct diff_case *k);

#endif
