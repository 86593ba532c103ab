/* SPDX-License-Identifier: MIT */
/* Shared parts of fp_diff: random operands and the report. */
#ifndef TESTS_DIFF_FP_DIFF_H
#define TESTS_DIFF_FP_DIFF_H

#include "cpu/fpu80.h"
#include "cpu/softfp.h"

struct diff {
    uint64_t rng;     /* state of the generator; never 0 */
    uint64_t cases;   /* compared so far */
    uint64_t wrong;   /* mismatches so far */
    unsigned shown;   /* mismatches printed for the current operation */
    unsigned limit;   /* mismatches to print per operation */
    const char *only; /* operation name to test alone, or NULL */
    bool amd;         /* the host is one of AMD's processors */
    uint64_t left_out;
    struct record *record; /* gets the numbers of cases, or NULL */
};

uint64_t diff_random(struct diff *d);
unsigned diff_below(struct diff *d, unsigned n); /* 0 .. n-1 */

/* Operands weighted towards corner cases. The second one is often close to the first. */
struct f80 diff_f80(struct diff *d);
struct f80 diff_f80_near(struct diff *d, struct f80 a);
uint64_t diff_f64(struct diff *d);
uint64_t diff_f64_near(struct diff *d, uint64_t a);
uint32_t diff_f32(struct diff *d);
uint32_t diff_f32_near(struct diff *d, uint32_t a);
uint64_t diff_man(struct diff *d, unsigned bits); /* significand-like pattern of so many bits */

/* differs: AMD's processors are known to differ here from Intel's, which is what the model follows.
 * True: leave the case out. */
bool diff_leave_out(struct diff *d, bool differs);

/* So many cases of an operation were compared. */
void diff_counted(struct diff *d, const char *op, uint64_t cases);

void diff_x87(struct diff *d, unsigned count);
void diff_x87_trans(struct diff *d, unsigned count);
void diff_sse(struct diff *d, unsigned count);

#endif
