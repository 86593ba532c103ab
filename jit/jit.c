/* SPDX-License-Identifier: MIT */
/* The translator's loop: find or make the code for where the processor is, run it, see why it came
 * back. The interpreter runs what is cold, what cannot be cached, and what translated code hands
 * over.
 *
 * Invariants:
 * 1. A struct code belongs to a decoded block (cpu/block.h) and to what executes it. When the block
 * is overwritten or dropped, its entry leads out; it is dropped itself when its turn comes
 * (cache.h).
 * 2. Between two instructions of translated code the guest's registers are in the places that the
 *    backend gave them and its flags in the host's; X_PAGE is the page being executed.
 * 3. Code is entered with the kind that it was made for. What changes the kind ends a block. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "cpu/ops.h"
#include "cpu/translator.h"
#include "jit/cache.h"
#include "jit/dump.h"
#include "jit/lockstep.h"
#include "jit/stray.h"
#include "jit/witness.h"

#define CODE_BYTES (UINT64_C(64) << 20) /* unless the configuration says otherwise */
#define HOT        4  /* interpreted so many times, a block is worth translating */
#define MAX_TRAPS  48 /* weight of one instruction's traps until it is translated otherwise */
#define TRAP       16
/* Any stack ends up across a page's end now and then: traps that are further apart do not count. */
#define NEAR_TRAP_NS 10000000u
#define BESIDE_MANY  4 /* instructions: new code on their page is taken to be like them */
#define TRAP_GUEST   1 /* a fault of the guest's own: it may have many pages to touch just once */

/* -- Kinds ------------------------------------------------------------------------------------- */

#define LIMIT_4G (UINT64_C(1) << 32)

static unsigned class_of(const struct seg *s)
{
    bool large = s->rd_end >= LIMIT_4G, based = s->base != 0;
    bool small = s->rd_end == 0x10000 && s->base < LIMIT_4G / 2;

    return large ? SEG_FLAT + (based ? SEG_BASED - SEG_FLAT : 0) : small ? SEG_64K : SEG_CHECKED;
}

/* ORDER seg: the classes of all segment registers in 64-bit code. */
#define SEGS_64  (0x55u | SEG_BASED << (2 * SEG_FS) | SEG_BASED << (2 * SEG_GS))
#define ALL_SEGS ((1u << SEG_COUNT) - 1)

static void kind_segments(const struct cpu *c, unsigned *segs, unsigned *writable)
{
    *segs = *writable = 0;
#pragma GCC unroll 6
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        *segs |= class_of(&c->seg[n]) << (2 * n);
        *writable |= (unsigned)(c->seg[n].wr_end == c->seg[n].rd_end) << n;
    }
}

static struct code_kind kind_now(const struct cpu *c)
{
    uint32_t mode = c->mode & KIND_MODE, cs_limit = 0, eip_page = 0;
    unsigned segs = SEGS_64, writable = ALL_SEGS;
    const struct seg *cs = &c->seg[SEG_CS];

    if (!(c->mode & MODE_64))
        kind_segments(c, &segs, &writable);
    if (c->mode & MODE_64 || (cs->base == 0 && cs->limit == UINT32_MAX)) {
        mode |= KIND_FLAT_CS;
    } else {
        cs_limit = cs->limit;
        eip_page = (uint32_t)(c->r[RIP] - ((cs->base + c->r[RIP]) & 0xfff));
    }
    if (!(c->cr0 & (CR0_TS | CR0_EM)))
        mode |= c->cr4 & CR4_OSFXSR ? KIND_SSE | KIND_X87 : KIND_X87;
    if (c->eflags & EFL_DF)
        mode |= KIND_DF;
    if (c->cpl == 0)
        mode |= KIND_LEVEL0;
    return (struct code_kind){mode, (uint16_t)segs, (uint16_t)writable, cs_limit, eip_page};
}

/* This kind, after a load of DS, ES, FS or GS outside 64-bit code. */
static struct code_kind kind_with(const struct cpu *c, struct code_kind k, unsigned sreg)
{
    const struct seg *s = &c->seg[sreg];

    k.segs = (uint16_t)((k.segs & ~(3u << (2 * sreg))) | class_of(s) << (2 * sreg));
    k.writable = (uint16_t)((k.writable & ~(1u << sreg)) | (s->wr_end == s->rd_end) << sreg);
    return k;
}

static bool kind_equal(const struct code_kind *a, const struct code_kind *b)
{
    return a->mode == b->mode && a->segs == b->segs && a->writable == b->writable &&
           a->cs_limit == b->cs_limit && a->eip_page == b->eip_page;
}

/* The jump cache of a kind with a flat CS, or -1. */
static int kind_find(const struct jit *j, const struct code_kind *k)
{
    for (unsigned n = 0; n < j->nkinds; n++)
        if (kind_equal(&j->kinds[n], k))
            return (int)n;
    return -1;
}

/* The same, made if need be. When there are too many kinds, one changes its meaning. */
static unsigned kind_cache(struct jit *j, const struct code_kind *k)
{
    int n = kind_find(j, k);

    if (n >= 0)
        return (unsigned)n;
    if (j->nkinds == JUMP_CACHES) {
        blocks_clear(j->cpu);
        j->nkinds = 0;
    }
    j->kinds[j->nkinds] = *k;
    return j->nkinds++;
}

/* -- Code -------------------------------------------------------------------------------------- */

unsigned code_insn(const struct jit *j, const struct code *x, const uint8_t *host)
{
    uint32_t at = (uint32_t)(host - j->to_exec - x->begin);
    unsigned k = 0;
    while (k + 1u < x->block->count && at >= x->host[k + 1])
        k++;
    return k;
}

static const uint8_t *insn_host(const struct jit *j, const struct code *x, unsigned k)
{
    return x->begin + x->host[k] + j->to_exec;
}

static struct code *code_find(struct block *b, const struct code_kind *k)
{
    for (struct code *x = b->code; x != NULL; x = x->next)
        if (kind_equal(&x->kind, k))
            return x;
    return NULL;
}

static uint8_t *beside_count(struct jit *j, const struct block *b)
{
    return &j->beside[b->pa >> 12 & (BESIDE_PAGES - 1)];
}

static struct code *code_make(struct jit *j, struct block *b, const struct code_kind *k,
                              const struct code *before)
{
    uint64_t flushes = j->stats.flushes;
    unsigned cache = k->mode & KIND_FLAT_CS ? kind_cache(j, k) : 0;
    struct code *x = cache_next(j);
    uint16_t at = b->pa & 0xfff;

    if (j->stats.flushes != flushes)
        return NULL;
    memset(x, 0, offsetof(struct code, slot));
    x->block = b;
    x->pa = b->pa;
    x->kind = *k;
    x->cache = (uint8_t)cache;
    if (j->shadow.view.checked)
        x->exact = x->careful = UINT32_MAX;
    if (*beside_count(j, b) == BESIDE_MANY)
        x->beside = UINT32_MAX;
    if (before != NULL) {
        x->exact = before->exact;
        x->careful = before->careful;
        x->beside = before->beside;
        x->never = before->never;
        x->fp_kept = before->fp_kept;
    }
    for (unsigned n = 0; n < b->count; n++) {
        x->guest[n] = at;
        at = (uint16_t)(at + b->insn[n].len);
    }
    backend_translate(j, x);
    cache_add(j, x);
    j->stats.blocks++;
    j->stats.bytes += (uint64_t)(x->end - x->begin);
    j->stats.insns += b->count;
    if (j->perf_map != NULL)
        dump_perf_map(j, x);
    return x;
}

/* Show new code that is on this page of the guest's. */
static void show_code(struct jit *j, const struct code *x, uint64_t page)
{
    if (x != NULL && j->cpu->log_items & LOG_OUT_ASM)
        dump_code(j, x, page);
}

/* -- Being told by the processor --------------------------------------------------------------- */

static bool on_filled(struct cpu *c, unsigned mmu, const struct filled_page *page)
{
    struct jit *j = c->jit;
    uint64_t fills = j->shadow.fills;
    if (mmu < MMU_NONE)
        shadow_fill(&j->shadow, mmu, page);
    return j->shadow.fills != fills;
}

static void on_forget(struct cpu *c, bool global_too)
{
    struct jit *j = c->jit;
    shadow_forget(&j->shadow, global_too);
}

static bool peek_page(void *c, unsigned mmu, uint64_t la, struct filled_page *out)
{
    return mem_peek(c, mmu, la, out);
}

static bool peek_code(void *c, unsigned mmu, uint64_t la, uint64_t *pa)
{
    struct translation tr;
    if (!page_peek(c, la, ACCESS_FETCH, mmu == MMU_USER, false, &tr))
        return false;
    *pa = tr.pa;
    return true;
}

static void tables_to_host(struct jit *j)
{
    for (unsigned m = 0; m < MMU_NONE; m++)
        j->cpu->scratch[X_TABLES + m] = (uint64_t)(uintptr_t)shadow_table(&j->shadow, m);
}

static void on_enter_space(struct cpu *c, uint64_t tag, enum space_state state)
{
    struct jit *j = c->jit;
    j->moves++;
    shadow_enter_space(&j->shadow, tag, state != SPACE_INVALID);
    if (state == SPACE_UNCERTAIN)
        shadow_check_space(&j->shadow, &(struct shadow_peek){peek_page, peek_code, c});
    tables_to_host(j);
}

static void on_forget_space(struct cpu *c, uint64_t tag)
{
    struct jit *j = c->jit;
    shadow_forget_space(&j->shadow, tag);
}

static void on_forget_page(struct cpu *c, uint64_t la, bool maybe_large)
{
    struct jit *j = c->jit;
    shadow_forget_page(&j->shadow, la, maybe_large);
}

static void on_code_moved(struct cpu *c, bool global_too)
{
    struct jit *j = c->jit;
    j->moves++;
    jumps_forget(&j->shadow, global_too);
}

static void on_protect(struct cpu *c, uint64_t pa)
{
    struct jit *j = c->jit;
    const uint8_t *host = phys_page(c, pa, false);
    if (host != NULL)
        shadow_protect(&j->shadow, host);
}

static void on_code_added(struct cpu *c, uint64_t pa, unsigned first, unsigned last)
{
    struct jit *j = c->jit;
    const uint8_t *host = phys_page(c, pa, false);
    if (host != NULL)
        codemap_add(&j->codemap, host, first, last);
}

static void on_code_removed(struct cpu *c, uint64_t pa)
{
    struct jit *j = c->jit;
    const uint8_t *host = phys_page(c, pa, false);
    if (host != NULL)
        codemap_clear_page(&j->codemap, host);
}

static void on_end_writes(struct cpu *c, const uint8_t *begin, const uint8_t *end)
{
    struct jit *j = c->jit;
    shadow_end_writes(&j->shadow, begin, end);
}

static void on_block_killed(struct cpu *c, struct block *b)
{
    struct jit *j = c->jit;
    for (struct code *x = b->code; x != NULL; x = x->next)
        cache_forward(j, x, x->dead);
}

static void on_block_dropped(struct cpu *c, struct block *b)
{
    struct jit *j = c->jit;
    for (struct code *x = b->code; x != NULL; x = x->next)
        x->block = NULL;
    j->drops++;
}

static void on_blocks_cleared(struct cpu *c)
{
    struct jit *j = c->jit;
    cache_clear(j);
    j->left = NULL;
    j->stats.flushes++;
    codemap_clear(&j->codemap);
}

static bool on_deliver(struct cpu *c, deliver_fn fn, unsigned vec, bool external)
{
    struct jit *j = c->jit;

    if (j->lockstep == NULL)
        return fn(c, vec);
    return (external && !lockstep_allows_interrupt(j)) || witness_deliver(j, fn, vec);
}

static void on_nudge(struct cpu *c)
{
    struct jit *j = c->jit;
    if (atomic_load(&j->in_code))
        backend_nudge(j);
}

/* -- Running ----------------------------------------------------------------------------------- */

static uint64_t rip_at(const struct cpu *c, const struct code *x, int64_t offset)
{
    if (c->mode & MODE_64)
        return c->scratch[X_PAGE] + (uint64_t)offset;
    if (x->kind.mode & KIND_FLAT_CS)
        return (uint32_t)(c->scratch[X_PAGE] + (uint64_t)offset);
    return (uint32_t)(x->kind.eip_page + (uint64_t)offset);
}

static void flags_from_host(struct cpu *c)
{
    ((struct jit *)c->jit)->flags_in_host = false;
    uint64_t v = c->scratch[X_FLAGS];
    flags_set_arith(c, (uint32_t)(v >> 8 & 0xff) | (uint32_t)(v & 1) << 11);
}

static void flags_to_host(struct cpu *c)
{
    uint32_t f = flags_arith(c);
    c->scratch[X_FLAGS] = (uint64_t)(f & 0xff) << 8 | (f >> 11 & 1);
}

static void context_to_host(struct jit *j)
{
    struct cpu *c = j->cpu;
    c->scratch[X_TABLE] = (uint64_t)(uintptr_t)shadow_table(&j->shadow, c->mmu);
    if (!(c->mode & MODE_64))
        for (unsigned n = 0; n < SEG_COUNT; n++)
            c->scratch[X_LIMIT64K + 2 * n] = c->seg[n].base;
}

/* Write down what is pending of x87 instructions before instruction k of x. */
static void note_x87(struct cpu *c, const struct code *x, unsigned k)
{
    unsigned n = x->note[k], mem = x->note_mem[k];
    const struct insn *insn = x->block->insn;
    uint64_t rip = c->r[RIP];

    if (n != 0) {
        c->fpu.fop = (uint16_t)((insn[n - 1].opc & 7u) << 8 | insn[n - 1].modrm);
        c->fpu.fip = rip_at(c, x, x->guest[n - 1]);
        c->fpu.fcs = c->seg[SEG_CS].sel;
    }
    if (mem != 0) {
        c->r[RIP] = rip_at(c, x, x->guest[mem - 1]) + insn[mem - 1].len;
        c->fpu.fdp = ea(c, &insn[mem - 1]);
        c->fpu.fds = c->seg[insn[mem - 1].seg].sel;
        c->r[RIP] = rip;
    }
}

/* Complete what translated code has written of its last x87 instruction: segment registers do not
 * change while it runs. */
static void finish_notes(struct cpu *c)
{
    uint32_t insn = (uint32_t)c->scratch[X_NOTE], mem = (uint32_t)(c->scratch[X_NOTE] >> 32);

    if (insn & NOTE_NEW) {
        c->fpu.fop = (uint16_t)(insn & 0x7ff);
        c->fpu.fcs = c->seg[SEG_CS].sel;
    }
    if (mem & NOTE_NEW)
        c->fpu.fds = c->seg[mem & 7].sel;
    c->scratch[X_NOTE] = 0;
}

/* Not in translated code, or not in this block. */
#define ELSEWHERE UINT_MAX

/* Has instruction k of x, a repeated one, paused, and can translated code go on with it? Then the
 * flags are those that it began with: a fault would leave them so. */
static bool has_paused(const struct cpu *c, const struct code *x, unsigned k, uint64_t moves)
{
    const struct jit *j = c->jit;
    return c->r[RIP] == rip_at(c, x, x->guest[k]) && !x->block->dead && j->moves == moves;
}

/* Execute instruction k of x as the interpreter does. Returns the one before which execution can go
 * on in translated code: the next, or k once more; or ELSEWHERE.
 *
 * `fill`: let no access hit in the interpreter's own cache, so that on_filled() hears of all pages
 * touched, and let a repeated instruction pause when it has done so once. */
static unsigned interpret(struct cpu *c, const struct code *x, unsigned k, bool fill)
{
    struct jit *j = c->jit;
    const struct insn *i = &x->block->insn[k];
    uint64_t rip = rip_at(c, x, x->guest[k]), next = rip + i->len, moves = j->moves;
    bool once = fill && optab[i->op].attr & ATTR_STR;
    struct lazy_flags before = c->f;

    if (!(c->mode & MODE_64))
        next = (uint32_t)next;
    if (j->lockstep != NULL)
        lockstep_note_interpreted(j, x, k);
    c->run_end = i + 1;
    c->r[RIP] = next;
    c->icount++;
    if (fill)
        c->tlb = &c->tlbs[MMU_NONE];
    if (once)
        c->single = true;
    j->raised = !i->fn(c, i);
    if (once)
        c->single = false;
    if (once && !j->raised && c->r[RIP] == rip && x->block->dead) {
        c->r[RIP] = next; /* it has overwritten itself: to its end, as it was fetched */
        j->raised = !i->fn(c, i);
    }
    if (j->raised) {
        c->r[RIP] = rip;
        if (j->flags_in_host)
            flags_from_host(c);
        j->shutdown = !exception_deliver(c);
    }
    if (fill)
        c->tlb = &c->tlbs[c->mmu];
    if (j->raised)
        return ELSEWHERE;
    if (once && has_paused(c, x, k, moves)) {
        c->f = before;
        return k;
    }
    return c->run_end != NULL && c->r[RIP] == next ? k + 1 : ELSEWHERE;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What leads to older code of y's block and kind leads to y. */
static void supersede(struct jit *j, struct code *y)
{
    for (struct code *x = y->next; x != NULL; x = x->next) {
        if (!kind_equal(&x->kind, &y->kind))
            continue;
        while (x->in != NULL)
            cache_link(j, x->in, y);
        cache_forward(j, x, y->inside);
    }
}

/* Translate the block of x anew, by what has become known. */
static void replace(struct jit *j, const struct code *x)
{
    struct code *y = code_make(j, x->block, &x->kind, x);

    show_code(j, y, j->cpu->scratch[X_PAGE]);
    if (y != NULL)
        supersede(j, y);
}

/* Writes to pages with code so far. */
static uint64_t code_writes(const struct jit *j)
{
    return blocks_stats(j->cpu).written;
}

/* Instruction k of x, the latest code of its block, has been interpreted because translated code
 * could not complete it: once more in vain? An instruction that traps again and again, because it
 * means a device or a page with code or is where a program touches new pages, is translated anew: a
 * look and a call cost less than a signal. `beside`: it wrote to a page with code. */
static void note_trap(struct jit *j, struct code *x, unsigned k, bool beside)
{
    uint32_t bit = UINT32_C(1) << k;

    if (x->block->dead || x->traps[k] >= MAX_TRAPS || cache_is_full(j) ||
        (j->raised && x->careful & bit) || code_find(x->block, &x->kind) != x)
        return;
    if (x->near & bit && !j->raised && !beside) {
        uint64_t last = x->near_trap;
        x->near_trap = now_ns();
        if (x->near_trap - last > NEAR_TRAP_NS)
            x->traps[k] = 0;
    }
    x->traps[k] = (uint8_t)(x->traps[k] + (j->raised ? TRAP_GUEST : TRAP));
    if (x->traps[k] < MAX_TRAPS)
        return;
    if (beside && !(x->beside & bit)) {
        x->beside |= bit;
        if (blocks_stats(j->cpu).written_page == (x->pa & PAGE_MASK) &&
            *beside_count(j, x->block) < BESIDE_MANY)
            ++*beside_count(j, x->block);
    } else {
        if (x->careful & bit)
            x->never |= bit;
        if (!(x->near & bit))
            x->careful |= bit;
        x->exact |= bit;
        for (unsigned n = 0; n < x->block->count; n++) /* these may come to use what it looks up */
            if (x->near & bit && x->near & ~x->exact & UINT32_C(1) << n)
                x->traps[n] = 0;
    }
    replace(j, x);
}

/* Must the loop above translated code have a look first? */
static bool must_stop(const struct cpu *c)
{
    unsigned a = atomic_load(&c->attention);
    return interp_needs_care(c) || c->halted || c->fault_pending || a & ATT_EXIT || cpu_has_work(c);
}

/* Execute instruction k of x where the tables do not have its pages, or only the interpreter can
 * reach what is there: then it may as well finish what it repeats. */
static unsigned interpret_and_fill(struct cpu *c, const struct code *x, unsigned k)
{
    const struct jit *j = c->jit;
    uint64_t fills = j->shadow.fills;
    unsigned n = interpret(c, x, k, true);

    return n == k && j->shadow.fills == fills && !must_stop(c) ? interpret(c, x, k, false) : n;
}

/* Translated code has stopped before instruction k of x, or behind the block: as it should have? */
static bool check_at(struct jit *j, struct code *x, unsigned k)
{
    struct cpu *c = j->cpu;

    if (j->lockstep == NULL)
        return true;
    if (k != LOCKSTEP_END)
        c->r[RIP] = rip_at(c, x, x->guest[k]);
    return lockstep_check(j, x, k);
}

/* Look up again what instruction k of x expects to be looked up. */
static void resume_slots(struct jit *j, const struct code *x, unsigned k)
{
    struct cpu *c = j->cpu;

    for (unsigned n = 0; n < SLOTS; n++) {
        const struct slot *s = &x->slot[k][n];
        uint64_t la, entry;
        if (!s->live)
            continue;
        la = c->r[s->base] + (c->r[s->index] << s->scale) - (uint64_t)(int64_t)s->moved;
        if (!s->entry) /* accesses are by the registers as they are, beyond 4 GiB, too */
            la &= c->la_mask;
        entry = shadow_entry(&j->shadow, c->mmu, la, s->table);
        c->scratch[X_SLOT + n] = s->entry ? entry : la + entry;
    }
}

/* Translated code is not to stop any more. Before must_stop(), which sees what had it stop. */
static void allow_jumps(struct jit *j)
{
    struct cpu *c = j->cpu;

    if (atomic_load(&c->poll) == (uint64_t)(uintptr_t)&j->poll_ok &&
        atomic_load(&c->poll_mask) == JUMP_MASK)
        return;
    atomic_store(&c->poll, (uint64_t)(uintptr_t)&j->poll_ok);
    atomic_store(&c->poll_mask, JUMP_MASK);
}

/* In lockstep: rehearse x from instruction k on. What asks for attention in that has asked for
 * nothing; another thread that does waits for the end of the block. */
static void rehearse(struct jit *j, struct code *x, unsigned k, bool entered)
{
    if (j->lockstep == NULL)
        return;
    lockstep_begin(j, x, k, entered);
    allow_jumps(j);
}

/* Translated code is to go on before instruction k of x. */
static void resume_at(struct jit *j, struct code *x, unsigned k)
{
    rehearse(j, x, k, false);
    flags_to_host(j->cpu);
}

/* Shall it stop? Where it is entered, translated code looks too, but this is cheaper. */
static bool is_nudged(const struct cpu *c)
{
    return atomic_load(&c->poll) == CPU_POLL_STOP;
}

/* Of a block's instructions, counted when it was entered, the last n were not executed. */
static void uncount(struct jit *j, unsigned n)
{
    j->cpu->scratch[X_EXECUTED] -= n;
}

/* The processor is somewhere else, or what code depends on has changed: find the code for it where
 * translated code would. */
static bool find_jump(struct jit *j, const struct code_kind *k)
{
    struct cpu *c = j->cpu;
    uint64_t la = c->r[RIP] & c->la_mask;
    const uint8_t *code;
    int cache = k->mode & KIND_FLAT_CS ? kind_find(j, k) : -1;

    if (cache < 0)
        return false;
    code = jump_find(&j->shadow, c->mmu, (unsigned)cache, la);
    if (code == NULL)
        return false;
    c->scratch[X_RESUME] = (uint64_t)(uintptr_t)code;
    c->scratch[X_LA] = la;
    return true;
}

/* Does it load DS, ES, FS or GS outside 64-bit code, which changes nothing else that code depends
 * on? */
static bool is_data_load(const struct cpu *c, const struct insn *i)
{
    const struct jit *j = c->jit;
    return j->rows[i->op].loads_segment && i->dst != SEG_SS && !(c->mode & MODE_64);
}

/* An instruction of x was interpreted that ended the block, one way or another. `next`: execution
 * goes on behind it. Can it do so in translated code? */
static bool go_on_after(struct jit *j, const struct code *x, const struct insn *i, bool next)
{
    struct cpu *c = j->cpu;
    struct code_kind k;

    allow_jumps(j);
    if (j->lockstep != NULL || j->shutdown || must_stop(c) || c->mmu == MMU_NONE)
        return false;
    k = next && is_data_load(c, i) ? kind_with(c, x->kind, i->dst) : kind_now(c);
    if (!(next && x->goes_on && kind_equal(&k, &x->kind)) && !find_jump(j, &k))
        return false;
    context_to_host(j);
    if (!j->flags_in_host)
        flags_to_host(c);
    return true;
}

/* A look at the entry had instruction k of x interpreted, which wrote to a page with code. */
static void note_call(struct jit *j, struct code *x, unsigned k)
{
    if (!((x->beside | x->declined) >> k & 1))
        note_trap(j, x, k, true);
}

static enum after_call leave(struct cpu *c)
{
    const struct jit *j = c->jit;
    if (j->flags_in_host)
        flags_from_host(c);
    return CALL_LEAVE;
}

enum after_call jit_call(struct cpu *c, struct code *x)
{
    struct jit *j = c->jit;
    unsigned k = (unsigned)c->scratch[X_SITE], n;
    const struct insn *i = &x->block->insn[k];
    unsigned count = x->block->count;
    uint64_t moves = j->moves, drops = j->drops, writes = code_writes(j);
    bool last;

    j->flags_in_host = j->rows[i->op].keeps_flags && j->lockstep == NULL;
    if (!j->flags_in_host)
        flags_from_host(c);
    finish_notes(c);
    note_x87(c, x, k);
    if (!check_at(j, x, k))
        return CALL_LEAVE;
    j->stats.calls++;
    j->rows[i->op].calls++;
    n = x->careful >> k & 1 ? interpret_and_fill(c, x, k) : interpret(c, x, k, false);
    if (x->careful >> k & 1 && j->drops == drops && code_writes(j) != writes)
        note_call(j, x, k);
    if (n == k && must_stop(c)) /* there is no poll between the parts of it */
        n = ELSEWHERE;
    last = n == ELSEWHERE || n == count;
    if (n == ELSEWHERE)
        uncount(j, count - k - 1);
    if (last && !go_on_after(j, x, i, n != ELSEWHERE && j->moves == moves))
        return leave(c);
    if (!last && is_nudged(c)) {
        uncount(j, count - n);
        return leave(c);
    }
    if (!last) {
        c->scratch[X_RESUME] = (uint64_t)(uintptr_t)insn_host(j, x, n);
        resume_slots(j, x, n);
    }
    if (!last && !j->flags_in_host)
        resume_at(j, x, n);
    return c->mode & MODE_64 ? CALL_ON_64 : CALL_ON_32;
}

/* An instruction of x has changed more than registers; `next`: execution goes on behind it. */
static enum after_call look_on(struct jit *j, struct code *x, unsigned k, bool next)
{
    struct cpu *c = j->cpu;

    if (j->lockstep != NULL) {
        flags_from_host(c);
        lockstep_check(j, x, LOCKSTEP_END);
        return CALL_LEAVE;
    }
    if (!next)
        uncount(j, x->block->count - k - 1);
    j->flags_in_host = true;
    if (!go_on_after(j, x, &x->block->insn[k], next))
        return leave(c);
    return c->mode & MODE_64 ? CALL_ON_64 : CALL_ON_32;
}

enum after_call jit_assist(struct cpu *c, struct code *x)
{
    struct jit *j = c->jit;
    unsigned k = (unsigned)c->scratch[X_SITE];
    const struct insn *i = &x->block->insn[k];
    const struct assist *assist = j->rows[i->op].assist;
    uint64_t next = rip_at(c, x, x->guest[k]) + i->len, moves = j->moves;

    if (!(c->mode & MODE_64))
        next = (uint32_t)next;
    c->r[RIP] = next;
    c->run_end = i + 1;
    finish_notes(c);
    note_x87(c, x, k);
    if (j->lockstep != NULL)
        stray_open(j);
    if ((j->lockstep != NULL && !lockstep_covers(j, x, k)) || !assist->fn(c, i))
        return jit_call(c, x);
    j->stats.assists++;
    j->rows[i->op].assists++;
    if (assist->after == AFTER_LOOK || c->run_end == NULL)
        return look_on(j, x, k,
                       k + 1u == x->block->count && c->r[RIP] == next && j->moves == moves);
    if (is_nudged(c)) {
        uncount(j, x->block->count - k - 1u);
        flags_from_host(c);
        return CALL_LEAVE;
    }
    return c->mode & MODE_64 ? CALL_ON_64 : CALL_ON_32;
}

/* Instruction k of x could not complete: the page is not in the tables, it faults, or the access is
 * one that needs the interpreter. Returns the instruction to go on with, or ELSEWHERE. */
static unsigned after_fault(struct jit *j, struct code *x, unsigned k)
{
    struct cpu *c = j->cpu;
    uint64_t fills = j->shadow.fills, drops = j->drops, writes = code_writes(j);
    unsigned n;

    j->stats.faults++;
    j->rows[x->block->insn[k].op].faults++;
    n = interpret_and_fill(c, x, k);
    if (j->drops != drops)
        return ELSEWHERE;
    if (j->raised || j->shadow.fills == fills) /* delivering an exception fills, too */
        note_trap(j, x, k, code_writes(j) != writes);
    if (n == ELSEWHERE || n == x->block->count)
        return ELSEWHERE;
    c->r[RIP] = rip_at(c, x, x->guest[n]);
    if (must_stop(c) || cache_is_full(j))
        return ELSEWHERE;
    resume_at(j, x, n);
    resume_slots(j, x, n);
    return n;
}

/* In lockstep: instruction k of x has trapped by a write that is not in the rehearsal, or is. Let
 * it do so again, where it is not kept from it. */
static unsigned run_again(struct jit *j, struct code *x, unsigned k)
{
    j->again = true;
    resume_at(j, x, k);
    resume_slots(j, x, k);
    j->again = false;
    return k;
}

/* What was run again has come back. */
static void judge_again(struct jit *j, enum code_why why, const struct code *suspect, unsigned k)
{
    const struct cpu *c = j->cpu;
    bool trapped = why == WHY_FAULT && c->scratch[X_SITE] == k &&
                   c->scratch[X_CODE] == (uint64_t)(uintptr_t)suspect;

    if (!trapped && why != WHY_POLL && why != WHY_NUDGED)
        lockstep_say_stray(j, suspect, k);
}

/* Interpret a block that has no code, or is not worth having it. */
static bool run_cold(struct jit *j, struct block *b)
{
    if (b->heat < UINT16_MAX)
        b->heat++;
    j->stats.cold++;
    if (j->lockstep != NULL)
        lockstep_note_cold(j, b->count);
    return interp_block(j->cpu, b, BLOCK_MAX_INSNS) || exception_deliver(j->cpu);
}

struct code *code_translate(struct jit *j, struct block *b)
{
    struct cpu *c = j->cpu;
    struct code_kind k = kind_now(c);
    struct code *x = code_find(b, &k);

    if (x == NULL) {
        x = code_make(j, b, &k, NULL);
        show_code(j, x, (c->seg[SEG_CS].base + c->r[RIP]) & c->la_mask & PAGE_MASK);
    }
    return x;
}

struct code *code_peek(struct jit *j)
{
    struct block *b = j->cpu->mmu != MMU_NONE ? block_peek(j->cpu) : NULL;
    struct code_kind k;

    if (b == NULL)
        return NULL;
    k = kind_now(j->cpu);
    return code_find(b, &k);
}

static bool is_hot(const struct jit *j, const struct block *b)
{
    return b->code != NULL || b->heat >= HOT || j->lockstep != NULL;
}

/* The code for where the processor is, made if need be; NULL: none. *b is the block. False: the
 * fetch faulted. */
static bool find_code(struct jit *j, struct block **b, struct code **x)
{
    struct cpu *c = j->cpu;
    uint64_t flushes;

    *x = NULL;
    if (cache_is_full(j))
        cache_make_room(j);
    *b = block_lookup(c);
    if (*b == NULL)
        return false;
    if (c->mmu == MMU_NONE || (*b)->dead || !is_hot(j, *b))
        return true;
    flushes = j->stats.flushes;
    *x = code_translate(j, *b);
    if (j->stats.flushes != flushes)
        *b = block_lookup(c); /* too many kinds: all blocks are gone, this one too */
    return *b != NULL;
}

/* Where to enter x. */
static const uint8_t *enter_at(struct jit *j, struct code *x)
{
    struct cpu *c = j->cpu;
    uint64_t la = (c->seg[SEG_CS].base + c->r[RIP]) & c->la_mask;

    c->scratch[X_PAGE] = la & ~UINT64_C(0xfff);
    if (x->outside != NULL)
        jump_insert(
            &j->shadow, c->mmu, x->cache,
            &(struct jump){la, x->block->pa, x->block->pa2, x->outside, block_is_global(c)});
    context_to_host(j);
    flags_to_host(c);
    return x->inside;
}

/* Run code from `at` on until it cannot go on by itself. Returns the exit taken where that may be
 * linked to what comes next. */
static struct code_exit *run_code(struct jit *j, const uint8_t *at, uint64_t *from)
{
    struct cpu *c = j->cpu;

    unsigned fp_ready = 0, suspect_k = 0;
    struct code *suspect = NULL;

    *from = 0;
    while (at != NULL) {
        enum code_why why;

        j->stats.entries++;
        why = backend_enter(j, at, fp_ready);
        if (suspect != NULL)
            judge_again(j, why, suspect, suspect_k);
        struct code *x = (struct code *)(uintptr_t)c->scratch[X_CODE];
        unsigned site = (unsigned)c->scratch[X_SITE];
        at = NULL;
        if (why == WHY_STATE)
            return NULL;
        if (why == WHY_NUDGED) {
            flags_from_host(c);
            return NULL;
        }
        unsigned count = x->block != NULL ? x->block->count : site;
        finish_notes(c);
        if (why == WHY_JUMPED) {
            flags_from_host(c);
            check_at(j, NULL, LOCKSTEP_END);
            return NULL;
        }
        if (why == WHY_FAULT || why == WHY_POLL)
            note_x87(c, x, site);
        flags_from_host(c);
        if (why == WHY_FAULT) {
            unsigned n = ELSEWHERE;
            suspect = lockstep_is_suspect(j, x, site) ? x : NULL;
            suspect_k = site;
            if (check_at(j, x, site))
                n = suspect != NULL ? run_again(j, x, site) : after_fault(j, x, site);
            if (n != ELSEWHERE) {
                at = insn_host(j, x, n);
                fp_ready = x->fp_ready[n];
            } else {
                uncount(j, count - site - 1);
            }
        } else if (why == WHY_EXIT) {
            c->r[RIP] = rip_at(c, x, x->exit[site].offset);
            *from = c->scratch[X_PAGE];
            return check_at(j, x, LOCKSTEP_END) ? &x->exit[site] : NULL;
        } else {
            c->r[RIP] = rip_at(c, x, x->guest[why == WHY_DEAD ? 0 : site]);
            j->left = why == WHY_DEAD && runs_linked(j) ? x : NULL;
            if (why == WHY_POLL) {
                j->stats.polls++;
                uncount(j, count - site);
            }
            check_at(j, x, why == WHY_DEAD ? LOCKSTEP_END : site);
        }
    }
    return NULL;
}

/* x does not use floating point, but what leads to it does, and what its exit is linked to now: the
 * registers are to stay in the host meanwhile, which x can tell of only if it makes sure itself. */
static void keep_fp(struct jit *j, struct code *x, const struct code_exit *exit)
{
    unsigned lost = exit->to->fp_used & ~exit->fp_ready & ~x->fp_used;
    bool had = false;

    for (const struct code_exit *in = x->in; in != NULL && !had; in = in->next_in)
        had = (lost & ~in->fp_ready) == 0;
    if (lost == 0 || !had || x->declined != 0 || x->block == NULL || x->block->dead ||
        cache_is_full(j))
        return;
    x->fp_kept |= (uint8_t)lost;
    replace(j, x);
}

/* The exit that led here stays within its page and is not linked yet: link it. */
static void link_exit(struct jit *j, struct code_exit *exit, uint64_t from, uint64_t drops,
                      struct code *x)
{
    struct code *leaving;

    if (exit->patch == NULL || !runs_linked(j) || j->drops != drops ||
        j->cpu->scratch[X_PAGE] != from)
        return;
    /* The guest may have mapped another page there, or may yet map one where x ends. */
    leaving = code_at(j, exit->patch + j->to_exec);
    if (leaving == NULL || (leaving->pa ^ x->pa) >> 12 != 0 || x->block->pa2 != NO_PAGE)
        return;
    cache_link(j, exit, x);
    j->stats.links++;
    keep_fp(j, leaving, exit);
}

/* Let the entry of dead code lead to its successor: code for the same place. */
static void forward_dead(struct jit *j, const struct code *x)
{
    struct code *dead = j->left;

    j->left = NULL;
    if (dead != NULL && dead->pa == x->pa && x->block->pa2 == NO_PAGE &&
        kind_equal(&dead->kind, &x->kind))
        cache_forward(j, dead, x->inside);
}

static bool jit_run(struct cpu *c)
{
    struct jit *j = c->jit;
    struct code_exit *exit = NULL;
    uint64_t from = 0, drops = 0;

    for (;;) {
        struct block *b;
        struct code *x;
        const uint8_t *at;

        allow_jumps(j);
        if (must_stop(c))
            return true;
        if (!find_code(j, &b, &x))
            return exception_deliver(c);
        if (x == NULL) {
            exit = NULL;
            if (!run_cold(j, b))
                return false;
            continue;
        }
        at = enter_at(j, x);
        forward_dead(j, x);
        if (exit != NULL)
            link_exit(j, exit, from, drops, x);
        drops = j->drops;
        rehearse(j, x, 0, true);
        atomic_store(&j->in_code, true); /* before code looks at c->poll where it is entered */
        exit = run_code(j, at, &from);
        atomic_store(&j->in_code, false);
        if (j->lockstep != NULL)
            lockstep_end(j);
        if (j->shutdown) {
            j->shutdown = false;
            return false;
        }
    }
}

/* -- Statistics -------------------------------------------------------------------------------- */

#define REPORTED 40

/* Translated code counts a block when it is entered; what it leaves to the interpreter, and blocks
 * without code, the interpreter counts. A repeated string instruction counts once each time. */
static void report_share(struct jit *j)
{
    struct cpu *c = j->cpu;
    const struct jit_stats *s = &j->stats;
    uint64_t translated = c->scratch[X_EXECUTED] - s->calls - s->faults;
    uint64_t all = translated + c->icount;

    cpu_log(
        c, LOG_JIT_STATS,
        "%llu instructions executed, %llu of them not translated: %.3f %% were, %llu of these by "
        "functions of theirs",
        (unsigned long long)all, (unsigned long long)c->icount,
        all != 0 ? 100.0 * (double)translated / (double)all : 0.0, (unsigned long long)s->assists);
}

/* Log the instructions that cost most: those that translated code left to the interpreter. */
static void report(struct jit *j)
{
    struct cpu *c = j->cpu;
    const struct jit_stats *s = &j->stats;

    cpu_log(c, LOG_JIT_STATS,
            "%llu blocks of %llu instructions translated to %llu bytes, %llu of them declined",
            (unsigned long long)s->blocks, (unsigned long long)s->insns,
            (unsigned long long)s->bytes, (unsigned long long)s->declined);
    cpu_log(c, LOG_JIT_STATS,
            "%llu entries, %llu calls, %llu faults, %llu cold blocks, %llu links, %llu polls, "
            "%llu flushes, %llu evictions",
            (unsigned long long)s->entries, (unsigned long long)s->calls,
            (unsigned long long)s->faults, (unsigned long long)s->cold,
            (unsigned long long)s->links, (unsigned long long)s->polls,
            (unsigned long long)s->flushes, (unsigned long long)s->evictions);
    report_share(j);
    for (unsigned n = 0; n < REPORTED; n++) {
        unsigned most = 0;
        for (unsigned k = 1; k < optab_count; k++)
            if (j->rows[k].calls + j->rows[k].faults > j->rows[most].calls + j->rows[most].faults)
                most = k;
        cpu_log(c, LOG_JIT_STATS, "%12llu calls %12llu faults  %s %s",
                (unsigned long long)j->rows[most].calls, (unsigned long long)j->rows[most].faults,
                optab[most].name, optab[most].operands);
        j->rows[most].calls = j->rows[most].faults = 0;
    }
}

/* -- Life -------------------------------------------------------------------------------------- */

static const struct translator translator = {
    .run = jit_run,
    .filled = on_filled,
    .forget_page = on_forget_page,
    .forget = on_forget,
    .enter_space = on_enter_space,
    .forget_space = on_forget_space,
    .code_moved = on_code_moved,
    .protect = on_protect,
    .end_writes = on_end_writes,
    .code_added = on_code_added,
    .code_removed = on_code_removed,
    .block_killed = on_block_killed,
    .block_dropped = on_block_dropped,
    .blocks_cleared = on_blocks_cleared,
    .deliver = on_deliver,
    .nudge = on_nudge,
};

static int open_all(struct jit *j, const struct jit_ram *ram, const struct jit_config *cfg,
                    char *err)
{
    uint64_t bytes = cfg->code_bytes != 0 ? cfg->code_bytes : CODE_BYTES;
    int status;

    j->rows = rows_create(j->cpu);
    status = j->rows == NULL ? -ENOMEM : shadow_create(&j->shadow);
    if (status == 0)
        status = codemap_create(&j->codemap, ram);
    if (status == 0)
        status = cache_create(j, bytes);
    if (status == 0 && !blocks_resize(j->cpu, bytes))
        status = -ENOMEM;
    if (status == 0 && j->cpu->log_items & LOG_ANY_LOCKSTEP)
        status = lockstep_create(j);
    if (status == 0 && j->lockstep != NULL)
        status = witness_create(j);
    if (status != 0) {
        snprintf(err, 256, "no memory for the translator");
        return status;
    }
    status = backend_create(j, err);
    cache_open(j);
    if (status == 0)
        jumps_reserve(&j->shadow, j->jumped);
    return status != 0 ? status : shadow_open(&j->shadow, ram, cfg->checks, err);
}

int jit_create(struct jit **out, struct cpu *c, const struct jit_ram *ram,
               const struct jit_config *cfg, char *err)
{
    struct jit *j = calloc(1, sizeof(*j));
    int status;

    *out = NULL;
    if (j == NULL)
        return -ENOMEM;
    j->cpu = c;
    status = open_all(j, ram, cfg, err);
    if (status != 0) {
        jit_free(j);
        return status;
    }
    c->scratch[X_BIT16] = 0x10000;
    c->scratch[X_BITS32] = 31;
    c->scratch[X_BITS64] = 63;
    tables_to_host(j);
    c->scratch[X_TAG] = VIEW_CHECK;
    c->scratch[X_CODEMAP] =
        (uint64_t)(uintptr_t)j->codemap.map - (uint64_t)(uintptr_t)j->shadow.view.base;
    for (unsigned n = 0; n < WRITE_SIZES; n++)
        c->scratch[X_SIZE + n] = UINT64_C(1) << n;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        c->scratch[X_LIMIT64K + 2 * n + 1] = CPU_POLL_STOP;
    blocks_clear(c);
    c->jit = j;
    c->translator = &translator;
    *out = j;
    return 0;
}

void jit_free(struct jit *j)
{
    if (j == NULL)
        return;
    if (j->cpu->jit == j && j->cpu->log_items & LOG_JIT_STATS)
        report(j);
    if (j->cpu->jit == j) {
        j->cpu->translator = NULL;
        j->cpu->jit = NULL;
        blocks_clear(j->cpu);
    }
    witness_free(j);
    lockstep_free(j);
    backend_free(j);
    cache_free(j);
    if (j->perf_map != NULL)
        fclose(j->perf_map);
    shadow_free(&j->shadow);
    codemap_free(&j->codemap);
    free(j->rows);
    free(j);
}

const char *jit_disassembler(void)
{
    return backend_disassembler();
}

int jit_perf_map(struct jit *j)
{
    return dump_open_perf_map(j);
}

int jit_thread_enter(struct jit *j)
{
    return j != NULL ? backend_thread_enter(j) : 0;
}

void jit_thread_leave(struct jit *j)
{
    if (j != NULL)
        backend_thread_leave(j);
}

bool jit_failed(const struct jit *j)
{
    return j->failed;
}

struct jit_stats jit_stats(const struct jit *j)
{
    return j->stats;
}
