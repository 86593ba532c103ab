/* SPDX-License-Identifier: MIT */
/* usage: insn_golden FILE
 *
 * Compares the interpreter with results that were recorded on an x86-64 host (see insn_golden.h).
 * After a change of the generator or of a row's columns record again: build/tests/diff -golden >
 * FILE. Status 1: a row differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_golden.h"
#include "tests/diff/jit_system.h"

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

static int find_row(const char *key)
{
    char k[64];
    for (unsigned row = 0; row < optab_count; row++) {
        golden_key(&optab[row], k);
        if (strcmp(k, key) == 0)
            return (int)row;
    }
    return -1;
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    struct cpu *c = guest_create(has_all, GUEST_LONG);
    struct gen *g = c != NULL ? gen_create(c) : NULL;
    char line[128], key[64];
    unsigned rows = 0, differ = 0;
    if (f == NULL || g == NULL) {
        fprintf(stderr, "usage: insn_golden FILE\n");
        return 2;
    }
    system_create(c, GUEST_LONG);
    while (fgets(line, sizeof(line), f) != NULL) {
        unsigned long long want;
        bool ok = true;
        int row;
        if (sscanf(line, "%16llx %63[^\n]", &want, key) != 2 || (row = find_row(key)) < 0)
            continue;
        rows++;
        if (golden_hash(g, c, (unsigned)row, NULL, &ok) != want) {
            printf("differs: %s\n", key);
            differ++;
        }
    }
    printf("%u rows, %u differ\n", rows, differ);
    fclose(f);
    gen_free(g);
    guest_free(c);
    return differ != 0 || rows == 0;
}
