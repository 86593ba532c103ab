/* SPDX-License-Identifier: MIT */
/* The cases behind a line of golden.txt: see insn_golden.h. They depend on nothing but the row
 * itself. */
#include <stdio.h>
#include <string.h>

#include "tests/diff/insn_agree.h"
#include "tests/diff/insn_golden.h"

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t k = 0; k + 8 <= n; k += 8) {
        uint64_t v;
        memcpy(&v, p + k, 8);
        hash = (hash ^ v) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 32;
    }
    return hash;
}

void golden_key(const struct op_row *row, char key[64])
{
    snprintf(key, 64, "%02x:%02x:%u %s%s%s", row->map, row->opcode, row->prefix, row->name,
             row->operands[0] != '\0' ? " " : "", row->operands);
}

/* Faults are left out: what they leave may depend on the processor. */
static uint64_t one_case(struct gen *g, struct cpu *c, enum code_size size, unsigned row,
                         struct rng *r, golden_check check, bool *ok)
{
    uint8_t before[DATA_SIZE], after[DATA_SIZE];
    struct sequence q;
    struct state s, t;
    if (!gen_sequence(g, r, size, row, 1, &q))
        return 0;
    gen_state(r, size, &s);
    gen_segments(size, &s.seg);
    gen_first_memory(before);
    gen_memory(r, before, RW_PAGES * PAGE);
    memcpy(after, before, sizeof(after));
    t = s;
    guest_run(c, &q, &t, after);
    if (t.vec != VEC_BP)
        return 0;
    normalise(&q, &t);
    if (check != NULL && !check(&q, &s, &t, before, after))
        *ok = false;
    return mix(mix(1, &t, offsetof(struct state, seg)), after, sizeof(after));
}

uint64_t golden_hash(struct gen *g, struct cpu *c, unsigned row, golden_check check, bool *ok)
{
    uint64_t hash = 0;
    char key[64] = {0};
    golden_key(&optab[row], key);
    if (gen_left_out(&optab[row]) != NULL || agreement_find(&optab[row]) != NULL)
        return 0;
    gen_narrow(g);
    for (unsigned size = 0; size < CODE_SIZES; size++) {
        struct rng r = {.s = mix(size + 1, key, sizeof(key)),
                        .data_base = data_base((enum code_size)size)};
        if (!gen_has_row(g, (enum code_size)size, row))
            continue;
        for (unsigned k = 0; k < GOLDEN_CASES; k++) {
            uint64_t h = one_case(g, c, (enum code_size)size, row, &r, check, ok);
            hash = mix(hash, &h, sizeof(h));
        }
    }
    return hash;
}
