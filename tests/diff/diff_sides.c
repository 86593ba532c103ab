/* SPDX-License-Identifier: MIT */
/* The sides: see diff.h. */
#include <stdlib.h>
#include <string.h>

#include "tests/diff/diff.h"
#include "tests/diff/insn_agree.h"
#include "tests/diff/insn_guest.h"
#include "tests/diff/insn_maker.h"
#include "tests/diff/insn_segs.h"
#include "tests/diff/insn_undefined.h"

/* -- This host's processor ----------------------------------------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif

struct host {
    struct cpu *decoder;
    bool amd;
    bool has[ISA_COUNT];
};

static bool host_has(enum isa isa)
{
    switch (isa) {
#define ISA(id, name, leaf, sub, reg, bit)                                                         \
    case ISA_##id: return host_cpuid_bit(leaf, sub, #reg[0], bit);
        ISA_LIST(ISA)
#undef ISA
    default: return false;
    }
}

/* MONITOR and MWAIT are #UD at CPL 3 with the feature and without. */
static bool host_knows(enum isa isa)
{
    return isa == ISA_MONITOR || host_has(isa);
}

static void *host_open(char why[256])
{
    static uint8_t mem[DATA_SIZE];
    struct host *h = calloc(1, sizeof(*h));

    snprintf(why, 256, "neither Intel's nor AMD's processor");
    if (h == NULL || host_maker() == MAKER_OTHER)
        return NULL;
    snprintf(why, 256, "the sanitizers' memory is where wild addresses point");
    if (SANITIZED)
        return NULL;
    snprintf(why, 256, "its memory can't be mapped");
    h->amd = host_maker() == MAKER_AMD;
    for (unsigned k = 0; k < ISA_COUNT; k++)
        h->has[k] = host_knows((enum isa)k);
    gen_first_memory(mem);
    h->decoder = guest_create(host_has, GUEST_LONG);
    return h->decoder != NULL && host_init(mem) ? h : NULL;
}

/* What a return from a signal does not load. */
#define NOT_LOADED (EFL_ID | EFL_NT)

static bool host_can(const struct host *h, const struct diff_case *k)
{
    if (k->system != GUEST_LONG || k->not_on_host || k->before.eflags & NOT_LOADED)
        return false;
    for (unsigned n = 0; n < k->seq.count; n++)
        if (!h->has[optab[k->seq.insn[n].row].isa])
            return false;
    return true;
}

/* What is not the same everywhere where an instruction faults. */
enum {
    LOOSE_VECTOR = 1,
    LOOSE_ADDRESS = 2,
    LOOSE_MEMORY = 4,
    LOOSE_FLAGS = 8,
    LOOSE_X87 = 16,
    LOOSE_REGISTERS = 32
};

/* Instructions whose operand is more than one access, in an order of the processor's own. */
static const struct {
    const char *names, *operands;
    unsigned loose;
} wide[] = {
    {" FNSTENV FNSAVE FBSTP ", "", LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_MEMORY},
    {" FSTP ", "Mt", LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_MEMORY},
    {" FBLD ", "", LOOSE_VECTOR | LOOSE_ADDRESS},
    {" FLD ", "Mt", LOOSE_VECTOR | LOOSE_ADDRESS},
    {" PUSHA PUSHAD ", "", LOOSE_ADDRESS | LOOSE_MEMORY},
    {" FXSAVE FXSAVE64 XSAVE XSAVE64 XSAVEOPT XSAVEOPT64 ", "",
     LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_MEMORY},
    {" POPA POPAD ", "", LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_REGISTERS},
    {" FLDENV FRSTOR ", "", LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_X87},
    {" FXRSTOR FXRSTOR64 XRSTOR XRSTOR64 ", "", LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_X87},
};

static unsigned loose_of_row(const struct op_row *row)
{
    char name[32];

    snprintf(name, sizeof(name), " %s ", row->name);
    for (unsigned k = 0; k < sizeof(wide) / sizeof(wide[0]); k++)
        if (strstr(wide[k].names, name) != NULL &&
            (wide[k].operands[0] == '\0' || strcmp(wide[k].operands, row->operands) == 0))
            return wide[k].loose;
    return 0;
}

static bool is_far_return(const struct op_row *row)
{
    return strcmp(row->name, "RET") == 0 && (row->opcode | 1) == 0xcb;
}

static bool is_access_fault(const struct state *s)
{
    return s->vec == VEC_PF || s->vec == VEC_GP || s->vec == VEC_SS || s->vec == VEC_AC;
}

/* An access across 4 GiB: beyond the segment's limit or not. One wraps, and has no page there, or
 * finds that it is not aligned: the first byte is one of the segment's last ones, whose base is
 * that of a page. The other one has found the limit violated. */
static bool is_wrapped(const struct state *a, const struct state *b)
{
    bool end = a->cr2 >= UINT32_MAX - PAGE || a->cr2 < PAGE || a->cr2 % PAGE > PAGE - 32;

    return ((a->vec == VEC_PF && end) || a->vec == VEC_AC) &&
           (b->vec == VEC_GP || b->vec == VEC_SS) && b->err == 0;
}

/* Did a string instruction get on? What comes before it may load one of these with what it was. */
static bool has_moved(const struct state *before, const struct state *after)
{
    return before->r[RCX] != after->r[RCX] || before->r[RDI] != after->r[RDI] ||
           before->r[RSI] != after->r[RSI];
}

/* Faults whose details processors do not agree on, or which depend on what the host's kernel maps:
 * LOOSE_*.
 *   - CALL to a non-canonical address: the return address may be stored first.
 *   - Flags of a repeated comparison: restored to the start of the instruction, which for the
 * interpreter is where it last looked for interrupts.
 *   - The order in which the parts of a long operand are accessed, and whether the segment's limit
 * is looked at before the first or before each, and what POPA has loaded by then.
 *   - An access that wraps at 4 GiB outside 64-bit code: limit violation or not. */
static unsigned loose_parts(const struct diff_case *c, const struct state *h, const struct state *g)
{
    const struct sequence *q = &c->seq;
    unsigned loose = 0;
    int k = ended_at(q, h);

    if (q->size != CODE_64 && (is_wrapped(h, g) || is_wrapped(g, h)))
        loose |= LOOSE_VECTOR | LOOSE_ADDRESS;
    if (k < 0)
        return loose;
    const struct op_row *row = &optab[q->insn[k].row];
    if (strcmp(row->name, "CALL") == 0 && (h->vec == VEC_GP || g->vec == VEC_GP))
        loose |= LOOSE_VECTOR | LOOSE_ADDRESS | LOOSE_MEMORY;
    if ((row->attr & ATTR_STR) && has_moved(&c->before, h) && h->r[RCX] == g->r[RCX])
        loose |= LOOSE_FLAGS;
    if (h->vec == g->vec || (is_access_fault(h) && is_access_fault(g)))
        loose |= loose_of_row(row) | (is_far_return(row) ? LOOSE_ADDRESS : 0);
    return loose;
}

static void clear_loose(unsigned loose, struct state *s)
{
    if (loose & LOOSE_VECTOR)
        s->vec = 0;
    if (loose & LOOSE_ADDRESS)
        s->err = 0, s->cr2 = 0;
    if (loose & LOOSE_FLAGS)
        s->eflags &= ~EFL_ARITH;
    if (loose & LOOSE_REGISTERS)
        memset(s->r, 0, sizeof(s->r));
    if (loose & LOOSE_X87)
        memset(&s->fx, 0, sizeof(s->fx));
}

/* When IRET reads what it pops, and how much of it before it looks at CS, varies: where the host
 * had a page fault, another one of the guest's will do. */
static void forget_order(const struct diff_case *c, const struct state *h, struct state *g)
{
    const struct sequence *q = &c->seq;

    for (unsigned k = 0; k < q->count; k++) {
        if (h->vec != VEC_PF || !is_access_fault(g) ||
            strncmp(optab[q->insn[k].row].name, "IRET", 4) != 0)
            continue;
        g->vec = h->vec;
        g->err = h->err;
        g->cr2 = h->cr2;
    }
}

/* Whether a repeated instruction that overwrites itself goes on is nowhere said. */
static bool is_overwritten(const struct diff_case *c, const struct outcome *want)
{
    uint8_t before[CODE_SIZE];
    bool repeats = false;

    for (unsigned n = 0; n < c->seq.count; n++)
        repeats |= (optab[c->seq.insn[n].row].attr & ATTR_STR) != 0;
    sequence_pages(&c->seq, before);
    return repeats && memcmp(before, want->code, CODE_SIZE) != 0;
}

static enum verdict host_compare(const struct host *h, const struct diff_case *k,
                                 const struct outcome *want, const struct outcome *got)
{
    struct sequence q = k->seq;
    struct state ours = want->s, theirs = got->s;
    uint8_t our_mem[DATA_SIZE], their_mem[DATA_SIZE];

    if (theirs.vec == VEC_PF && theirs.cr2 - SYSTEM_LA < (SYSTEM_PAGES + 1) * PAGE)
        return SIDE_LEFT_OUT; /* the guest has something there */
    if (is_overwritten(k, want))
        return SIDE_LEFT_OUT;
    if (h->amd && maker_mask(&q, &theirs, &ours) != NULL)
        return SIDE_LEFT_OUT;
    memcpy(our_mem, want->mem, DATA_SIZE);
    memcpy(their_mem, got->mem, DATA_SIZE);
    agree(h->decoder, &q, &theirs, &ours, their_mem, our_mem);
    if (h->amd)
        q.undefined = undefined_on_amd(&q);
    normalise(&q, &theirs);
    normalise(&q, &ours);
    forget_order(k, &theirs, &ours);
    unsigned loose = loose_parts(k, &theirs, &ours);
    clear_loose(loose, &theirs);
    clear_loose(loose, &ours);
    bool same_memory =
        memcmp(our_mem, their_mem, DATA_SIZE) == 0 && memcmp(want->code, got->code, CODE_SIZE) == 0;
    return memcmp(&ours, &theirs, sizeof(ours)) == 0 && (same_memory || loose & LOOSE_MEMORY)
               ? SIDE_SAME
               : SIDE_DIFFERS;
}

static enum verdict host_side_run(void *self, const struct diff_case *k, const struct outcome *want,
                                  struct outcome *got)
{
    if (!host_can(self, k))
        return SIDE_LEFT_OUT;
    got->s = k->before;
    memcpy(got->mem, k->mem, DATA_SIZE);
    host_run(&k->seq, &got->s, got->mem);
    memcpy(got->code, (const void *)CODE_LA, CODE_SIZE);
    got->ended = true;
    return host_compare(self, k, want, got);
}

const struct side side_host = {"host", "this host's processor", host_open, host_side_run, NULL};

/* -- What the instruction table says ------------------------------------------------------------
 */

/* A processor of the interpreter whose instructions are decoded and called one by one, with a look
 * at the flags after each. */
static void *table_open(char why[256])
{
    struct machine *m = calloc(1, sizeof(*m));

    snprintf(why, 256, "no memory");
    return m != NULL && machine_open(m, GUEST_LONG) ? m : NULL;
}

static enum verdict table_run(void *self, const struct diff_case *k, const struct outcome *want,
                              struct outcome *got)
{
    struct machine *m = self;
    struct sequence q = k->seq;
    struct state ours = want->s, theirs = k->before;

    if (k->system != GUEST_LONG)
        return SIDE_LEFT_OUT;
    memcpy(got->mem, k->mem, DATA_SIZE);
    int bad_row = guest_run(m->c, &k->seq, &theirs, got->mem);
    guest_read_code(m->c, got->code);
    got->s = theirs;
    got->ended = true;
    normalise(&q, &theirs);
    normalise(&q, &ours);
    return bad_row < 0 && memcmp(&ours, &theirs, sizeof(ours)) == 0 &&
                   memcmp(want->mem, got->mem, DATA_SIZE) == 0
               ? SIDE_SAME
               : SIDE_DIFFERS;
}

static const struct side side_table = {
    "table", "instruction by instruction; only flags that the row lists may change", table_open,
    table_run, NULL};

/* -- The interpreter by blocks, the translator ---------------------------------------------------
 */

/* All have run once when what they had to find out is known: what is worth translating, and which
 * pages are in the translator's tables. */
#define JIT_ROUNDS   7
#define BLOCK_ROUNDS 2

struct runner {
    struct machine m[GUEST_SYSTEMS];
    struct jit *j[GUEST_SYSTEMS];
    struct jit *entered;
    struct sequence last[GUEST_SYSTEMS];
};

static struct runner *runner_open(void)
{
    struct runner *r = calloc(1, sizeof(*r));

    for (unsigned n = 0; r != NULL && n < GUEST_SYSTEMS; n++)
        if (!machine_open(&r->m[n], (enum guest_system)n))
            return NULL;
    return r;
}

/* So many rounds, one if the code was the same the last time. */
static enum verdict run_rounds(struct runner *r, unsigned rounds, const struct diff_case *k,
                               const struct outcome *want, struct outcome *got)
{
    struct machine *m = &r->m[k->system];
    struct sequence *last = &r->last[k->system];
    bool known = memcmp(last, &k->seq, sizeof(*last)) == 0;

    *last = k->seq;
    for (unsigned n = known ? rounds - 1 : 0; n < rounds; n++) {
        machine_load(m, k);
        if (!machine_ended_as(m, cpu_run(m->c), k, want, got))
            return SIDE_DIFFERS;
    }
    return SIDE_SAME;
}

static void *blocks_open(char why[256])
{
    snprintf(why, 256, "no memory");
    return runner_open();
}

static enum verdict blocks_run(void *self, const struct diff_case *k, const struct outcome *want,
                               struct outcome *got)
{
    struct runner *r = self;

    return run_rounds(r, BLOCK_ROUNDS, k, want, got);
}

static const struct side side_blocks = {"blocks", "the interpreter by blocks", blocks_open,
                                        blocks_run, NULL};

static struct runner *translator_open(char why[256], const struct jit_config *cfg)
{
    struct runner *r = runner_open();

    for (unsigned n = 0; r != NULL && n < GUEST_SYSTEMS; n++)
        if (jit_create(&r->j[n], r->m[n].c, guest_ram(r->m[n].c), cfg, why) != 0)
            return NULL;
    return r;
}

static void *jit_open(char why[256])
{
    return translator_open(why, &(struct jit_config){.code_bytes = UINT64_C(16) << 20});
}

static void *jit_checks_open(char why[256])
{
    return translator_open(
        why, &(struct jit_config){.checks = JIT_CHECKS_CODE, .code_bytes = UINT64_C(16) << 20});
}

static enum verdict jit_run(void *self, const struct diff_case *k, const struct outcome *want,
                            struct outcome *got)
{
    struct runner *r = self;
    struct jit *j = r->j[k->system];

    if (r->entered != j) {
        jit_thread_leave(r->entered);
        if (jit_thread_enter(j) != 0)
            abort();
        r->entered = j;
    }
    return run_rounds(r, JIT_ROUNDS, k, want, got);
}

static bool jit_note(void *self, char text[256])
{
    const struct runner *r = self;
    unsigned long long insns = 0, declined = 0;

    for (unsigned n = 0; n < GUEST_SYSTEMS; n++) {
        struct jit_stats s = jit_stats(r->j[n]);
        insns += s.insns;
        declined += s.declined;
    }
    snprintf(text, 256, "%llu instructions translated, %llu of them declined", insns, declined);
    return declined < insns;
}

static const struct side side_jit = {"jit", "the translator", jit_open, jit_run, jit_note};
static const struct side side_jit_checks = {"checks", "the translator with checks in its code",
                                            jit_checks_open, jit_run, jit_note};

const struct side *const sides[SIDE_COUNT] = {&side_host, &side_table,      &side_blocks,
                                              &side_jit,  &side_jit_checks, &side_restart};
