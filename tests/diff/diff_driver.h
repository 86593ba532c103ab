/* SPDX-License-Identifier: MIT */
/* The driver's own parts. */
#ifndef TESTS_DIFF_DIFF_DRIVER_H
#define TESTS_DIFF_DIFF_DRIVER_H

#include "tests/diff/diff_pool.h"

/* Two batches take turns: one is made while the other one is run. The third is for reports. */
enum { REPORTS = 2 };

struct options {
    double seconds; /* 0: no limit */
    uint64_t runs, seed, first;
    unsigned states; /* that each code runs from */
    const char *family, *side, *prefix, *program;
    bool record, print, files;
};

struct driver {
    struct options o;
    struct pool pool;
    struct machine reference[GUEST_SYSTEMS];
    struct diff_maker maker;
    /* Of the family or file that runs. */
    uint64_t cases, exceptions, endless, failed, compared[SIDE_COUNT];
    /* Of all. */
    uint64_t (*rows)[CODE_SIZES][SIDE_COUNT];
    bool *failed_row; /* each is reported once */
    unsigned reports;
    bool any_failed;
};

/* -- One batch (diff_batch.c) ----------------------------------------------------------------- */

/* Append case k, which may be in its place already, with the reference's outcome. False: it does
 * not end. */
bool batch_add(struct driver *d, struct batch *b, const struct diff_case *k);

/* Hear what the sides say of batch n: counts and reports. from: whose cases they are. */
void batch_finish(struct driver *d, const char *from, unsigned n);

/* Print a case that fails on this side, as simple as it gets (diff_report.c). others: some of the
 * sides behind it fail too. */
void report_failure(struct driver *d, const char *from, uint64_t n, unsigned side,
                    enum verdict verdict, bool others, const struct diff_case *case_);

void start_counts(struct driver *d);
/* The line that tells how it went. */
void print_summary(struct driver *d, const char *name);

/* -- Files of cases (diff_files.c) ------------------------------------------------------------ */

/* False: it can't be read. */
bool run_file(struct driver *d, const char *path);

#endif
