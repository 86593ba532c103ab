/* SPDX-License-Identifier: MIT */
/* Files of cases, tests/diff/cases/NAME.case: failures that must not come back. */
#include <errno.h>
#include <string.h>

#include "tests/diff/diff_driver.h"

/* Is the reference's outcome what the file says? */
static bool is_expected(FILE *f, const struct diff_case *k, const struct outcome *want,
                        unsigned *line, bool *readable)
{
    struct outcome ours = *want, expect;
    struct sequence q = k->seq;

    normalise(&q, &ours.s);
    expect = ours;
    *readable = diff_read_after(f, &expect, line);
    if (!*readable)
        return false;
    normalise(&q, &expect.s);
    if (memcmp(&ours.s, &expect.s, sizeof(ours.s)) == 0 &&
        memcmp(ours.mem, expect.mem, DATA_SIZE) == 0)
        return true;
    diff_write_difference(stdout, k, &ours, "file", &expect);
    return false;
}

/* The name without folders and ending. */
static void short_name(const char *path, char name[64])
{
    const char *slash = strrchr(path, '/');

    snprintf(name, 64, "%s", slash != NULL ? slash + 1 : path);
    name[strcspn(name, ".")] = '\0';
}

/* The file anew, but for comments behind the first. */
static void print_file(FILE *f, const struct batch *b)
{
    char text[512];

    rewind(f);
    while (fgets(text, sizeof(text), f) != NULL && text[0] == '#')
        printf("%s", text);
    diff_write_case(stdout, &b->cases[0], &b->want[0]);
}

static bool run_open_file(struct driver *d, FILE *f, const char *path)
{
    struct batch *b = &d->pool.batch[0];
    char name[64];
    unsigned line = 0;
    bool readable = diff_read_case(f, d->maker.decoder, &b->cases[0], &line);

    short_name(path, name);
    start_counts(d);
    b->count = 0;
    b->n[0] = 0;
    if (readable && batch_add(d, b, &b->cases[0])) {
        d->cases++;
        if (d->o.print) {
            print_file(f, b);
            return true;
        }
        d->failed += !is_expected(f, &b->cases[0], &b->want[0], &line, &readable);
        pool_start(&d->pool, 0, ALL_SIDES);
        batch_finish(d, path, 0);
    }
    if (!readable)
        fprintf(stderr, "%s:%u: can't be read\n", path, line);
    print_summary(d, name);
    return readable;
}

bool run_file(struct driver *d, const char *path)
{
    FILE *f = fopen(path, "r");

    if (f == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = run_open_file(d, f, path);
    fclose(f);
    return ok;
}
