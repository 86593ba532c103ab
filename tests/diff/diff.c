/* SPDX-License-Identifier: MIT */
/* usage: diff [OPTION...] [FILE.case...]
 *
 * Differential tests of the processor: see diff.h. Runs families of random cases, or the cases in
 * files, on all sides, and prints one line for each family or file: "ok", "FAIL" or "skip".
 *
 *   -max_total_time=S  so many seconds, shared among the families
 *   -runs=N            or so many cases of each family (20000)
 *   -states=N          so many states for each code, where the family does not mind (16)
 *   -seed=N            other cases (1)
 *   -first=N           from this number on: with -seed, -family and -runs=1 a failure again
 *   -family=NAME       this one only         -side=NAME  this side only
 *   -mnemonic=NAME     cases of such instructions only, where a family can choose
 *   -artifact_prefix=P names of files with cases that failed begin so (build/diff-)
 *   -record            add what was compared to tests/diff/record.txt, if nothing differed
 *   -list              families and sides, and rows that none of them has
 *   -print             FILE.case with what must come out, as the reference has it
 *   -golden            print tests/diff/golden.txt, on Intel's processors
 *
 * Status 1: something differs; 2: a mistake in the arguments or in a file. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/diff/diff_driver.h"
#include "tests/diff/insn_golden.h"
#include "tests/diff/record.h"

#define MAX_MISSES 20000000u /* numbers without a case, one after the other */
#define RECORD     "tests/diff/record.txt"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* -- Families -------------------------------------------------------------------------------------
 */

static struct rng case_rng(const struct driver *d, const struct family *f, uint64_t n,
                           unsigned state)
{
    struct rng r = {.s = d->o.seed + ((uint64_t)state << 32)};

    for (const char *p = f->name; *p != '\0'; p++)
        r.s = rng_next(&r) ^ (uint8_t)*p;
    r.s = rng_next(&r) ^ n;
    r.s = rng_next(&r);
    return r;
}

/* Append the case that is behind the last one. */
static void add(struct driver *d, struct batch *b, uint64_t n)
{
    b->n[b->count] = n;
    bool ended = batch_add(d, b, &b->cases[b->count]);
    d->cases += ended;
    d->endless += !ended;
}

static bool may_go_on(const struct driver *d, const struct batch *b, double deadline)
{
    return b->count < BATCH && d->cases < d->o.runs && now() < deadline;
}

/* Append the case's code with other states. */
static void add_states(struct driver *d, struct batch *b, const struct family *f, uint64_t n,
                       const struct diff_case *k, double deadline)
{
    for (unsigned s = 1; s < d->o.states && may_go_on(d, b, deadline); s++) {
        struct rng r = case_rng(d, f, n, s);
        struct diff_case *next = &b->cases[b->count];
        if (next != k)
            memcpy(next, k, offsetof(struct diff_case, before));
        diff_vary(&d->maker, &r, next);
        add(d, b, n);
    }
}

/* Fill a batch with cases from *n on. */
static void fill(struct driver *d, const struct family *f, unsigned which, uint64_t *n,
                 double deadline)
{
    struct batch *b = &d->pool.batch[which];
    uint64_t missed = 0;

    b->count = 0;
    while (missed++ < MAX_MISSES && may_go_on(d, b, deadline)) {
        struct diff_case *k = &b->cases[b->count];
        struct rng r = case_rng(d, f, *n, 0);
        memset(k, 0, offsetof(struct diff_case, mem) + RW_PAGES * PAGE);
        if (f->make(&d->maker, &r, *n, k)) {
            missed = 0;
            add(d, b, *n);
            if (f->any_state)
                add_states(d, b, f, *n, k, deadline);
        }
        (*n)++;
    }
}

/* While a batch is run, the next one is made. */
static void run_family(struct driver *d, const struct family *f, double seconds)
{
    double deadline = seconds > 0 ? now() + seconds : 1e300;
    uint64_t n = d->o.first;

    start_counts(d);
    fill(d, f, 0, &n, deadline);
    for (unsigned which = 0; d->pool.batch[which].count != 0; which ^= 1) {
        pool_start(&d->pool, which, ALL_SIDES);
        fill(d, f, which ^ 1, &n, deadline);
        batch_finish(d, f->name, which);
    }
    print_summary(d, f->name);
}

static void run_families(struct driver *d)
{
    unsigned shares = 0;

    for (unsigned k = 0; k < family_count; k++)
        if (d->o.family == NULL || strcmp(d->o.family, families[k].name) == 0)
            shares += families[k].share;
    for (unsigned k = 0; k < family_count; k++)
        if (d->o.family == NULL || strcmp(d->o.family, families[k].name) == 0)
            run_family(d, &families[k], d->o.seconds * families[k].share / shares);
}

/* -- Lists and records ----------------------------------------------------------------------------
 */

static void list(const struct driver *d)
{
    for (unsigned k = 0; k < family_count; k++)
        printf("family %s: %s\n", families[k].name, families[k].what);
    for (unsigned k = 0; k < SIDE_COUNT; k++)
        printf("side %s: %s%s%s\n", sides[k]->name, sides[k]->what,
               d->pool.side[k].there ? "" : "; not here: ", d->pool.side[k].why);
    for (unsigned k = 0; k < optab_count; k++)
        if (!gen_has_row(d->maker.gen, CODE_64, k) && !gen_has_row(d->maker.gen, CODE_32, k) &&
            !gen_has_row(d->maker.gen, CODE_16, k))
            printf("not generated: %s %s\n", optab[k].name, optab[k].operands);
}

static bool record(const struct driver *d)
{
    struct record *r = record_create();
    bool ok = r != NULL;

    for (unsigned row = 0; ok && row < optab_count; row++)
        for (unsigned size = 0; size < CODE_SIZES; size++)
            for (unsigned s = 0; s < SIDE_COUNT; s++)
                record_count(r, row, (enum code_size)size,
                             sides[s] == &side_host ? record_maker() : sides[s]->name,
                             d->rows[row][size][s]);
    ok = ok && record_merge(r, RECORD);
    record_free(r);
    if (!ok)
        fprintf(stderr, "diff: can't add to " RECORD "\n");
    return ok;
}

/* -- Start ----------------------------------------------------------------------------------------
 */

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

static const uint8_t *make_words(void)
{
    uint8_t *words = malloc(MEMORY_WORDS * 8);
    struct rng r = {.s = 1};

    if (words != NULL)
        gen_memory(&r, words, MEMORY_WORDS * 8);
    return words;
}

static bool open_driver(struct driver *d)
{
    unsigned wanted = 0;

    for (unsigned k = 0; k < SIDE_COUNT; k++)
        if (d->o.side == NULL || strcmp(d->o.side, sides[k]->name) == 0)
            wanted |= 1u << k;
    for (unsigned n = 0; n < GUEST_SYSTEMS; n++)
        if (!machine_open(&d->reference[n], (enum guest_system)n))
            return false;
    d->maker.decoder = guest_create(has_all, GUEST_LONG);
    d->maker.gen = d->maker.decoder != NULL ? gen_create(d->maker.decoder) : NULL;
    d->maker.host = host_maker();
    d->maker.host_only = d->o.side != NULL && strcmp(d->o.side, side_host.name) == 0;
    d->maker.words = make_words();
    d->rows = calloc(optab_count, sizeof(d->rows[0]));
    d->failed_row = calloc(optab_count, sizeof(d->failed_row[0]));
    if (d->maker.gen == NULL || d->maker.words == NULL || d->rows == NULL ||
        d->failed_row == NULL || !pool_open(&d->pool, wanted))
        return false;
    for (unsigned n = 0; n <= REPORTS; n++)
        for (unsigned k = 0; k < BATCH; k++)
            gen_first_memory(d->pool.batch[n].cases[k].mem);
    for (unsigned k = 0; k < SIDE_COUNT; k++)
        if (d->pool.side[k].wanted && !d->pool.side[k].there)
            printf("skip diff %s: %s\n", sides[k]->name, d->pool.side[k].why);
    fflush(stdout);
    return true;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: diff [-max_total_time=S] [-runs=N] [-states=N] [-seed=N] [-first=N] [-family=NAME] "
        "[-side=NAME] [-mnemonic=NAME] [-artifact_prefix=P] [-record] [-list] [-golden] [-print] [FILE.case...]\n");
    return 2;
}

static bool read_options(struct driver *d, int argc, char **argv, int *what)
{
    static const struct option options[] = {{"max_total_time", 1, NULL, 't'},
                                            {"runs", 1, NULL, 'n'},
                                            {"states", 1, NULL, 'v'},
                                            {"seed", 1, NULL, 's'},
                                            {"first", 1, NULL, 'f'},
                                            {"family", 1, NULL, 'F'},
                                            {"side", 1, NULL, 'S'},
                                            {"mnemonic", 1, NULL, 'm'},
                                            {"artifact_prefix", 1, NULL, 'a'},
                                            {"record", 0, NULL, 'r'},
                                            {"list", 0, NULL, 'l'},
                                            {"golden", 0, NULL, 'g'},
                                            {"print", 0, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    int opt;

    while ((opt = getopt_long_only(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 't': d->o.seconds = strtod(optarg, NULL); break;
        case 'n': d->o.runs = strtoull(optarg, NULL, 0); break;
        case 'v': d->o.states = (unsigned)strtoul(optarg, NULL, 0); break;
        case 's': d->o.seed = strtoull(optarg, NULL, 0); break;
        case 'f': d->o.first = strtoull(optarg, NULL, 0); break;
        case 'F': d->o.family = optarg; break;
        case 'S': d->o.side = optarg; break;
        case 'm': d->maker.only = optarg; break;
        case 'a': d->o.prefix = optarg; break;
        case 'r': d->o.record = true; break;
        case 'p': d->o.print = true; break;
        case 'l':
        case 'g': *what = opt; break;
        default: return false;
        }
    }
    if (d->o.runs == 0)
        d->o.runs = d->o.seconds > 0 ? UINT64_MAX : 20000;
    return true;
}

int main(int argc, char **argv)
{
    static struct driver d;
    int what = 0;
    bool ok = true;

    d.o.seed = 1;
    d.o.states = 16;
    d.o.prefix = "build/diff-";
    d.o.program = argv[0];
    if (!read_options(&d, argc, argv, &what))
        return usage();
    if (what == 'g')
        return golden_record();
    if (!open_driver(&d)) {
        fprintf(stderr, "diff: set-up failed\n");
        return 2;
    }
    if (what == 'l')
        list(&d);
    else if (optind == argc)
        run_families(&d);
    d.o.files = optind < argc;
    for (int k = optind; k < argc; k++)
        ok &= run_file(&d, argv[k]);
    pool_close(&d.pool);
    if (ok && d.o.record && !d.any_failed)
        ok = record(&d);
    return d.any_failed ? 1 : ok ? 0 : 2;
}
