/* SPDX-License-Identifier: MIT */
/* The tree of heads (see known.h). */
#include "cpu/known.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SIZES 3
#define NODES      4096
#define LEAVES     16384
#define MAX_LEN    15

/* What a byte leads to: 0 nothing, LEAF and a leaf's number, or a node's, which is never 0: that is
 * a root, as are those of the other sizes of code. */
#define LEAF 0x8000

struct leaf {
    struct insn insn;
    struct known_values values;
};

struct known {
    unsigned nodes, leaves; /* in use */
    uint16_t next[NODES][256];
    struct leaf leaf[LEAVES];
};

static uint16_t add_node(struct known *k)
{
    memset(k->next[k->nodes], 0, sizeof(k->next[0]));
    return (uint16_t)k->nodes++;
}

static void forget(struct known *k)
{
    k->nodes = k->leaves = 0;
    while (k->nodes < CODE_SIZES)
        add_node(k);
}

struct known *known_create(void)
{
    struct known *k = malloc(sizeof(*k));
    if (k != NULL)
        forget(k);
    return k;
}

void known_free(struct known *k)
{
    free(k);
}

static int64_t value_at(const uint8_t *p, unsigned bytes)
{
    int16_t v16;
    int32_t v32;
    int64_t v64;

    switch (bytes) {
    case 1: return (int8_t)*p;
    case 2: memcpy(&v16, p, 2); return v16;
    case 4: memcpy(&v32, p, 4); return v32;
    default: memcpy(&v64, p, 8); return v64;
    }
}

bool known_find(const struct known *k, unsigned code_size, struct insn *out, const uint8_t *p,
                size_t n)
{
    unsigned at = code_size;

    for (size_t used = 0; !(at & LEAF); used++) {
        if (used == n)
            return false;
        at = k->next[at][p[used]];
        if (at == 0)
            return false;
    }
    const struct leaf *l = &k->leaf[at & ~LEAF];
    if (l->insn.len > n)
        return false;
    *out = l->insn;
    if (l->values.disp_bytes != 0)
        out->disp = value_at(p + l->values.disp_at, l->values.disp_bytes);
    if (l->values.imm_bytes != 0)
        out->imm = (uint64_t)value_at(p + l->values.imm_at, l->values.imm_bytes);
    return true;
}

void known_add(struct known *k, unsigned code_size, const struct insn *i, const uint8_t *p,
               struct known_values values)
{
    unsigned head = values.disp_bytes != 0  ? values.disp_at
                    : values.imm_bytes != 0 ? values.imm_at
                                            : i->len;
    uint16_t *link;

    if (k->nodes + MAX_LEN > NODES || k->leaves == LEAVES)
        forget(k);
    link = &k->next[code_size][p[0]];
    for (unsigned used = 1; used < head; used++) {
        if (*link == 0)
            *link = add_node(k);
        assert(!(*link & LEAF));
        link = &k->next[*link][p[used]];
    }
    assert(*link == 0);
    *link = (uint16_t)(LEAF | k->leaves);
    k->leaf[k->leaves++] = (struct leaf){*i, values};
}
