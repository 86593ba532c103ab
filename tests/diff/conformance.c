/* SPDX-License-Identifier: MIT */
/* usage: conformance RECORD SUITES
 *
 * Prints docs/conformance.md: what of the instruction table is compared with processors, how often,
 * and what public test suites say. Status 1: a row that can be generated has no recorded cases;
 * each is named on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_maker.h"
#include "tests/diff/record.h"

static const char *const feature_names[] = {
#define ISA(id, name, leaf, sub, reg, bit) name,
    ISA_LIST(ISA)
#undef ISA
};

/* Sides of the record: processors, and what is compared with the interpreter. */
static const char *const makers[] = {"amd", "intel"};
static const char *const others[] = {"table", "blocks", "jit", "checks"};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct page {
    struct gen *gen;
    struct record *record;
    unsigned missing;
    bool quiet; /* what is missing has been named */
};

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

/* -- Counts ---------------------------------------------------------------------------------------
 */

/* A number with three digits at most. */
static void print_count(uint64_t n)
{
    static const char units[] = " kMG";
    unsigned unit = 0;
    uint64_t tenths = 0;

    for (; n >= 1000 && unit < 3; unit++) {
        tenths = n % 1000 / 100;
        n /= 1000;
    }
    if (unit == 0)
        printf("%llu", (unsigned long long)n);
    else if (n < 10)
        printf("%llu.%llu %c", (unsigned long long)n, (unsigned long long)tenths, units[unit]);
    else
        printf("%llu %c", (unsigned long long)n, units[unit]);
}

/* Why no processor, or none of AMD's, is asked about the row; or NULL. */
static const char *why_left_out(unsigned row)
{
    const char *why = gen_left_out(&optab[row]);
    return why != NULL ? why : maker_left_out(&optab[row]);
}

static uint64_t row_count(const struct page *p, unsigned row, enum code_size size, bool processor)
{
    uint64_t n = 0;

    for (unsigned k = 0; processor && k < COUNT(makers); k++)
        n += record_of_row(p->record, row, size, makers[k]);
    for (unsigned k = 0; !processor && k < COUNT(others); k++)
        n += record_of_row(p->record, row, size, others[k]);
    return n;
}

struct tally {
    unsigned rows, compared;
    uint64_t n, least; /* least: of a row in code of a size */
    uint64_t other, other_least;
};

static void tally_row(struct page *p, unsigned row, struct tally *t)
{
    t->rows++;
    t->compared += why_left_out(row) == NULL;
    if (gen_left_out(&optab[row]) != NULL)
        for (unsigned size = 0; size < CODE_SIZES; size++)
            t->other += row_count(p, row, (enum code_size)size, false);
    for (unsigned size = 0; size < CODE_SIZES; size++) {
        if (!gen_has_row(p->gen, (enum code_size)size, row))
            continue;
        uint64_t n = row_count(p, row, (enum code_size)size, true);
        uint64_t other = row_count(p, row, (enum code_size)size, false);
        t->n += n;
        t->other += other;
        t->least = n < t->least ? n : t->least;
        t->other_least = other < t->other_least ? other : t->other_least;
        if ((n != 0 || why_left_out(row) != NULL) && other != 0)
            continue;
        p->missing++;
        if (p->quiet)
            continue;
        fprintf(stderr, "%s %s: no cases in %u-bit code\n", optab[row].name, optab[row].operands,
                64u >> size);
    }
}

static void print_tally(const struct tally *t)
{
    printf(" %u | ", t->rows);
    if (t->compared != t->rows)
        printf("%u | ", t->compared);
    else
        printf("all | ");
    print_count(t->n);
    printf(" | ");
    print_count(t->n != 0 ? t->least : 0);
    printf(" | ");
    print_count(t->other);
    printf(" |\n");
}

/* -- Tables ---------------------------------------------------------------------------------------
 */

static void print_sides(const struct page *p)
{
    static const struct {
        const char *side, *what;
    } what[] = {{"amd", "processors of AMD's"},
                {"intel", "processors of Intel's"},
                {"table", "the interpreter, instruction by instruction: flags that rows list"},
                {"blocks", "the interpreter by blocks"},
                {"jit", "the translator"},
                {"checks", "the translator with checks in its code"}};

    printf("| the interpreter is compared with | 64-bit code | 32-bit | 16-bit | together |\n"
           "|---|---|---|---|---|\n");
    for (unsigned k = 0; k < COUNT(what); k++) {
        uint64_t n[CODE_SIZES] = {0}, sum = 0;
        for (unsigned row = 0; row < optab_count; row++)
            for (unsigned size = 0; size < CODE_SIZES; size++)
                n[size] += record_of_row(p->record, row, (enum code_size)size, what[k].side);
        printf("| %s |", what[k].what);
        for (unsigned size = 0; size < CODE_SIZES; size++) {
            printf(" ");
            print_count(n[size]);
            printf(" |");
            sum += n[size];
        }
        printf(" ");
        print_count(sum);
        printf(" |\n");
    }
}

/* Is this the first row with its name and feature? */
static bool is_first(unsigned row)
{
    for (unsigned k = 0; k < row; k++)
        if (optab[k].isa == optab[row].isa && strcmp(optab[k].name, optab[row].name) == 0)
            return false;
    return true;
}

static void print_feature(struct page *p, unsigned isa)
{
    struct tally t = {.least = UINT64_MAX, .other_least = UINT64_MAX};

    for (unsigned k = 0; k < optab_count; k++)
        if (optab[k].isa == isa)
            tally_row(p, k, &t);
    if (t.rows == 0)
        return;
    printf("| %s |", feature_names[isa]);
    print_tally(&t);
}

static void print_mnemonics(struct page *p, unsigned isa)
{
    for (unsigned k = 0; k < optab_count; k++) {
        struct tally t = {.least = UINT64_MAX, .other_least = UINT64_MAX};
        if (optab[k].isa != isa || !is_first(k))
            continue;
        for (unsigned j = k; j < optab_count; j++)
            if (optab[j].isa == isa && strcmp(optab[j].name, optab[k].name) == 0)
                tally_row(p, j, &t);
        printf("| %s | %s |", feature_names[isa], optab[k].name);
        print_tally(&t);
    }
}

static void print_left_out(void)
{
    bool any = false;

    for (unsigned k = 0; k < optab_count; k++)
        any |= why_left_out(k) != NULL;
    if (!any)
        return;
    printf("\n## Rows that are not compared with processors\n\n| why | forms |\n|---|---|\n");
    for (unsigned k = 0; k < optab_count; k++) {
        const char *why = why_left_out(k);
        bool known = why == NULL;
        for (unsigned j = 0; j < k && !known; j++)
            known = why_left_out(j) == why;
        if (known)
            continue;
        printf("| %s |", why);
        for (unsigned j = k; j < optab_count; j++)
            if (why_left_out(j) == why)
                printf(" %s%s%s%s", optab[j].name, optab[j].operands[0] != '\0' ? " `" : "",
                       optab[j].operands, optab[j].operands[0] != '\0' ? "`" : "");
        printf(" |\n");
    }
}

static void print_makers(void)
{
    printf(
        "\n## Intel's processors and AMD's\n\n"
        "Calque does what Intel's processors do. On a host of AMD's these cases are not generated, "
        "not counted, or compared but\nfor the part that differs (`tests/diff/insn_maker.c`). "
        "\"Found\" is what the manuals (SDM, APM) leave open.\n\n"
        "| forms | Intel | AMD |\n|---|---|---|\n");
    for (unsigned k = 0; k < maker_rule_count; k++)
        printf("| %s | %s | %s |\n", maker_rules[k].forms, maker_rules[k].intel,
               maker_rules[k].amd);
}

/* Topics whose names begin with `area`, and its length: "AREA: WORDS". */
static void print_topics(const struct page *p, const char *area, const char *title,
                         const char *text)
{
    const char *topic;
    size_t length = strlen(area);
    bool any = false;

    for (unsigned n = 0; (topic = record_topic_name(p->record, n)) != NULL; n++) {
        if (strncmp(topic, area, length) != 0 || topic[length] != ':')
            continue;
        if (!any)
            printf("\n## %s\n\n%s\n\n| what | cases |\n|---|---|\n", title, text);
        any = true;
        printf("| %s | ", topic + length + 2);
        print_count(record_of_topic(p->record, topic, NULL));
        printf(" |\n");
    }
}

/* -- System programming ---------------------------------------------------------------------------
 */

/* Topics "AREA: WORDS" with a column for each side. */
static void print_area(const struct page *p, const char *area, const char *what)
{
    static const char *const sides[] = {"manual", "jit", "checks", "kvm"};
    const char *topic;
    size_t length = strlen(area);

    printf("\n| %s | the manual | the translator | with checks in its code | KVM |\n"
           "|---|---|---|---|---|\n",
           what);
    for (unsigned n = 0; (topic = record_topic_name(p->record, n)) != NULL; n++) {
        if (strncmp(topic, area, length) != 0 || topic[length] != ':')
            continue;
        printf("| %s |", topic + length + 2);
        for (unsigned k = 0; k < COUNT(sides); k++) {
            printf(" ");
            print_count(record_of_topic(p->record, topic, sides[k]));
            printf(" |");
        }
        printf("\n");
    }
}

static void print_system(const struct page *p)
{
    printf(
        "\n## System programming\n\n"
        "Machines made from choices (modes, tables, descriptors, pages, code), each run by the "
        "interpreter and by others, which\nmust come to the same registers with their hidden parts, "
        "and memory: frames, descriptors, tables. Where the manual\ndecides a case by itself, what it "
        "says is written down once more in the tests and counts as a side\n"
        "(`tests/diff/system_diff.c`). KVM is a side on demand.\n");
    print_area(p, "system", "cases about");
    printf("\nOf the instructions that these cases executed, at all levels, those of systems:\n");
    print_area(p, "instruction", "instruction");
}

/* -- Public suites
 * ---------------------------------------------------------------------------------- */

/* The file is Markdown already, but for comments: lines of # alone or with a space behind it. */
static bool print_suites(const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return false;
    printf("\n## Public test suites\n");
    while (fgets(line, sizeof(line), f) != NULL)
        if (line[0] != '#' || line[1] == '#')
            fputs(line, stdout);
    fclose(f);
    return true;
}

/* -- The page
 * --------------------------------------------------------------------------------------- */

static void print_head(void)
{
    unsigned compared = 0;

    for (unsigned k = 0; k < optab_count; k++)
        compared += why_left_out(k) == NULL;
    printf(
        "# Conformance\n\n"
        "Made by `./dev conformance` from the instruction table (`cpu/optab*.def`), which has a row for "
        "each form of an\ninstruction, from the record of what was compared "
        "(`tests/diff/record.txt`) and from notes on public suites\n(`tests/diff/suites.txt`). Of %u "
        "rows %u are generated and compared with a processor.\n\n",
        optab_count, compared);
    printf(
        "A case is a sequence of one to eight instructions with registers and memory, made at random, or "
        "made for something in\nparticular: `build/tests/diff -list` names the families. The interpreter "
        "executes it instruction by instruction; every\n*side* must come to the same registers, flags that "
        "are defined, memory, x87, MMX and SSE state, segment registers, and\nvector, error code and "
        "address of the exception that ended it. `./dev test diff` does so for a few minutes, `./dev fuzz "
        "diff`\nfor as long as one likes; with `-record` it adds to the record when nothing differed. What "
        "differs is made as simple\nas it gets and printed as text; `tests/diff/cases/` keeps such cases. "
        "On hosts that are not x86-64 processors,\n`insn_golden` compares the interpreter with recorded "
        "results of one of Intel's.\n\nEach instruction that a recorded case executed counts once:\n\n");
}

static bool print_page(struct page *p, const char *suites)
{
    print_head();
    print_sides(p);
    printf("\n\"Least\" is the row, in code of one size, with the fewest cases on processors.\n\n"
           "| feature | rows | compared | on processors | least | on other sides |\n"
           "|---|---|---|---|---|---|\n");
    for (unsigned isa = 0; isa < ISA_COUNT; isa++)
        print_feature(p, isa);
    p->quiet = true;
    print_topics(
        p, "fp", "Floating point",
        "Single operations with operands weighted towards corner cases, under all rounding and "
        "precision controls, masked and\nunmasked: results, exception flags and condition codes "
        "are those of the processor (`tests/diff/fp_diff.c`; transcendental\nx87 operations "
        "within one unit in the last place).");
    print_system(p);
    bool ok = print_suites(suites);
    print_left_out();
    print_makers();
    printf("\n## Each instruction\n\n"
           "| feature | instruction | rows | compared | on processors | least | on other sides |\n"
           "|---|---|---|---|---|---|---|\n");
    for (unsigned isa = 0; isa < ISA_COUNT; isa++)
        print_mnemonics(p, isa);
    return ok;
}

int main(int argc, char **argv)
{
    struct cpu *c = guest_create(has_all, GUEST_LONG);
    struct page p = {.gen = c != NULL ? gen_create(c) : NULL, .record = record_create()};

    if (argc != 3 || p.gen == NULL || p.record == NULL || !record_read(p.record, argv[1]) ||
        !print_page(&p, argv[2])) {
        fprintf(stderr, "usage: conformance RECORD SUITES\n");
        return 2;
    }
    return p.missing != 0;
}
