/* SPDX-License-Identifier: MIT */
/* Records golden.txt: see insn_golden.h. */
#include <stdio.h>
#include <string.h>

#include "tests/diff/insn_golden.h"

static bool has_on_host(enum isa isa)
{
    switch (isa) {
#define ISA(id, name, leaf, sub, reg, bit)                                                         \
    case ISA_##id: return host_cpuid_bit(leaf, sub, #reg[0], bit);
        ISA_LIST(ISA)
#undef ISA
    default: return false;
    }
}

static bool host_agrees(const struct sequence *q, const struct state *before,
                        const struct state *after, const uint8_t *mem_before,
                        const uint8_t *mem_after)
{
    struct sequence seq = *q;
    struct state s = *before;
    uint8_t mem[DATA_SIZE];
    memcpy(mem, mem_before, DATA_SIZE);
    host_run(&seq, &s, mem);
    normalise(&seq, &s);
    return memcmp(&s, after, sizeof(s)) == 0 && memcmp(mem, mem_after, RW_PAGES * PAGE) == 0;
}

int golden_record(void)
{
    static uint8_t mem[DATA_SIZE];
    struct cpu *c = guest_create(has_on_host, GUEST_LONG);
    struct gen *g = c != NULL ? gen_create(c) : NULL;
    int status = 0;

    gen_first_memory(mem);
    if (host_maker() != MAKER_INTEL || g == NULL || !host_init(mem)) {
        fprintf(stderr, "diff: the records are of Intel's processors\n");
        return 2;
    }
    for (unsigned row = 0; row < optab_count; row++) {
        bool ok = true;
        char key[64];
        uint64_t hash = golden_hash(g, c, row, host_agrees, &ok);
        golden_key(&optab[row], key);
        if (hash != 0 && ok)
            printf("%016llx %s\n", (unsigned long long)hash, key);
        if (!ok) {
            fprintf(stderr, "diff: %s: the interpreter differs\n", key);
            status = 1;
        }
    }
    return status;
}
