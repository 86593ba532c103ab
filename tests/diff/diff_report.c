/* SPDX-License-Identifier: MIT */
/* A failure: made as simple as it gets, printed, and kept in a file of its own. */
#include <stdlib.h>
#include <string.h>

#include "tests/diff/diff_driver.h"
#include "tests/diff/diff_minimise.h"

struct failure {
    struct driver *d;
    unsigned side;
    enum verdict verdict;
};

/* Does the case fail on this side, as it did? It and its outcome are then the first of the batch
 * for reports. */
static bool fails(void *self, const struct diff_case *k)
{
    struct failure *f = self;
    struct batch *b = &f->d->pool.batch[REPORTS];

    b->count = 0;
    if (!batch_add(f->d, b, k))
        return false;
    pool_start(&f->d->pool, REPORTS, 1u << f->side);
    pool_wait(&f->d->pool, REPORTS, 1u << f->side);
    return f->d->pool.side[f->side].answer->verdict[0] == f->verdict;
}

/* The case as a file has it, with what must come out: the processor's word counts for more than the
 * reference's. */
static void write_failure(FILE *out, struct failure *f, const struct diff_case *k)
{
    struct driver *d = f->d;
    const struct outcome *want = &d->pool.batch[REPORTS].want[0];
    const struct outcome *got = &d->pool.side[f->side].answer->got[0];
    bool differs = f->verdict == SIDE_DIFFERS && fails(f, k);

    if (!differs)
        machine_run(&d->reference[k->system], k, &d->pool.batch[REPORTS].want[0]);
    diff_write_case(out, k, differs && sides[f->side] == &side_host ? got : want);
    if (differs)
        diff_write_difference(out, k, want, sides[f->side]->name, got);
}

static void save(const struct driver *d, const char *from, uint64_t n, unsigned side,
                 const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s-%s-%llu.case", d->o.prefix, from, sides[side]->name,
             (unsigned long long)n);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) == EOF || fclose(file) != 0)
        perror(path);
    else
        printf("# saved; again: %s %s\n", d->o.program, path);
}

void report_failure(struct driver *d, const char *from, uint64_t n, unsigned side,
                    enum verdict verdict, bool others, const struct diff_case *case_)
{
    static const char *const words[] = {
        [SIDE_DIFFERS] = "differs", [SIDE_CRASHED] = "crashes", [SIDE_HUNG] = "does not end"};
    struct failure f = {d, side, verdict};
    struct minimise m = {d->maker.decoder, d->reference, fails, &f};
    struct diff_case k = *case_;
    char *text = NULL;
    size_t size = 0;
    bool alone = verdict == SIDE_HUNG || fails(&f, &k); /* to see it hang once is enough */

    if (alone && verdict != SIDE_HUNG)
        diff_minimise(&m, &k);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    fprintf(out, "# %s, case %llu: the side \"%s\" %s%s\n", from, (unsigned long long)n,
            sides[side]->name, words[verdict], others ? ", and others do" : "");
    if (alone)
        write_failure(out, &f, &k);
    else
        fprintf(out, "# not when it is alone\n");
    fclose(out);
    printf("%s", text);
    if (d->o.files)
        printf("# again: %s %s\n", d->o.program, from);
    else if (alone)
        save(d, from, n, side, text);
    else
        printf("# again: %s -family=%s -side=%s -seed=%llu -states=%u -first=%llu -runs=%u\n",
               d->o.program, from, sides[side]->name, (unsigned long long)d->o.seed, d->o.states,
               (unsigned long long)n, BATCH);
    fflush(stdout);
    free(text);
}
