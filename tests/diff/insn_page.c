/* SPDX-License-Identifier: MIT */
/* The page of what is implemented and what of it is compared with a processor, in Markdown, from
 * the instruction table: docs/INSTRUCTIONS.md. */
#include <stdio.h>
#include <string.h>

#include "tests/diff/insn_maker.h"
#include "tests/diff/insn_page.h"

static const char *const feature_names[] = {
#define ISA(id, name, leaf, sub, reg, bit) name,
    ISA_LIST(ISA)
#undef ISA
};

/* Is this the first row with its name, feature and reason? */
static bool is_first(unsigned row)
{
    const char *why = gen_left_out(&optab[row]);
    for (unsigned k = 0; k < row; k++)
        if (optab[k].isa == optab[row].isa && strcmp(optab[k].name, optab[row].name) == 0 &&
            gen_left_out(&optab[k]) == why)
            return false;
    return true;
}

static void print_feature(unsigned isa)
{
    unsigned rows = 0, compared = 0;
    for (unsigned k = 0; k < optab_count; k++) {
        rows += optab[k].isa == isa;
        compared += optab[k].isa == isa && gen_left_out(&optab[k]) == NULL;
    }
    if (rows == 0)
        return;
    printf("| %s | %u | %u |", feature_names[isa], rows, compared);
    for (unsigned k = 0; k < optab_count; k++)
        if (optab[k].isa == isa && gen_left_out(&optab[k]) == NULL && is_first(k))
            printf(" %s", optab[k].name);
    printf(" |\n");
}

static void print_left_out(void)
{
    for (unsigned k = 0; k < optab_count; k++) {
        const char *why = gen_left_out(&optab[k]);
        bool known = why == NULL;
        for (unsigned j = 0; j < k && !known; j++)
            known = gen_left_out(&optab[j]) == why;
        if (known)
            continue;
        printf("| %s |", why);
        for (unsigned j = k; j < optab_count; j++)
            if (gen_left_out(&optab[j]) == why)
                printf(" %s%s%s%s", optab[j].name, optab[j].operands[0] != '\0' ? " `" : "",
                       optab[j].operands, optab[j].operands[0] != '\0' ? "`" : "");
        printf(" |\n");
    }
}

static void print_makers(void)
{
    printf(
        "\n## Intel's processors and AMD's\n\n"
        "Calque does what Intel's processors do. On a host of AMD's these cases are not generated, not "
        "counted, or compared but\nfor the part that differs (`tests/diff/insn_maker.c`). \"Found\" is "
        "what the manuals (SDM, APM) leave open.\n\n"
        "| forms | Intel | AMD |\n|---|---|---|\n");
    for (unsigned k = 0; k < maker_rule_count; k++)
        printf("| %s | %s | %s |\n", maker_rules[k].forms, maker_rules[k].intel,
               maker_rules[k].amd);
}

void print_page(void)
{
    unsigned compared = 0;
    for (unsigned k = 0; k < optab_count; k++)
        compared += gen_left_out(&optab[k]) == NULL;
    printf(
        "# Instructions\n\n"
        "Made by `build/tests/insn_diff -p` from the instruction table (`cpu/optab*.def`), which has a row "
        "for each form\nof an instruction: %u rows, of which %u are compared with a processor.\n\n",
        optab_count, compared);
    printf(
        "`./dev test` runs %u random sequences of one to eight instructions, a third each in 64-, 32- and "
        "16-bit code,\nevery compared row among them, on the host's processor and in the interpreter "
        "(`tests/diff/insn_diff.c`; more with\n`-n`). Registers, flags that are defined, memory, x87, MMX "
        "and SSE state, and the vector, error code and address of\nfaults must agree, with Intel's "
        "processors and, but for what is listed at the end of this page, AMD's. On other hosts,\n"
        "`insn_golden` compares the interpreter with recorded results of one of Intel's.\n\n",
        PAGE_CASES);
    printf("| feature | rows | compared | mnemonics that are compared |\n|---|---|---|---|\n");
    for (unsigned isa = 0; isa < ISA_COUNT; isa++)
        print_feature(isa);
    printf("\n## Not compared\n\n| why | forms |\n|---|---|\n");
    print_left_out();
    print_makers();
}
