/* SPDX-License-Identifier: MIT */
/* Accesses that fault: a random instruction of each row whose operands, string pointers or stack
 * are about an edge: the end of a page in front of one that is missing, read-only or the
 * supervisor's, the end of the address space or of its canonical half, the limit of a segment, the
 * end of a 16-bit segment, with alignment checks in some of the cases. What an access that faults
 * leaves behind must be nothing, on all sides; the side "restart" lets it succeed afterwards. */
#include <string.h>

#include "tests/diff/gen_shapes.h"
#include "tests/diff/insn_guest.h"
#include "tests/diff/insn_segs.h"

struct edge {
    uint64_t la;
    uint8_t sizes;   /* code sizes, as bits */
    bool supervisor; /* what is there belongs to the system */
};

enum { IN64 = 1u << CODE_64, IN32 = 1u << CODE_32, IN16 = 1u << CODE_16, ALL = 7 };

#define CODE_END  (CODE_LA + CODE_SIZE)
#define ALIAS_END (ALIAS_LA + CODE_SIZE)

static const struct edge edges[] = {
    {DATA_LA, ALL, false},        /* missing, there */
    {DATA_LA + PAGE, ALL, false}, /* both there */
    {DATA_LA + PAGE, ALL, false},
    {DATA_LA + 2 * PAGE, ALL, false}, /* there, read-only */
    {DATA_LA + 3 * PAGE, ALL, false}, /* read-only, missing */
    {ALIAS_LA, ALL, false},
    {ALIAS_LA + PAGE, ALL, false}, /* code's second page behind its first */
    {ALIAS_END, ALL, false},       /* there, missing */
    {CODE_END, IN64 | IN32, false},
    {SYSTEM_LA, IN64 | IN32, true},            /* missing, the supervisor's */
    {SYSTEM_LA + 3 * PAGE, IN64 | IN32, true}, /* the supervisor's, missing */
    {0, ALL, false},                           /* the end and the start */
    {UINT64_C(1) << 32, ALL, false},
    {UINT64_C(1) << 47, IN64, false}, /* not canonical from here on */
    {UINT64_MAX << 47, IN64, false},  /* canonical again */
    {DATA_LA + 0x10000, IN16, false},
};
#define EDGES (sizeof(edges) / sizeof(edges[0]))

struct fault {
    struct rng *r;
    struct diff_case *k;
    enum code_size size;
    int sreg; /* whose limit the edge is, or -1 */
};

static bool chance(struct rng *r, unsigned one_in)
{
    return rng_below(r, one_in) == 0;
}

static bool has_own_system(enum guest_system system)
{
    return system == GUEST_LONG || system == GUEST_PAGED || system == GUEST_V86;
}

/* Whether an access that wraps at 4 GiB violates the segment's limit is open (SDM 3A 5.3). */
static void leave_wraps(struct fault *f, uint64_t edge)
{
    if (f->size != CODE_64 && (edge == 0 || edge >= UINT32_MAX))
        f->k->not_on_host = true;
}

static void pick_edge(struct fault *f)
{
    const struct edge *e;

    do
        e = &edges[rng_below(f->r, EDGES)];
    while (!(e->sizes >> f->size & 1) || (e->supervisor && !has_own_system(f->k->system)));
    f->r->edge = e->la - f->r->data_base;
    leave_wraps(f, e->la);
    /* What is written there becomes code, of any instructions: their undefined flags too. */
    f->k->not_on_host |= e->la >= ALIAS_LA && e->la <= ALIAS_END;
}

/* A data segment, or one of code that can be read. */
static bool is_usable(unsigned entry, unsigned sreg)
{
    const struct ldt_entry *e = &ldt_entries[entry];
    bool code = e->type & LDT_CODE_TYPE;

    return !e->absent && !(code && e->only) && (sreg != SEG_SS || (!code && !e->only));
}

static void pick_segment(struct fault *f)
{
    static const uint8_t all[] = {SEG_DS, SEG_DS, SEG_DS, SEG_ES, SEG_SS, SEG_SS, SEG_FS, SEG_GS};
    unsigned entry;

    f->sreg = all[rng_below(f->r, sizeof(all))];
    do
        entry = (unsigned)rng_below(f->r, ldt_count);
    while (!is_usable(entry, (unsigned)f->sreg));
    f->k->before.seg.sel[f->sreg] = (uint16_t)(entry << 3 | 7);
    const struct ldt_entry *e = &ldt_entries[entry];
    uint32_t limit = e->pages ? e->limit << 12 | 0xfff : e->limit;
    f->r->edge = (uint64_t)limit + 1 + rng_below(f->r, 9);
    if (e->type == LDT_DOWN && chance(f->r, 2)) /* its upper end */
        f->r->edge = e->big ? UINT64_C(1) << 32 : 0x10000;
    leave_wraps(f, f->r->edge);
}

static bool is_stack_row(const struct op_row *row)
{
    static const char *const names[] = {"PUSH", "POP", "CALL", "RET", "ENTER", "LEAVE", "IRET"};

    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (strncmp(row->name, names[k], strlen(names[k])) == 0)
            return true;
    return false;
}

static bool is_segment_free(const struct fault *f)
{
    enum guest_system system = f->k->system;
    return f->size != CODE_64 && system != GUEST_REAL && system != GUEST_V86;
}

/* Where the stack pointer is; what LEAVE and ENTER read is at RBP. */
static void place_stack(struct fault *f, const struct op_row *row)
{
    uint64_t *r = f->k->before.r, off = rng_below(f->r, 80);

    if (is_stack_row(row) ? chance(f->r, 5) : f->sreg != SEG_SS)
        return;
    off = f->r->edge + 40 - (chance(f->r, 2) ? off & ~UINT64_C(1) : off);
    if (f->size == CODE_16 && chance(f->r, 2))
        off &= 0xffff;
    r[RSP] = f->size == CODE_64 ? off : (uint32_t)off;
    if (chance(f->r, 2))
        r[RBP] = r[RSP] + 8 * rng_below(f->r, 4);
}

/* Has the last instruction an operand in memory? */
static bool touches_memory(const struct diff_maker *m, const struct sequence *q)
{
    const struct op_row *row = &optab[q->insn[q->count - 1].row];
    unsigned at = q->insn[q->count - 1].at;
    struct insn i;

    guest_set_mode(m->decoder, q->size);
    return (row->attr & ATTR_STR) || strncmp(row->name, "MASKMOV", 7) == 0 ||
           strcmp(row->name, "XLAT") == 0 ||
           (decode(m->decoder, &i, q->code + at, q->len - at) == DECODE_OK && i.mem);
}

bool gen_fault(const struct diff_maker *m, struct rng *r, uint64_t n, struct diff_case *out)
{
    unsigned row = (unsigned)(n / GEN_MODES % optab_count);
    struct fault f = {.r = r, .k = out, .sreg = -1};

    gen_mode(n, out);
    f.size = out->seq.size;
    if (!gen_has_row(m->gen, f.size, row) ||
        (m->only != NULL && strcmp(m->only, optab[row].name) != 0))
        return false;
    diff_vary(m, r, out);
    if (chance(r, 3) && is_segment_free(&f))
        pick_segment(&f);
    else
        pick_edge(&f);
    r->at_edge = true;
    gen_set(m->gen, gen_avoids(m, out->system), false);
    if (!gen_sequence(m->gen, r, f.size, row, 1, &out->seq))
        return false;
    place_stack(&f, &optab[row]);
    if (chance(r, 4))
        out->before.eflags |= EFL_AC;
    return is_stack_row(&optab[row]) || f.sreg == SEG_SS || touches_memory(m, &out->seq);
}
