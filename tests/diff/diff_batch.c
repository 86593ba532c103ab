/* SPDX-License-Identifier: MIT */
/* Batches of cases, and what the sides say of them. */
#include <string.h>

#include "tests/diff/diff_driver.h"

#define MAX_REPORTS 20

bool batch_add(struct driver *d, struct batch *b, const struct diff_case *k)
{
    struct outcome *want = &b->want[b->count];

    if (k != &b->cases[b->count])
        b->cases[b->count] = *k;
    machine_run(&d->reference[k->system], k, want);
    b->count += want->ended;
    return want->ended;
}

/* The instructions up to where it ended. */
static void count_rows(struct driver *d, unsigned side, const struct diff_case *k,
                       const struct outcome *want)
{
    const struct sequence *q = &k->seq;
    uint64_t end = want->s.rip - sequence_start(q);

    for (unsigned n = 0; n < q->count; n++)
        if (want->s.vec == VEC_BP || end >= q->len || q->insn[n].at <= end)
            d->rows[q->insn[n].row][q->size][side]++;
}

/* The first new failure on this side: a case of the batch, or its count. */
static unsigned tally_side(struct driver *d, const struct batch *b, unsigned side)
{
    unsigned first = b->count;

    for (unsigned k = 0; k < b->count; k++) {
        enum verdict v = d->pool.side[side].answer->verdict[k];
        const struct sequence *q = &b->cases[k].seq;
        if (v == SIDE_LEFT_OUT)
            continue;
        d->compared[side]++;
        count_rows(d, side, &b->cases[k], &b->want[k]);
        d->failed += v != SIDE_SAME;
        bool *known = &d->failed_row[q->count != 0 ? q->insn[q->count - 1].row : 0];
        if (v != SIDE_SAME && first == b->count && (!*known || d->maker.only != NULL)) {
            *known = true;
            first = k;
        }
    }
    return first;
}

void batch_finish(struct driver *d, const char *from, unsigned n)
{
    const struct batch *b = &d->pool.batch[n];
    enum verdict verdict[SIDE_COUNT] = {SIDE_SAME};
    unsigned at[SIDE_COUNT];

    pool_wait(&d->pool, n, ALL_SIDES);
    for (unsigned k = 0; k < b->count; k++)
        d->exceptions += b->want[k].s.vec != VEC_BP;
    /* Reports run cases too: their answers replace these. */
    for (unsigned s = 0; s < SIDE_COUNT; s++) {
        at[s] = tally_side(d, b, s);
        if (at[s] < b->count)
            verdict[s] = d->pool.side[s].answer->verdict[at[s]];
    }
    for (unsigned s = 0; s < SIDE_COUNT; s++) {
        bool known = false, others = false;
        for (unsigned t = 0; t < SIDE_COUNT; t++) {
            known |= t < s && at[t] == at[s];
            others |= t > s && at[t] == at[s];
        }
        if (at[s] < b->count && !known && d->reports++ < MAX_REPORTS)
            report_failure(d, from, b->n[at[s]], s, verdict[s], others, &b->cases[at[s]]);
    }
}

void start_counts(struct driver *d)
{
    d->cases = d->exceptions = d->endless = d->failed = 0;
    memset(d->compared, 0, sizeof(d->compared));
}

/* The translator must have translated something. */
void print_summary(struct driver *d, const char *name)
{
    bool idle = false;

    for (unsigned s = 0; s < SIDE_COUNT; s++)
        idle |= d->compared[s] > BATCH && !d->pool.side[s].answer->worked;
    bool ok = d->failed == 0 && d->cases != 0 && !idle;
    printf("%s diff %s: %llu cases, %llu ended by an exception", ok ? "ok" : "FAIL", name,
           (unsigned long long)d->cases, (unsigned long long)d->exceptions);
    if (d->endless != 0)
        printf(", %llu more did not end", (unsigned long long)d->endless);
    for (unsigned s = 0; s < SIDE_COUNT; s++)
        if (d->compared[s] != 0)
            printf("; %s %llu", sides[s]->name, (unsigned long long)d->compared[s]);
    printf("; %llu differences%s\n", (unsigned long long)d->failed, idle ? "; a side idle" : "");
    fflush(stdout);
    d->any_failed |= !ok;
}
