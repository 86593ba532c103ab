/* SPDX-License-Identifier: MIT */
/* The sides' processes. They read cases from shared memory and answer there. */
#ifndef TESTS_DIFF_DIFF_POOL_H
#define TESTS_DIFF_DIFF_POOL_H

#include <sys/types.h>

#include "tests/diff/diff.h"

#define BATCH     64u
#define BATCHES   3u
#define ALL_SIDES ((1u << SIDE_COUNT) - 1)

struct batch {
    unsigned count;
    uint64_t n[BATCH]; /* the cases' numbers in their family */
    struct diff_case cases[BATCH];
    struct outcome want[BATCH];
};

struct answer {
    unsigned at; /* the case that is running */
    enum verdict verdict[BATCH];
    struct outcome got[BATCH]; /* where it differs */
    bool worked;               /* see struct side's note() */
    char text[256];
};

struct pool {
    struct batch *batch; /* BATCHES of them */
    struct {
        bool wanted, there;
        char why[256]; /* not there because of this */
        pid_t pid;
        int to, from;
        struct answer *answer;
    } side[SIDE_COUNT];
};

/* Start the processes of the sides that are wanted (bit n: sides[n]). False: no memory. */
bool pool_open(struct pool *p, unsigned wanted);
void pool_close(struct pool *p);

/* Run batch[n] on these of the sides, and wait for their answers. A side that crashed or hung has a
 * verdict that says so, on the case that did it, and is started anew. */
void pool_start(struct pool *p, unsigned n, unsigned which);
void pool_wait(struct pool *p, unsigned n, unsigned which);

#endif
