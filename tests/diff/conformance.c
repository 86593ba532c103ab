/* SPDX-License-Identifier: MIT */
/* usage: conformance RECORD SUITES
 *
 * Prints docs/conformance.md: what of the instruction table is compared with processors, how often,
 * and what public test suites say. Status 1: a row has no recorded cases, or one that can be
 * generated has none in code of some size; each is named on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_agree.h"
#include "tests/diff/insn_maker.h"
#include "tests/diff/insn_undefined.h"
#include "tests/diff/record.h"

static const char *const feature_names[] = {
#define ISA(id, name, leaf, sub, reg, bit) name,
    ISA_LIST(ISA)
#undef ISA
};

/* Sides of the record: processors, and what is compared with the interpreter. */
static const char *const makers[] = {"amd", "intel"};
static const char *const others[] = {"table", "blocks", "jit", "checks", "restart"};
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

static void print_count_or_blank(uint64_t n)
{
    if (n != 0)
        print_count(n);
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

/* Of topics "AREA: WORDS", or of this one; side NULL: by all. */
static uint64_t area_count(const struct page *p, const char *area, const char *side)
{
    const char *topic;
    size_t length = strlen(area);
    uint64_t sum = 0;

    for (unsigned n = 0; (topic = record_topic_name(p->record, n)) != NULL; n++)
        if (strncmp(topic, area, length) == 0 && (topic[length] == ':' || topic[length] == '\0'))
            sum += record_of_topic(p->record, topic, side);
    return sum;
}

struct tally {
    unsigned rows, compared;
    uint64_t n, least; /* least: of a row in code of a size */
    uint64_t other, levels;
};
static const struct tally tally_empty = {.least = UINT64_MAX};

static void is_missing(struct page *p, unsigned row, const char *what)
{
    p->missing++;
    if (!p->quiet)
        fprintf(stderr, "%s %s: no cases%s\n", optab[row].name, optab[row].operands, what);
}

/* In code of one size; all cases. */
static uint64_t tally_size(struct page *p, unsigned row, enum code_size size, struct tally *t)
{
    static const char *const codes[] = {" in 64-bit code", " in 32-bit code", " in 16-bit code"};
    uint64_t n = row_count(p, row, size, true), other = row_count(p, row, size, false);
    bool on_processors = why_left_out(row) == NULL;

    t->n += n;
    t->other += other;
    if (!gen_has_row(p->gen, size, row))
        return n + other;
    if (on_processors && n < t->least)
        t->least = n;
    if ((on_processors && n == 0) || other == 0)
        is_missing(p, row, codes[size]);
    return n + other;
}

static void tally_row(struct page *p, unsigned row, struct tally *t)
{
    char topic[96];
    uint64_t all = 0;
    bool can_be = gen_left_out(&optab[row]) == NULL; /* not with all features, otherwise */

    snprintf(topic, sizeof(topic), "instruction: %s%s%s", optab[row].name,
             optab[row].operands[0] != '\0' ? " " : "", optab[row].operands);
    t->rows++;
    t->compared += why_left_out(row) == NULL;
    t->levels += record_of_topic(p->record, topic, NULL);
    for (unsigned size = 0; size < CODE_SIZES; size++) {
        all += tally_size(p, row, (enum code_size)size, t);
        can_be |= gen_has_row(p->gen, (enum code_size)size, row);
    }
    if (all == 0 && can_be)
        is_missing(p, row, "");
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
    print_count(t->least != UINT64_MAX ? t->least : 0);
    printf(" | ");
    print_count(t->other);
    printf(" | ");
    print_count_or_blank(t->levels);
    printf(" |");
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
                {"checks", "the translator with checks in its code"},
                {"restart", "both, where each page is missing at first"}};

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
    struct tally t = tally_empty;

    for (unsigned k = 0; k < optab_count; k++)
        if (optab[k].isa == isa)
            tally_row(p, k, &t);
    if (t.rows == 0)
        return;
    printf("| %s |", feature_names[isa]);
    print_tally(&t);
    printf("\n");
}

static bool is_floating_point(unsigned isa)
{
    static const enum isa those[] = {ISA_FPU, ISA_SSE, ISA_SSE2, ISA_SSE3, ISA_SSE41};

    for (unsigned k = 0; k < COUNT(those); k++)
        if (those[k] == isa)
            return true;
    return false;
}

/* All rows of a name and feature, of which this is the first. */
static void print_mnemonic(struct page *p, unsigned row)
{
    struct tally t = tally_empty;
    char topic[64];
    unsigned isa = optab[row].isa;

    for (unsigned k = row; k < optab_count; k++)
        if (optab[k].isa == isa && strcmp(optab[k].name, optab[row].name) == 0)
            tally_row(p, k, &t);
    snprintf(topic, sizeof(topic), "fp: %s", optab[row].name);
    printf("| %s | %s |", optab[row].name, feature_names[isa]);
    print_tally(&t);
    printf(" ");
    print_count_or_blank(is_floating_point(isa) ? area_count(p, topic, NULL) : 0);
    printf(" |\n");
}

static int by_name(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;
    int order = strcmp(optab[*x].name, optab[*y].name);

    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

static void print_mnemonics(struct page *p)
{
    unsigned *first = malloc(optab_count * sizeof(*first)), count = 0;

    for (unsigned k = 0; first != NULL && k < optab_count; k++)
        if (is_first(k))
            first[count++] = k;
    qsort(first, count, sizeof(*first), by_name);
    printf(
        "\n## Each instruction\n\n"
        "Sorted by name; the columns are those of the table of features. \"Single operations\" are "
        "floating-point operations\ncompared one by one (`fp_diff`).\n\n"
        "| instruction | feature | forms | compared | on processors | least | on other sides | "
        "at all levels | single operations |\n|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned k = 0; k < count; k++)
        print_mnemonic(p, first[k]);
    free(first);
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

/* -- What is undefined ----------------------------------------------------------------------------
 */

static void print_flag_names(unsigned flags)
{
    static const char *const names[] = {"CF", "PF", "AF", "ZF", "SF", "OF"};
    const char *comma = "";

    for (unsigned k = 0; k < COUNT(names); k++)
        if (flags & 1u << k) {
            printf("%s%s", comma, names[k]);
            comma = ", ";
        }
    printf(" |");
}

/* Rows with undefined flags of which no line speaks. */
static void find_undefined(struct page *p)
{
    for (unsigned k = 0; k < optab_count; k++) {
        const struct undefined_flags *u = undefined_find(&optab[k]);
        if (gen_left_out(&optab[k]) != NULL ||
            (optab[k].fl_undef & ~(u != NULL ? u->flags : 0)) == 0)
            continue;
        p->missing++;
        fprintf(stderr, "%s %s: insn_undefined.c lacks its undefined flags\n", optab[k].name,
                optab[k].operands);
    }
}

static void print_undefined(struct page *p)
{
    find_undefined(p);
    printf(
        "\n## What the manuals leave undefined\n\n"
        "Flags that instructions leave undefined, and what Calque does with them. The last column has "
        "those that are compared\nwith AMD's processors nevertheless, because these do the same.\n\n"
        "| forms | undefined | in Calque | compared |\n|---|---|---|---|\n");
    for (unsigned k = 0; k < undefined_flags_count; k++) {
        const struct undefined_flags *u = &undefined_flags[k];
        printf("|%s| ", u->names);
        print_flag_names(u->flags);
        printf(" %s | ", u->calque);
        print_flag_names(u->amd);
        printf("\n");
    }
    printf("\n| what | in Calque | compared |\n|---|---|---|\n");
    for (unsigned k = 0; k < undefined_part_count; k++)
        printf("| %s | %s | %s |\n", undefined_parts[k].what, undefined_parts[k].calque,
               undefined_parts[k].compared);
    printf("\nWhat is compared but in part, as models differ there:\n\n"
           "| forms | how |\n|---|---|\n");
    for (unsigned k = 0; k < agreement_count; k++)
        printf("|%s| %s |\n", agreements[k].names, agreements[k].text);
}

/* -- System programming ---------------------------------------------------------------------------
 */

/* Topics "system: WORDS" with a column for each side. */
static void print_topics(const struct page *p)
{
    static const char *const sides[] = {"manual", "jit", "checks", "kvm"};
    const char *topic;
    const char area[] = "system: ";
    const size_t length = strlen(area);

    printf("\n| cases about | the manual | the translator | with checks in its code | KVM |\n"
           "|---|---|---|---|---|\n");
    for (unsigned n = 0; (topic = record_topic_name(p->record, n)) != NULL; n++) {
        if (strncmp(topic, area, length) != 0)
            continue;
        printf("| %s |", topic + length);
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
    print_topics(p);
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

static void print_head(const struct page *p)
{
    unsigned compared = 0;

    for (unsigned k = 0; k < optab_count; k++)
        compared += why_left_out(k) == NULL;
    printf(
        "# Conformance\n\n"
        "What Calque's processor is compared with, and how often. Made by `./dev conformance` from the "
        "instruction table\n(`cpu/optab*.def`, a row for each form of an instruction), the record of "
        "what was compared without a difference\n(`tests/diff/record.txt`) and notes on public suites "
        "(`tests/diff/suites.txt`).\n\n"
        "Of %u rows %u are compared with processors; the others, which are named below, between the "
        "interpreter and the\ntranslator and with what the manual says. A row that nothing was compared "
        "of is an error of `./dev lint`.\n\n## Summary\n\n"
        "Each instruction that a recorded case executed counts once:\n\n",
        optab_count, compared);
    print_sides(p);
    printf("\nBeside these, ");
    print_count(area_count(p, "fp", NULL));
    printf(" single floating-point operations on processors, and ");
    print_count(area_count(p, "system", "jit"));
    printf(" programs of whole systems\nthat the translator ran like the interpreter, ");
    print_count(area_count(p, "system", "manual"));
    printf(" of them with an end that the manual prescribes.\n");
}

static void print_how(void)
{
    printf(
        "\n## How\n\n"
        "A case is a sequence of instructions with registers and memory, made at random, or made for "
        "something in particular:\n`build/tests/diff -list` names the families. The interpreter "
        "executes it instruction by instruction; every *side* must\ncome to the same registers, flags "
        "that are defined, memory, x87, MMX and SSE state, segment registers, and vector,\nerror code "
        "and address of the exception that ended it.\n\n"
        "    ./dev test diff                              # a few minutes of all families\n"
        "    ./dev fuzz diff -max_total_time=3600         # as long as one likes; -record adds to the "
        "record\n"
        "    build/tests/diff build/diff-insn-host-7.case # a case that failed, once more\n\n"
        "What differs is made as simple as it gets, printed as text, and kept in a file; "
        "`tests/diff/cases/` has those that\nmust not come back. On hosts that are not x86-64 "
        "processors, `insn_golden` compares the interpreter with recorded\nresults of one of "
        "Intel's.\n\n"
        "Single floating-point operations (`tests/diff/fp_diff.c`) have operands weighted towards corner "
        "cases, under all\nrounding and precision controls, masked and unmasked: results, exception "
        "flags and condition codes are those of the\nprocessor; transcendental x87 operations are "
        "within one unit in the last place.\n");
}

static void print_features(struct page *p)
{
    printf(
        "\n## Features\n\n\"Least\" is the row, in code of one size, with the fewest cases on "
        "processors. \"At all levels\": executed by machines of\n\"System programming\", below.\n\n"
        "| feature | rows | compared | on processors | least | on other sides | at all levels |\n"
        "|---|---|---|---|---|---|---|\n");
    for (unsigned isa = 0; isa < ISA_COUNT; isa++)
        print_feature(p, isa);
    p->quiet = true;
}

static bool print_page(struct page *p, const char *suites)
{
    print_head(p);
    print_how();
    print_features(p);
    print_system(p);
    print_left_out();
    print_undefined(p);
    print_makers();
    bool ok = print_suites(suites);
    print_mnemonics(p);
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
