/* SPDX-License-Identifier: MIT */
/* Lockstep: translated code against the interpreter, instruction by instruction where translated
 * code stops and block by block where it does not.
 *
 * The interpreter rehearses from where translated code will start up to the first instruction that
 * translated code does not execute itself: one that was declined, that faults, or whose access
 * cannot be taken back (cpu/rehearsal.h). It keeps the state before every instruction and a journal
 * of the lines of memory that were written, undoes all of it, and lets the translated code run.
 * Where that stops, for whatever reason, its registers and the journal's lines must be what they
 * were there in the rehearsal; it must not get further than the rehearsal did. Then it goes on
 * from its own state: undefined flags never add up to a difference.
 *
 * What is not seen: a write far from all that the interpreter wrote; and what two linked blocks
 * would do, because here each block comes back to C. */
#include "jit/lockstep.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/rehearsal.h"

#define LINE      64
#define MAX_LINES 1024

/* With -d lockstep-some, code is compared so many times, and then once in so many. */
#define OFTEN  1000
#define SELDOM 61

/* A line of memory that an instruction wrote to. */
struct line {
    uint8_t *host;
    unsigned insn;
    uint8_t before[LINE], after[LINE];
    uint8_t found[LINE]; /* when the translated code had run */
};

/* What translated code can change, before an instruction or behind the last. */
struct guest_state {
    uint64_t r[REG_COUNT];
    struct lazy_flags f;
    uint32_t eflags;    /* apart from f */
    uint32_t undefined; /* arithmetic flags */
    uint8_t mmu;
    uint64_t gs_base, kernel_gs_base;
    const struct fpu *fpu;
};

/* What only a block's last instruction changes. */
struct ending {
    struct seg seg[SEG_COUNT];
    uint32_t mode;
    bool nmi_blocked;
};

/* What matters here of a row of the instruction table. */
struct effects {
    uint32_t reads, defines, undefines; /* arithmetic flags */
    bool fp;                            /* belongs to x87, MMX or SSE */
    bool iret;                          /* IRETD, IRETQ: with NT set a task switch */
};

struct lockstep {
    struct rehearsal rehearsal;
    struct effects *effects; /* by row */
    struct code *code;       /* rehearsed, or NULL */
    unsigned first;          /* instruction that the rehearsal began with */
    unsigned done;           /* instruction that it stopped before, or the number of all */
    bool completed;          /* it came to the end of the block */
    bool paused;             /* in the middle of a repeated instruction: state[done + 1] */
    uint32_t mxcsr;          /* as it left it: an instruction that faults may set flags there */
    unsigned insn;           /* being executed */
    unsigned nlines;
    struct line line[MAX_LINES];
    struct guest_state state[BLOCK_MAX_INSNS + 1];
    /* x87 and SSE states: before the first instruction that has to do with them, and behind each.
     */
    struct fpu fpu[BLOCK_MAX_INSNS + 1];
    unsigned nfpu;
    struct ending ending; /* behind the last instruction rehearsed */
    /* Instructions executed. */
    uint64_t compared;         /* by both, with the same result */
    uint64_t declined, handed; /* by the interpreter for translated code: always, or this time */
    uint64_t cold;
    uint64_t runs, skipped; /* comparisons, and those left out */
};

/* -- Rehearsing -------------------------------------------------------------------------------- */

static bool on_write(struct rehearsal *r, uint8_t *host, unsigned n)
{
    struct lockstep *l = (struct lockstep *)(void *)r;
    uint8_t *p = host - ((uintptr_t)host & (LINE - 1));

    for (; p < host + n; p += LINE) {
        struct line *line = &l->line[l->nlines];
        if (l->nlines > 0 && line[-1].host == p && line[-1].insn == l->insn)
            continue;
        if (l->nlines == MAX_LINES)
            return false;
        line->host = p;
        line->insn = l->insn;
        memcpy(line->before, p, LINE);
        l->nlines++;
    }
    return true;
}

static void undo_memory(const struct lockstep *l)
{
    for (unsigned k = l->nlines; k-- > 0;)
        memcpy(l->line[k].host, l->line[k].before, LINE);
}

/* Put memory where it was before instruction k. */
static void redo_memory(const struct lockstep *l, unsigned k)
{
    undo_memory(l);
    for (unsigned n = 0; n < l->nlines && l->line[n].insn < k; n++)
        memcpy(l->line[n].host, l->line[n].after, LINE);
}

static void note_state(const struct cpu *c, struct guest_state *s, uint32_t undefined)
{
    memcpy(s->r, c->r, sizeof(s->r));
    s->f = c->f;
    s->eflags = c->eflags;
    s->undefined = undefined;
    s->mmu = c->mmu;
    s->gs_base = c->seg[SEG_GS].base;
    s->kernel_gs_base = c->msr.kernel_gs_base;
    s->fpu = &c->fpu;
}

static void note_ending(const struct cpu *c, struct ending *e)
{
    memcpy(e->seg, c->seg, sizeof(e->seg));
    e->mode = c->mode;
    e->nmi_blocked = c->nmi_blocked;
}

static void note_fpu(const struct cpu *c, struct lockstep *l)
{
    l->fpu[l->nfpu++] = c->fpu;
}

static bool is_repeated(const struct insn *i)
{
    return optab[i->op].attr & ATTR_STR && i->prefix & (INSN_REP | INSN_REPNE);
}

/* Elements of a string from r on that lie in one page. */
static uint64_t elements_here(const struct cpu *c, const struct insn *i, enum reg r, unsigned sreg)
{
    uint64_t mask = ~UINT64_C(0) >> (64 - (8u << i->asz));
    uint64_t la = (c->seg[sreg].base + (c->r[r] & mask)) & c->la_mask;
    return (0x1000 - (la & 0xfff)) >> i->osz;
}

/* Does a string instruction access memory at rSI, or at rDI? */
static bool has_si(const struct insn *i)
{
    return strstr(optab[i->op].operands, "Xb") != NULL ||
           strstr(optab[i->op].operands, "Xv") != NULL;
}

static bool has_di(const struct insn *i)
{
    return strchr(optab[i->op].operands, 'Y') != NULL;
}

/* How often translated code repeats an instruction until it looks at cpu.poll; 0: it leaves it to
 * the interpreter. */
static uint64_t repetitions(const struct cpu *c, const struct insn *i)
{
    uint64_t n = UINT64_MAX, m;

    if ((c->r[RCX] & ~UINT64_C(0) >> (64 - (8u << i->asz))) == 0)
        return 1;
    if (has_si(i))
        n = elements_here(c, i, RSI, i->seg);
    if (has_di(i) && (m = elements_here(c, i, RDI, SEG_ES)) < n)
        n = m;
    return n;
}

/* With 32-bit addresses upper halves are cleared before the first access, which may fault. */
static void truncate_repeated(struct guest_state *s, const struct insn *i)
{
    bool moves = optab[i->op].fl_write == 0;

    if (i->asz != 2)
        return;
    s->r[RCX] = (uint32_t)s->r[RCX];
    if (moves && has_si(i))
        s->r[RSI] = (uint32_t)s->r[RSI];
    if (moves && has_di(i))
        s->r[RDI] = (uint32_t)s->r[RDI];
}

/* Execute an instruction, a repeated one as far as translated code does at a time; s is the state
 * before it. False: not to be done, or it faults. */
static bool execute(struct cpu *c, struct lockstep *l, const struct insn *i, struct guest_state *s)
{
    bool repeated = is_repeated(i);
    uint64_t n = repeated ? repetitions(c, i) : 1, start = c->r[RIP], next = start + i->len;
    struct lazy_flags before = c->f;

    if (n == 0)
        return false;
    if (repeated)
        truncate_repeated(s, i);
    do {
        bool done;
        c->run_end = i + 1;
        c->r[RIP] = c->mode & MODE_64 ? next : (uint32_t)next;
        c->single = repeated;
        done = i->fn(c, i);
        c->single = false;
        if (!done || l->rehearsal.refused || c->db_pending != 0)
            return false;
    } while (--n > 0 && c->r[RIP] == start);
    l->paused = repeated && c->r[RIP] == start;
    if (l->paused)
        c->f = before;
    return true;
}

/* Execute instruction k. False: it must not be, or it faults. */
static bool rehearse_insn(struct cpu *c, struct lockstep *l, const struct code *x, unsigned k)
{
    const struct insn *i = &x->block->insn[k];
    const struct effects *e = &l->effects[i->op];
    struct guest_state *s = &l->state[k];
    unsigned n = l->nlines;

    /* A task switch can't be taken back. */
    if (x->declined & UINT32_C(1) << k || (e->iret && c->eflags & EFL_NT))
        return false;
    l->insn = k;
    if (e->fp && l->nfpu == 0)
        note_fpu(c, l);
    if (!execute(c, l, i, s))
        return false;
    for (; n < l->nlines; n++)
        memcpy(l->line[n].after, l->line[n].host, LINE);
    if (e->fp)
        note_fpu(c, l);
    note_state(c, s + 1, (s->undefined & ~e->defines) | e->undefines);
    if (l->nfpu != 0)
        s[1].fpu = &l->fpu[l->nfpu - 1];
    return !l->paused;
}

static void rehearse(struct cpu *c, struct lockstep *l, const struct code *x)
{
    unsigned k = l->first;

    l->nlines = l->nfpu = l->rehearsal.nwalked = 0;
    l->rehearsal.refused = l->paused = false;
    note_state(c, &l->state[k], 0);
    while (k < x->block->count && rehearse_insn(c, l, x, k))
        k++;
    note_ending(c, &l->ending);
    l->mxcsr = c->fpu.mxcsr;
    if (l->nfpu != 0) {
        c->fpu = l->fpu[0];
        for (unsigned n = l->first; n <= k && l->state[n].fpu == &c->fpu; n++)
            l->state[n].fpu = &l->fpu[0];
    }
    l->done = k;
    l->completed = k == x->block->count;
    undo_memory(l);
}

/* What a rehearsal changes in struct cpu beside x87 and SSE state. */
struct saved {
    uint64_t r[REG_COUNT];
    struct lazy_flags f;
    uint32_t eflags;
    bool monitoring, branched, shadow, no_step;
    uint64_t kernel_gs_base;
    struct ending ending;
    struct tlb *tlb;
    const struct insn *run_end;
    struct pending_exc exc;
    uint32_t db_pending;
};

static void save(const struct cpu *c, struct saved *s)
{
    *s = (struct saved){.f = c->f,
                        .eflags = c->eflags,
                        .monitoring = c->monitoring,
                        .branched = c->branched,
                        .shadow = c->shadow,
                        .no_step = c->no_step,
                        .kernel_gs_base = c->msr.kernel_gs_base,
                        .tlb = c->tlb,
                        .run_end = c->run_end,
                        .exc = c->exc,
                        .db_pending = c->db_pending};
    memcpy(s->r, c->r, sizeof(s->r));
    note_ending(c, &s->ending);
}

static void restore(struct cpu *c, const struct saved *s)
{
    bool changed = c->eflags != s->eflags || c->mode != s->ending.mode;

    memcpy(c->seg, s->ending.seg, sizeof(c->seg));
    c->eflags = s->eflags;
    if (changed)
        cpu_update_mode(c);
    memcpy(c->r, s->r, sizeof(s->r));
    c->f = s->f;
    c->nmi_blocked = s->ending.nmi_blocked;
    c->no_step = s->no_step;
    c->monitoring = s->monitoring;
    c->branched = s->branched;
    c->shadow = s->shadow;
    c->msr.kernel_gs_base = s->kernel_gs_base;
    c->tlb = s->tlb;
    c->run_end = s->run_end;
    c->exc = s->exc;
    c->db_pending = s->db_pending;
}

static bool is_due(const struct jit *j, struct code *x)
{
    uint32_t n = x->rehearsals++;
    return j->cpu->log_items & LOG_LOCKSTEP || n < OFTEN || n % SELDOM == 0;
}

void lockstep_begin(struct jit *j, struct code *x, unsigned k)
{
    struct lockstep *l = j->lockstep;

    struct cpu *c = j->cpu;
    struct saved before;

    l->code = NULL;
    if (!is_due(j, x)) {
        l->skipped++;
        return;
    }
    l->code = x;
    l->first = k;
    save(c, &before);
    c->rehearsal = &l->rehearsal;
    c->tlb = &c->tlbs[MMU_NONE];
    rehearse(c, l, x);
    c->rehearsal = NULL;
    restore(c, &before);
    /* The tables know pages as accessed and dirty that are not so any more. */
    if (l->rehearsal.nwalked == REHEARSAL_WALKS)
        tlb_flush_all(c);
    for (unsigned n = 0; n < l->rehearsal.nwalked; n++)
        tlb_flush_page(c, l->rehearsal.walked[n]);
}

/* -- Comparing --------------------------------------------------------------------------------- */

static bool fpu_equal(const struct fpu *a, const struct fpu *b)
{
    for (unsigned n = 0; n < 8; n++)
        if (a->st[n].man != b->st[n].man || a->st[n].se != b->st[n].se)
            return false;
    return a->cw == b->cw && a->sw == b->sw && a->top == b->top && a->valid == b->valid &&
           a->fop == b->fop && a->fcs == b->fcs && a->fds == b->fds && a->fip == b->fip &&
           a->fdp == b->fdp && a->mxcsr == b->mxcsr && memcmp(a->xmm, b->xmm, sizeof(a->xmm)) == 0;
}

/* EFLAGS of a state, without those that are undefined in another. */
static uint32_t eflags_of(struct cpu *c, const struct guest_state *s, uint32_t undefined)
{
    struct lazy_flags f = c->f;
    uint32_t v;

    c->f = s->f;
    v = s->eflags | flags_arith(c);
    c->f = f;
    return v & ~undefined;
}

static bool state_equal(struct cpu *c, const struct guest_state *want,
                        const struct guest_state *found)
{
    return memcmp(want->r, found->r, sizeof(want->r)) == 0 && want->mmu == found->mmu &&
           want->gs_base == found->gs_base && want->kernel_gs_base == found->kernel_gs_base &&
           eflags_of(c, want, want->undefined) == eflags_of(c, found, want->undefined) &&
           (want->fpu == found->fpu || fpu_equal(want->fpu, found->fpu));
}

static bool seg_equal(const struct seg *a, const struct seg *b)
{
    return a->base == b->base && a->rd_end == b->rd_end && a->wr_end == b->wr_end &&
           a->limit == b->limit && a->sel == b->sel && a->attr == b->attr &&
           a->desc_base == b->desc_base && a->usable == b->usable;
}

static bool ending_equal(const struct ending *a, const struct ending *b)
{
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (!seg_equal(&a->seg[n], &b->seg[n]))
            return false;
    return a->mode == b->mode && a->nmi_blocked == b->nmi_blocked;
}

/* Is memory as it was before instruction k? It is afterwards. */
static bool memory_equal(struct lockstep *l, unsigned k)
{
    for (unsigned n = 0; n < l->nlines; n++)
        memcpy(l->line[n].found, l->line[n].host, LINE);
    redo_memory(l, k);
    for (unsigned n = 0; n < l->nlines; n++)
        if (memcmp(l->line[n].found, l->line[n].host, LINE) != 0)
            return false;
    return true;
}

/* -- Reporting --------------------------------------------------------------------------------- */

#define SAY(j, ...) cpu_log((j)->cpu, LOG_LOCKSTEP | LOG_LOCKSTEP_SOME, __VA_ARGS__)

static void say_bytes(struct jit *j, const char *what, const uint8_t *p, unsigned n)
{
    for (unsigned done = 0; done < n; done += 24) {
        char text[3 * 24 + 1] = "";
        for (unsigned k = 0; k < 24 && done + k < n; k++)
            snprintf(text + 3 * k, 4, "%02x ", p[done + k]);
        SAY(j, "%s%s", done == 0 ? what : "            ", text);
    }
}

/* The block, each instruction with the host code made of it. */
static void say_code(struct jit *j, const struct code *x)
{
    const struct block *b = x->block;
    const uint8_t *page = phys_page(j->cpu, b->pa & PAGE_MASK, false);
    const struct guest_state *first = &j->lockstep->state[j->lockstep->first];
    uint64_t start = first->r[RIP] - x->guest[j->lockstep->first];

    for (unsigned k = 0; k < b->count; k++) {
        const struct insn *i = &b->insn[k];
        char text[INSN_TEXT] = "";
        if (page != NULL && x->guest[k] + i->len <= 0x1000)
            insn_text(b->mode, start + x->guest[k], page + x->guest[k], i->len, text);
        SAY(j, "%3u %s (%s %s%s)", k, text, optab[i->op].name, optab[i->op].operands,
            x->declined & UINT32_C(1) << k ? ", declined" : "");
        say_bytes(j, "      host  ", x->begin + x->host[k], x->host[k + 1] - x->host[k]);
    }
}

/* One value, unless it is zero: before the code ran, by the interpreter, by translated code. */
static void say_value(struct jit *j, const char *name, const uint64_t v[3])
{
    if ((v[0] | v[1] | v[2]) == 0)
        return;
    SAY(j, "%c %-8s %016llx %016llx %016llx", v[1] != v[2] ? '*' : ' ', name,
        (unsigned long long)v[0], (unsigned long long)v[1], (unsigned long long)v[2]);
}

static void say_fpu(struct jit *j, const struct guest_state *const s[3])
{
#define FIELD(name, member)                                                                        \
    say_value(j, name, (uint64_t[]){s[0]->fpu->member, s[1]->fpu->member, s[2]->fpu->member})
    char name[16];

    for (unsigned n = 0; n < 16; n++) {
        snprintf(name, sizeof(name), "xmm%u.lo", n);
        FIELD(name, xmm[n].q[0]);
        snprintf(name, sizeof(name), "xmm%u.hi", n);
        FIELD(name, xmm[n].q[1]);
    }
    FIELD("mxcsr", mxcsr);
    for (unsigned n = 0; n < 8; n++) {
        snprintf(name, sizeof(name), "R%u.man", n);
        FIELD(name, st[n].man);
        snprintf(name, sizeof(name), "R%u.se", n);
        FIELD(name, st[n].se);
    }
    FIELD("fcw", cw);
    FIELD("fsw", sw);
    FIELD("top", top);
    FIELD("valid", valid);
    FIELD("fop", fop);
    FIELD("fcs", fcs);
    FIELD("fip", fip);
    FIELD("fds", fds);
    FIELD("fdp", fdp);
#undef FIELD
}

static void say_states(struct jit *j, const struct guest_state *const s[3])
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp",  "rbp",
                                        "rsi", "rdi", "r8",  "r9",  "r10",  "r11",
                                        "r12", "r13", "r14", "r15", "zero", "rip"};

    SAY(j, "  %-8s %-16s %-16s %-16s", "", "before", "interpreter", "translated");
    for (unsigned n = 0; n < REG_COUNT; n++)
        say_value(j, names[n], (uint64_t[]){s[0]->r[n], s[1]->r[n], s[2]->r[n]});
#define FIELD(name, member)                                                                        \
    say_value(j, name, (uint64_t[]){s[0]->member, s[1]->member, s[2]->member})
    FIELD("mmu", mmu);
    FIELD("gs", gs_base);
    FIELD("gs'", kernel_gs_base);
#undef FIELD
    say_value(j, "rflags",
              (uint64_t[]){eflags_of(j->cpu, s[0], 0), eflags_of(j->cpu, s[1], s[1]->undefined),
                           eflags_of(j->cpu, s[2], s[1]->undefined)});
    if (s[1]->undefined != 0)
        SAY(j, "  undefined flags: %08x", s[1]->undefined);
    say_fpu(j, s);
}

static void say_ending(struct jit *j, const struct ending *want, const struct ending *found)
{
    if (want->mode != found->mode || want->nmi_blocked != found->nmi_blocked)
        SAY(j, "* mode %x, found %x; NMIs blocked: %u, found %u", want->mode, found->mode,
            want->nmi_blocked, found->nmi_blocked);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        const struct seg *w = &want->seg[n], *f = &found->seg[n];
        if (!seg_equal(w, f))
            SAY(j, "* segment register %u: %04x %llx %x %x, found %04x %llx %x %x", n, w->sel,
                (unsigned long long)w->base, w->limit, w->attr, f->sel, (unsigned long long)f->base,
                f->limit, f->attr);
    }
}

static void say_memory(struct jit *j, const struct lockstep *l)
{
    for (unsigned n = 0; n < l->nlines; n++) {
        const struct line *line = &l->line[n];
        bool differs = memcmp(line->found, line->host, LINE) != 0;
        SAY(j, "%c line of memory written by instruction %u:", differs ? '*' : ' ', line->insn);
        say_bytes(j, "before      ", line->before, LINE);
        say_bytes(j, "interpreter ", line->host, LINE);
        say_bytes(j, "translated  ", line->found, LINE);
    }
}

static void report(struct jit *j, const struct guest_state *found, const struct ending *ending,
                   unsigned at)
{
    struct lockstep *l = j->lockstep;
    unsigned last = l->done + l->paused;
    const struct guest_state *s[3] = {&l->state[l->first], &l->state[at <= last ? at : last],
                                      found};

    SAY(j, "translated code differs from the interpreter: block at %llx, mode %x, mmu %u",
        (unsigned long long)l->code->block->pa, j->cpu->mode, j->cpu->mmu);
    SAY(j, "run from instruction %u; the interpreter stopped before %u, translated code before %u",
        l->first, l->done, at);
    say_code(j, l->code);
    say_states(j, s);
    say_ending(j, &l->ending, ending);
    say_memory(j, l);
}

/* -- The comparison ---------------------------------------------------------------------------- */

static bool agrees(const struct lockstep *l, const struct code *x, unsigned k)
{
    return k == LOCKSTEP_END ? l->completed : x == l->code && k >= l->first && k <= l->done;
}

bool lockstep_check(struct jit *j, struct code *x, unsigned k)
{
    struct lockstep *l = j->lockstep;
    unsigned at = k == LOCKSTEP_END ? l->done : k;
    struct guest_state found;
    struct ending ending;

    if (l->code == NULL)
        return true;
    if (l->paused && k == l->done && j->cpu->r[RCX] != l->state[k].r[RCX])
        at++;
    if (k == l->done && l->nfpu != 0 && j->cpu->fpu.mxcsr == l->mxcsr)
        l->fpu[l->nfpu - 1].mxcsr = l->mxcsr;
    note_state(j->cpu, &found, 0);
    note_ending(j->cpu, &ending);
    if (at < l->done) /* before the last instruction rehearsed */
        l->ending = ending;
    if (memory_equal(l, at) && ending_equal(&l->ending, &ending) && agrees(l, x, k) &&
        state_equal(j->cpu, &l->state[at], &found)) {
        l->compared += (at > l->done ? l->done : at) - l->first;
        l->runs++;
        l->code = NULL;
        return true;
    }
    report(j, &found, &ending, k == LOCKSTEP_END ? x->block->count : at);
    l->code = NULL;
    j->failed = true;
    cpu_attend(j->cpu, ATT_EXIT, 0);
    return false;
}

bool lockstep_reads_undefined(const struct jit *j, const struct block *b, unsigned k)
{
    const struct effects *effects = j->lockstep->effects;
    uint32_t undefined = 0;

    for (unsigned n = 0; n < k; n++) {
        const struct effects *e = &effects[b->insn[n].op];
        undefined = (undefined & ~e->defines) | e->undefines;
    }
    return effects[b->insn[k].op].reads & undefined;
}

void lockstep_note_interpreted(struct jit *j, const struct code *x, unsigned k)
{
    struct lockstep *l = j->lockstep;

    if (x->declined & UINT32_C(1) << k)
        l->declined++;
    else
        l->handed++;
}

void lockstep_note_cold(struct jit *j, uint64_t insns)
{
    j->lockstep->cold += insns;
}

/* -- Life -------------------------------------------------------------------------------------- */

static uint32_t flags_of_set(unsigned set)
{
    static const uint32_t bits[] = {EFL_CF, EFL_PF, EFL_AF, EFL_ZF, EFL_SF, EFL_OF};
    uint32_t flags = 0;

    for (unsigned k = 0; k < sizeof(bits) / sizeof(bits[0]); k++)
        if (set & 1u << k)
            flags |= bits[k];
    return flags;
}

/* Shifts by zero leave all flags alone. */
static bool may_keep_flags(uint16_t mnemonic)
{
    static const uint16_t shifts[] = {ZYDIS_MNEMONIC_ROL, ZYDIS_MNEMONIC_ROR,  ZYDIS_MNEMONIC_RCL,
                                      ZYDIS_MNEMONIC_RCR, ZYDIS_MNEMONIC_SHL,  ZYDIS_MNEMONIC_SHR,
                                      ZYDIS_MNEMONIC_SAR, ZYDIS_MNEMONIC_SHLD, ZYDIS_MNEMONIC_SHRD};
    for (unsigned k = 0; k < sizeof(shifts) / sizeof(shifts[0]); k++)
        if (mnemonic == shifts[k])
            return true;
    return false;
}

static bool is_fp(uint8_t isa)
{
    static const uint8_t sets[] = {ISA_FPU,   ISA_MMX,  ISA_FXSR,  ISA_SSE,
                                   ISA_SSE2,  ISA_SSE3, ISA_SSSE3, ISA_SSE41,
                                   ISA_SSE42, ISA_AES,  ISA_SHA,   ISA_PCLMULQDQ};
    return memchr(sets, isa, sizeof(sets)) != NULL;
}

static void effects_create(struct effects *e)
{
    for (unsigned k = 0; k < optab_count; k++) {
        const struct op_row *row = &optab[k];
        uint32_t writes = flags_of_set(row->fl_write);
        e[k] = (struct effects){.reads = flags_of_set(row->fl_read),
                                .defines = may_keep_flags(row->mnemonic) ? 0 : writes,
                                .undefines = flags_of_set(row->fl_undef),
                                .iret = row->mnemonic == ZYDIS_MNEMONIC_IRETD ||
                                        row->mnemonic == ZYDIS_MNEMONIC_IRETQ,
                                .fp = row->attr & ATTR_X87 || is_fp(row->isa)};
    }
}

int lockstep_create(struct jit *j)
{
    j->lockstep = calloc(1, sizeof(*j->lockstep));
    if (j->lockstep == NULL)
        return -ENOMEM;
    j->lockstep->effects = calloc(optab_count, sizeof(*j->lockstep->effects));
    if (j->lockstep->effects == NULL)
        return -ENOMEM;
    effects_create(j->lockstep->effects);
    j->lockstep->rehearsal.write = on_write;
    return 0;
}

void lockstep_free(struct jit *j)
{
    const struct lockstep *l = j->lockstep;

    if (l == NULL)
        return;
    SAY(j,
        "%llu instructions compared in %llu runs; not compared: %llu declined, %llu that trapped "
        "or missed, %llu in blocks without code; %llu runs left out",
        (unsigned long long)l->compared, (unsigned long long)l->runs,
        (unsigned long long)l->declined, (unsigned long long)l->handed, (unsigned long long)l->cold,
        (unsigned long long)l->skipped);
    free(j->lockstep->effects);
    free(j->lockstep);
    j->lockstep = NULL;
}
