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
 * Plain lockstep does this block by block: each comes back to C. With -d lockstep-links blocks run
 * linked, as they do otherwise: the rehearsal follows the path over a random number of blocks that
 * have code, and each block that is entered takes one from a budget of as many, so that translated
 * code stops where the rehearsal did, unless it comes back before. How many it has entered tells
 * where on the path it is; it must be in the block that the rehearsal was in. When it got to the
 * end, it runs for a while without being watched.
 *
 * Lines that the interpreter did not write are looked at now and then: some runs of each code have
 * no access to other pages, and all of those are compared (stray.h). */
#include "jit/lockstep.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "cpu/mem.h"
#include "jit/journal.h"
#include "jit/stray.h"

/* With -d lockstep-links: blocks and instructions that are rehearsed at most, and blocks that run
 * unwatched. */
#define MAX_PARTS  48
#define MAX_INSNS  512
#define MAX_BUDGET 4096

/* With -d lockstep-some, code is compared so many times, and then once in so many. Hardly any of a
 * kernel's runs as often; what unpacks it does. */
#define OFTEN  65536
#define SELDOM 61

/* Without links, code is kept from other pages than those that it should write to when it has been
 * compared so many times, and again, up to TIGHT_MAX. */
#define TIGHT     4
#define TIGHT_MAX 4096

/* What translated code can change, before an instruction or behind the last. */
struct guest_state {
    uint64_t r[REG_COUNT];
    struct lazy_flags f;
    uint32_t eflags;    /* apart from f */
    uint32_t undefined; /* arithmetic flags */
    uint8_t mmu;
    bool shadow; /* no interrupt before this instruction */
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
};

/* A block of the path. */
struct part {
    struct code *code;
    unsigned start;        /* number of its first instruction */
    unsigned nlines, nfpu; /* when it began */
};

/* Instructions are numbered along the path: from 0 in the first block, though the rehearsal may
 * begin in its middle. */
struct lockstep {
    struct journal journal;
    struct effects *effects; /* by row */
    struct part part[MAX_PARTS];
    unsigned nparts;         /* 0: nothing was rehearsed */
    const struct block *end; /* where the path goes on behind its last block; NULL: not known */
    unsigned first;          /* instruction that the rehearsal began with */
    unsigned done;           /* instruction that it stopped before, or the number of all */
    bool completed;          /* it came to the end of a block */
    bool beyond;             /* it came to what cannot be compared: that block is left out */
    bool paused;             /* in the middle of a repeated instruction: state[done + 1] */
    uint32_t mxcsr;          /* as it left it: an instruction that faults may set flags there */
    struct guest_state state[MAX_INSNS + 1];
    /* x87 and SSE states: before the first instruction that has to do with them, and behind each.
     */
    struct fpu fpu[MAX_INSNS + 1];
    unsigned nfpu;
    struct ending ending;        /* behind the last instruction rehearsed */
    struct ending ending_before; /* before the last block */
    /* Of linked blocks. */
    uint64_t stops[MAX_BUDGET + 1]; /* what polls read through: the first is nowhere */
    uint64_t budget;                /* X_BUDGET as it was given */
    unsigned entered;               /* blocks, before any took from that */
    bool shadow;                    /* by the last comparison, which the processor is at */
    bool at_end;                    /* the last comparison was at the path's end */
    uint64_t random;
    /* Instructions executed. */
    uint64_t compared;         /* by both, with the same result */
    uint64_t declined, handed; /* by the interpreter for translated code: always, or this time */
    uint64_t cold;
    uint64_t runs, skipped; /* comparisons, and those left out */
};

/* -- Rehearsing -------------------------------------------------------------------------------- */

static void note_state(const struct cpu *c, struct guest_state *s, uint32_t undefined)
{
    memcpy(s->r, c->r, sizeof(s->r));
    s->f = c->f;
    s->eflags = c->eflags;
    s->undefined = undefined;
    s->mmu = c->mmu;
    s->shadow = c->shadow;
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
    bool nmi_blocked = c->nmi_blocked;

    if (n == 0)
        return false;
    if (repeated)
        truncate_repeated(s, i);
    do {
        bool done;
        c->shadow = false;
        c->tlb = &c->tlbs[MMU_NONE]; /* the instruction before may have changed the mode */
        c->run_end = i + 1;
        c->r[RIP] = c->mode & MODE_64 ? next : (uint32_t)next;
        c->single = repeated;
        done = i->fn(c, i);
        c->single = false;
        if (!done || l->journal.rehearsal.refused || c->db_pending != 0) {
            c->nmi_blocked = nmi_blocked; /* IRET ends that before it can fault */
            return false;
        }
    } while (--n > 0 && c->r[RIP] == start);
    l->paused = repeated && c->r[RIP] == start;
    if (l->paused)
        c->f = before;
    return true;
}

/* Execute instruction k of part p. False: it must not be, or it faults. */
static bool rehearse_insn(struct cpu *c, struct lockstep *l, const struct part *p, unsigned k)
{
    const struct insn *i = &p->code->block->insn[k];
    const struct effects *e = &l->effects[i->op];
    struct guest_state *s = &l->state[p->start + k];
    unsigned n = l->journal.nlines;

    if (p->code->declined & UINT32_C(1) << k)
        return false;
    l->beyond = e->reads & s->undefined; /* of a block before */
    if (l->beyond)
        return false;
    l->journal.insn = p->start + k;
    if (e->fp && l->nfpu == 0)
        note_fpu(c, l);
    if (!execute(c, l, i, s)) {
        l->beyond = l->journal.full;
        return false;
    }
    journal_note(&l->journal, n);
    if (e->fp)
        note_fpu(c, l);
    note_state(c, s + 1, (s->undefined & ~e->defines) | e->undefines);
    if (l->nfpu != 0)
        s[1].fpu = &l->fpu[l->nfpu - 1];
    return !l->paused;
}

/* From instruction k of x on, which is number `start` + k. */
static void rehearse_part(struct cpu *c, struct lockstep *l, struct code *x, unsigned start,
                          unsigned k)
{
    struct part *p = &l->part[l->nparts++];

    *p = (struct part){x, start, l->journal.nlines, l->nfpu};
    while (k < x->block->count && rehearse_insn(c, l, p, k))
        k++;
    l->done = start + k;
    l->completed = k == x->block->count;
}

/* What cannot be compared was not meant to be rehearsed: the path ends before that block. */
static void leave_out_last(struct lockstep *l)
{
    const struct part *p = &l->part[--l->nparts];

    l->done = p->start;
    l->ending = l->ending_before;
    l->journal.nlines = p->nlines;
    l->nfpu = p->nfpu;
    l->completed = true;
    l->paused = false;
    l->mxcsr = l->state[l->done].fpu->mxcsr;
    l->end = p->code->block;
}

/* For another block. */
static bool has_room(const struct lockstep *l)
{
    return l->done <= MAX_INSNS - BLOCK_MAX_INSNS && l->journal.nlines <= JOURNAL_LINES / 2;
}

/* `parts` blocks at most, up to where translated code comes back to C because the processor's mode
 * may be another one. */
static void rehearse(struct jit *j, struct code *x, unsigned parts)
{
    struct lockstep *l = j->lockstep;
    struct cpu *c = j->cpu;

    l->nfpu = l->nparts = 0;
    l->paused = l->beyond = false;
    journal_begin(&l->journal);
    note_state(c, &l->state[l->first], 0);
    rehearse_part(c, l, x, 0, l->first);
    while (l->completed && l->nparts < parts && has_room(l) && c->run_end != NULL &&
           (x = code_peek(j)) != NULL) {
        note_ending(c, &l->ending_before);
        rehearse_part(c, l, x, l->done, 0);
    }
    note_ending(c, &l->ending);
    l->end = l->completed && runs_linked(j) ? block_peek(c) : NULL;
    l->mxcsr = c->fpu.mxcsr;
    if (l->nfpu != 0)
        c->fpu = l->fpu[0];
    journal_undo(&l->journal);
    if (l->beyond && l->nparts > 1)
        leave_out_last(l);
    for (unsigned n = l->first; l->nfpu != 0 && n <= l->done && l->state[n].fpu == &c->fpu; n++)
        l->state[n].fpu = &l->fpu[0];
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
    s->f = c->f;
    s->eflags = c->eflags;
    s->monitoring = c->monitoring;
    s->branched = c->branched;
    s->shadow = c->shadow;
    s->no_step = c->no_step;
    s->kernel_gs_base = c->msr.kernel_gs_base;
    s->tlb = c->tlb;
    s->run_end = c->run_end;
    s->exc = c->exc;
    s->db_pending = c->db_pending;
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

/* Is this one of the runs without access to other pages? */
static bool is_tight(const struct jit *j, const struct code *x)
{
    uint32_t n = TIGHT;

    while (n < TIGHT_MAX && n < x->rehearsals)
        n *= TIGHT;
    return !runs_linked(j) && !j->again && x->rehearsals == n;
}

static unsigned random_below(struct lockstep *l, unsigned n)
{
    l->random = l->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)((l->random >> 32) % n);
}

/* Translated code stops at the entry of a block when it has entered n more. */
static void set_budget(struct jit *j, unsigned n, bool entered)
{
    struct lockstep *l = j->lockstep;

    l->entered = !entered;
    l->budget = (uint64_t)(uintptr_t)&l->stops[n + 1];
    j->cpu->scratch[X_BUDGET] = l->budget;
}

/* Blocks of the path that translated code has entered. */
static unsigned blocks_entered(const struct jit *j)
{
    const struct lockstep *l = j->lockstep;
    return l->entered + (unsigned)((l->budget - j->cpu->scratch[X_BUDGET]) / sizeof(uint64_t));
}

/* How many blocks to rehearse; 0: none, this run is not watched. */
static unsigned parts_due(const struct jit *j, struct code *x)
{
    struct lockstep *l = j->lockstep;

    if (!runs_linked(j))
        return is_due(j, x);
    if (!l->at_end)
        return 1 + random_below(l, MAX_PARTS);
    l->at_end = false;
    return 0;
}

void lockstep_begin(struct jit *j, struct code *x, unsigned k, bool entered)
{
    struct lockstep *l = j->lockstep;
    struct cpu *c = j->cpu;
    unsigned parts = c->ferr ? 0 : parts_due(j, x);
    struct saved before;

    l->nparts = 0;
    l->shadow = false;
    if (parts == 0) {
        l->skipped++;
        set_budget(j, c->ferr ? 1 : 1 + random_below(l, MAX_BUDGET - 1), entered);
        return;
    }
    l->first = k;
    memory_freeze(c, true);
    save(c, &before);
    c->rehearsal = &l->journal.rehearsal;
    rehearse(j, x, parts);
    c->rehearsal = NULL;
    restore(c, &before);
    set_budget(j, l->nparts - !entered, entered);
    /* The tables know pages as accessed and dirty that are not so any more. */
    if (l->journal.rehearsal.nwalked == REHEARSAL_WALKS)
        tlb_flush_all(c);
    for (unsigned n = 0; n < l->journal.rehearsal.nwalked; n++)
        tlb_flush_page(c, l->journal.rehearsal.walked[n]);
    if (is_tight(j, x))
        stray_close(j, &l->journal);
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

bool seg_equal(const struct seg *a, const struct seg *b)
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

/* -- Reporting --------------------------------------------------------------------------------- */

#define SAY(j, ...) cpu_log((j)->cpu, LOG_ANY_LOCKSTEP, __VA_ARGS__)

static void say_bytes(struct jit *j, const char *what, const uint8_t *p, unsigned n)
{
    for (unsigned done = 0; done < n; done += 24) {
        char text[3 * 24 + 1] = "";
        for (unsigned k = 0; k < 24 && done + k < n; k++)
            snprintf(text + 3 * k, 4, "%02x ", p[done + k]);
        SAY(j, "%s%s", done == 0 ? what : "            ", text);
    }
}

/* A block, each instruction with the host code made of it. */
static void say_code(struct jit *j, const struct part *p)
{
    const struct code *x = p->code;
    const struct block *b = x->block;
    const uint8_t *page = phys_page(j->cpu, b->pa & PAGE_MASK, false);
    unsigned k = p == j->lockstep->part ? j->lockstep->first : 0;
    uint64_t start = j->lockstep->state[p->start + k].r[RIP] - x->guest[k];

    SAY(j, "block at %llx, instructions from %u on:", (unsigned long long)b->pa, p->start);
    for (k = 0; k < b->count; k++) {
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
    for (unsigned n = 0; n < l->journal.nlines; n++) {
        const struct line *line = &l->journal.line[n];
        bool differs = memcmp(line->found, line->host, LINE) != 0;
        SAY(j, "%c line of memory written by instruction %u:", differs ? '*' : ' ', line->insn);
        say_bytes(j, "before      ", line->before, LINE);
        say_bytes(j, "interpreter ", line->host, LINE);
        say_bytes(j, "translated  ", line->found, LINE);
    }
}

static void report(struct jit *j, const struct code *x, const struct guest_state *found,
                   const struct ending *ending, unsigned at)
{
    struct lockstep *l = j->lockstep;
    unsigned last = l->done + l->paused;
    const struct guest_state *s[3] = {&l->state[l->first], &l->state[at <= last ? at : last],
                                      found};

    SAY(j, "translated code differs from the interpreter: block at %llx, mode %x, mmu %u",
        (unsigned long long)x->pa, j->cpu->mode, j->cpu->mmu);
    SAY(j, "run from instruction %u; the interpreter stopped before %u, translated code before %u",
        l->first, l->done, at);
    for (unsigned n = 0; n < l->nparts; n++)
        say_code(j, &l->part[n]);
    say_states(j, s);
    say_ending(j, &l->ending, ending);
    say_memory(j, l);
}

/* -- The comparison ---------------------------------------------------------------------------- */

#define OFF_PATH UINT_MAX

/* The number of instruction k of x, where translated code has stopped. */
static unsigned position(const struct jit *j, const struct code *x, unsigned k)
{
    const struct lockstep *l = j->lockstep;
    unsigned n = runs_linked(j) ? blocks_entered(j) : 1; /* it is in this block, or behind it */
    bool at_end = n == l->nparts && l->completed;
    const struct part *p;

    if (k == LOCKSTEP_END)
        return n < l->nparts ? l->part[n].start : at_end ? l->done : OFF_PATH;
    if (n == 0 || n > l->nparts + l->completed)
        return OFF_PATH;
    if (n > l->nparts) /* before the block behind the path */
        return k == 0 && (l->end == NULL || l->end == x->block) ? l->done : OFF_PATH;
    p = &l->part[n - 1];
    if (p->code->block != x->block || p->start + k < l->first || p->start + k > l->done)
        return OFF_PATH;
    return p->start + k;
}

/* Translated code has stopped before instruction k of x: as the rehearsal was at the same place? */
static bool compare(struct jit *j, const struct code *x, unsigned k)
{
    struct lockstep *l = j->lockstep;
    struct guest_state found;
    struct ending ending;
    unsigned at;

    at = position(j, x, k);
    if (l->paused && at == l->done && j->cpu->r[RCX] != l->state[at].r[RCX])
        at++;
    if (at == l->done && l->nfpu != 0 && j->cpu->fpu.mxcsr == l->mxcsr)
        l->fpu[l->nfpu - 1].mxcsr = l->mxcsr;
    note_state(j->cpu, &found, 0);
    note_ending(j->cpu, &ending);
    if (at < l->done) /* before the last instruction rehearsed */
        l->ending = ending;
    if (journal_equal(&l->journal, at) && stray_pages_equal(j, &l->journal) && at != OFF_PATH &&
        ending_equal(&l->ending, &ending) && state_equal(j->cpu, &l->state[at], &found)) {
        l->compared += (at > l->done ? l->done : at) - l->first;
        l->runs++;
        l->at_end = l->completed && at == l->done;
        l->shadow = l->state[at].shadow;
        return true;
    }
    report(j, x, &found, &ending, at);
    return false;
}

void lockstep_fail(struct jit *j)
{
    j->failed = true;
    cpu_attend(j->cpu, ATT_EXIT, 0);
}

void lockstep_end(struct jit *j)
{
    j->lockstep->nparts = 0;
    stray_open(j);
    memory_freeze(j->cpu, false);
}

bool lockstep_check(struct jit *j, struct code *x, unsigned k)
{
    struct lockstep *l = j->lockstep;
    bool good;

    stray_open(j);
    good = l->nparts == 0 || compare(j, x != NULL ? x : l->part[0].code, k);
    lockstep_end(j);
    if (!good)
        lockstep_fail(j);
    return good;
}

bool lockstep_allows_interrupt(struct jit *j)
{
    const struct cpu *c = j->cpu;

    if (!j->lockstep->shadow)
        return true;
    SAY(j, "an interrupt is delivered at %04x:%llx, right behind an instruction that forbids that",
        c->seg[SEG_CS].sel, (unsigned long long)c->r[RIP]);
    lockstep_fail(j);
    return false;
}

bool lockstep_is_suspect(const struct jit *j, const struct code *x, unsigned k)
{
    return j->lockstep != NULL && stray_is_closed(j) && j->wrote && lockstep_covers(j, x, k);
}

void lockstep_say_stray(struct jit *j, const struct code *x, unsigned k)
{
    SAY(j,
        "translated code differs from the interpreter: instruction %u of the block at %llx writes "
        "to a page that the interpreter does not write to",
        k, (unsigned long long)x->pa);
    lockstep_fail(j);
}

bool lockstep_covers(const struct jit *j, const struct code *x, unsigned k)
{
    return j->lockstep->nparts != 0 && position(j, x, k) < j->lockstep->done;
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

    l->shadow = false;
    if (x->declined & UINT32_C(1) << k)
        l->declined++;
    else
        l->handed++;
}

void lockstep_note_cold(struct jit *j, uint64_t insns)
{
    j->lockstep->shadow = false;
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
    journal_create(&j->lockstep->journal);
    j->lockstep->stops[0] = CPU_POLL_STOP;
    for (unsigned n = 1; n <= MAX_BUDGET; n++)
        j->lockstep->stops[n] = (uint64_t)(uintptr_t)&j->poll_ok;
    return stray_create(j);
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
    stray_free(j);
    free(j->lockstep->effects);
    free(j->lockstep);
    j->lockstep = NULL;
}
