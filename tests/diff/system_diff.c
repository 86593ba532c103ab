/* SPDX-License-Identifier: MIT */
/* Privileged behaviour: segments, gates, tasks, paging, debugging... on machines made from choices
 * (system.h), each run by the interpreter and by what is to do the same.
 *
 *     system_diff [-s seed] [-n cases] [-m reports] [-k] [-r] [SCENARIO...] # cases at random
 *     system_diff -a SCENARIO...                               # all cases, in order
 *     system_diff -f FILE                                      # the cases of a file
 *     system_diff -c "SCENARIO what=value ..."                 # one case
 *
 * -k: with KVM; -r: add to tests/diff/record.txt if nothing differed; -l: list the scenarios.
 * Status 1: something differed; each difference is printed as a case that -c takes, without what is
 * not needed for it. 77: no other side runs here. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/diff/system_sides.h"

#define CASES     20000
#define REPORTS   20
#define MAX_SIDES 4
#define HANG      30 /* seconds */

struct driver {
    struct sys *s;
    struct choices ch;
    struct side *side[MAX_SIDES];
    unsigned sides;
    const struct scenario *what;
    struct tally *tally;
    unsigned long cases, expected, failed, endless, reports;
};

static const struct scenario *const families[] = {
    segment_scenarios, gate_scenarios, page_scenarios,  event_scenarios, task_scenarios,
    call_scenarios,    v86_scenarios,  limit_scenarios, tlb_scenarios,   debug_scenarios,
};

/* -- One case ---------------------------------------------------------------------------------- */

static void print_case(const struct driver *t, FILE *out)
{
    fprintf(out, "%s", t->what->name);
    choices_print(&t->ch, out);
    fprintf(out, "\n");
}

static void build(struct driver *t)
{
    sys_clear(t->s, &t->ch);
    t->what->build(t->s);
}

static bool side_fails(struct driver *t, struct side *d, int why, FILE *out)
{
    bool fails = false;

    if (d->jit != NULL && jit_thread_enter(d->jit) != 0)
        abort();
    for (unsigned round = 0; round < d->rounds && !fails; round++) {
        side_load(d, t->s);
        int got = d->run(d, t->s);
        d->ran = got != SYS_NOT_RUN;
        if (!d->ran)
            break;
        fails = got != why || sides_differ(&system_reference, d, t->s, NULL);
        if (fails && out != NULL) {
            fprintf(out, " %s, run %u, differs from the interpreter:\n", d->name, round);
            if (got != why)
                fprintf(out, "  end: %d, not %d\n", got, why);
            sides_differ(&system_reference, d, t->s, out);
        }
    }
    if (d->jit != NULL)
        jit_thread_leave(d->jit);
    return fails;
}

/* Run what has been built on all sides. */
static bool fails(struct driver *t, FILE *out)
{
    bool failed;

    alarm(HANG);
    side_load(&system_reference, t->s);
    int why = system_reference.run(&system_reference, t->s);
    failed = side_breaks_want(&system_reference, t->s, why, out);
    t->endless += why == SYS_ENDLESS;
    for (unsigned k = 0; k < t->sides && why != SYS_ENDLESS && (!failed || out != NULL); k++)
        failed |= side_fails(t, t->side[k], why, out);
    alarm(0);
    return failed;
}

static bool fails_with(struct driver *t, unsigned k, unsigned value)
{
    unsigned was = t->ch.given[k].value;

    t->ch.given[k].value = value;
    t->ch.source = FROM_GIVEN;
    build(t);
    if (fails(t, NULL))
        return true;
    t->ch.given[k].value = was;
    return false;
}

/* Make choices plain, or more so, as long as the case still fails. */
static void minimise(struct driver *t)
{
    bool better = true;

    choices_again(&t->ch);
    while (better) {
        better = false;
        for (unsigned k = 0; k < t->ch.given_count; k++)
            for (unsigned v = 0; v < t->ch.given[k].value; v++)
                if (fails_with(t, k, v)) {
                    better = true;
                    break;
                }
    }
    build(t);
}

static void count_case(struct driver *t)
{
    bool decided = t->s->want.end != END_ANYHOW || t->s->want.words != 0;

    t->cases++;
    t->expected += decided;
    if (decided)
        tally_case(t->tally, t->what->topic, SIDE_MANUAL, NULL);
    for (unsigned k = 0; k < t->sides; k++)
        if (t->side[k]->ran)
            tally_case(t->tally, t->what->topic, t->side[k]->record, &system_reference.trail);
}

static void do_case(struct driver *t)
{
    build(t);
    for (unsigned k = 0; k < t->sides; k++)
        t->side[k]->ran = false;
    bool failed = fails(t, NULL);
    count_case(t);
    if (!failed)
        return;
    if (t->failed++ >= t->reports)
        return;
    minimise(t);
    print_case(t, stdout);
    if (!fails(t, stdout))
        printf(" not again\n");
    fflush(stdout);
}

/* -- Cases ------------------------------------------------------------------------------------- */

static const struct scenario *find_scenario(const char *name, size_t n)
{
    for (unsigned f = 0; f < ROWS(families); f++)
        for (const struct scenario *w = families[f]; w->name != NULL; w++)
            if (strlen(w->name) == n && memcmp(w->name, name, n) == 0)
                return w;
    fprintf(stderr, "no such scenario: %.*s\n", (int)n, name);
    exit(2);
}

static void do_text(struct driver *t, const char *text)
{
    size_t n = strcspn(text, " \n");

    t->what = find_scenario(text, n);
    if (!choices_parse(&t->ch, text + n)) {
        fprintf(stderr, "not a case: %s\n", text);
        exit(2);
    }
    do_case(t);
    const char *unknown = choices_unknown(&t->ch);
    if (unknown != NULL) {
        fprintf(stderr, "not asked for, or no such value: %s in: %s\n", unknown, text);
        exit(2);
    }
}

static void do_file(struct driver *t, const char *name)
{
    char line[1024];
    FILE *file = fopen(name, "r");

    if (file == NULL) {
        perror(name);
        exit(2);
    }
    while (fgets(line, sizeof(line), file) != NULL)
        if (line[0] != '#' && line[0] != '\n')
            do_text(t, line);
    fclose(file);
}

static void do_all(struct driver *t, const struct scenario *w)
{
    t->what = w;
    t->ch = (struct choices){.source = FROM_ORDER};
    do {
        struct choices here;
        build(t);
        here = t->ch;
        t->ch.source = FROM_ORDER;
        do_case(t);
        t->ch = here;
    } while (choices_next(&t->ch));
}

static void do_random(struct driver *t, const struct scenario *w, uint64_t seed, unsigned long n)
{
    t->what = w;
    for (unsigned long k = 0; k < n; k++) {
        choices_random(&t->ch, seed * 1000003 + k);
        do_case(t);
    }
}

static unsigned total_weight(void)
{
    unsigned sum = 0;

    for (unsigned f = 0; f < ROWS(families); f++)
        for (const struct scenario *w = families[f]; w->name != NULL; w++)
            sum += w->weight;
    return sum;
}

static void do_everything(struct driver *t, uint64_t seed, unsigned long cases)
{
    for (unsigned f = 0; f < ROWS(families); f++)
        for (const struct scenario *w = families[f]; w->name != NULL; w++)
            do_random(t, w, seed, cases * w->weight / total_weight());
}

/* -- The program ------------------------------------------------------------------------------- */

static struct driver driver;

static void on_alarm(int sig)
{
    (void)sig;
    printf("does not end: ");
    print_case(&driver, stdout);
    fflush(stdout);
    _exit(1);
}

static void list(void)
{
    for (unsigned f = 0; f < ROWS(families); f++)
        for (const struct scenario *w = families[f]; w->name != NULL; w++)
            printf("%-16s %s\n", w->name, w->topic);
}

static void open_sides(struct driver *t, bool kvm)
{
    system_reference.open(&system_reference);
    for (unsigned k = 0; k < system_others_count; k++)
        if ((kvm || !system_others[k].optional) && system_others[k].open(&system_others[k]))
            t->side[t->sides++] = &system_others[k];
    t->s = sys_create();
    t->tally = tally_create();
}

struct options {
    const char *file, *text;
    uint64_t seed;
    unsigned long cases, reports;
    bool all, kvm, record;
};

static void do_named(struct driver *t, const struct options *o, char **names)
{
    for (; *names != NULL; names++) {
        const struct scenario *w = find_scenario(*names, strlen(*names));
        if (o->all)
            do_all(t, w);
        else
            do_random(t, w, o->seed, o->cases);
    }
}

/* Has each translator had something to translate? */
static bool is_translated(const struct driver *t)
{
    bool all = true;

    for (unsigned k = 0; k < t->sides; k++) {
        if (t->side[k]->jit == NULL)
            continue;
        struct jit_stats s = jit_stats(t->side[k]->jit);
        printf("%s: %llu instructions translated, %llu of them declined\n", t->side[k]->name,
               (unsigned long long)s.insns, (unsigned long long)s.declined);
        all &= s.insns > s.declined || t->cases < CASES;
    }
    return all;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: system_diff [-s seed] [-n cases] [-m reports] [-kr] [-a] [SCENARIO...]\n"
            "       system_diff -f FILE | -c CASE\n"
            "       system_diff -l\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct driver *t = &driver;
    struct options o = {.seed = 1, .cases = CASES, .reports = REPORTS};
    int opt;

    while ((opt = getopt(argc, argv, "s:n:m:krac:f:l")) != -1) {
        switch (opt) {
        case 's': o.seed = strtoull(optarg, NULL, 0); break;
        case 'n': o.cases = strtoul(optarg, NULL, 0); break;
        case 'm': o.reports = strtoul(optarg, NULL, 0); break;
        case 'k': o.kvm = true; break;
        case 'r': o.record = true; break;
        case 'a': o.all = true; break;
        case 'c': o.text = optarg; break;
        case 'f': o.file = optarg; break;
        case 'l': list(); return 0;
        default: return usage();
        }
    }
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_ONSTACK}, NULL);
    t->reports = o.reports;
    open_sides(t, o.kvm);
    if (o.text != NULL)
        do_text(t, o.text);
    else if (o.file != NULL)
        do_file(t, o.file);
    else if (optind < argc)
        do_named(t, &o, argv + optind);
    else
        do_everything(t, o.seed, o.cases);
    printf("%lu cases, %lu with a result known before, %lu endless; %lu differences\n", t->cases,
           t->expected, t->endless, t->failed);
    if (t->failed != 0 || !is_translated(t))
        return 1;
    if (o.record && !tally_merge(t->tally))
        return 2;
    return t->sides == 0 ? 77 : 0;
}
