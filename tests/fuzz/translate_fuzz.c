/* SPDX-License-Identifier: MIT */
/* The translator against the interpreter: the same code from the same state comes to the same
 * state.
 *
 * Input: world, flags, control registers, where register values come from, which handlers
 * exceptions have, code. The code is put together from the input's instructions so that its results
 * are defined: flags that an instruction leaves undefined are set behind it, branches skip one
 * instruction. Where it goes to other bytes (data, its own instructions' middles, what it wrote)
 * whose results are not defined, nothing is compared. It runs several times in the translated
 * machine, of which the first times are the interpreter's, because it is not hot yet. */
#include "tests/fuzz/input.h"

#include <Zydis/Zydis.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "cpu/block.h"
#include "jit/jit.h"
#include "tests/fuzz/worlds.h"

#define ROUNDS   7 /* the last ones are translated */
#define CODE_MAX 1024u
#define BLOCKS   500 /* the interpreter's; more: a loop */
#define STRAYS   0x10000u
#define SECONDS  20 /* the translator's */
#define PAGE     4096u
#define PAGES    (FAKE_RAM_BYTES / PAGE)

/* -- Worlds ------------------------------------------------------------------------------------ */

/* Two machines that are alike, and what they are like before code runs. */
struct world {
    struct fake_machine *m[2]; /* the second one has the translator */
    struct cpu *cpu[2];
    uint8_t *ram;
    struct jit *jit;
};

/* False: this host has no translator. */
static bool world_create_pair(struct world *w, unsigned kind)
{
    char err[256];
    /* With checks by the host, where it can, and by the code. */
    struct jit_config cfg = {.checks = kind >= WORLDS ? JIT_CHECKS_CODE : JIT_CHECKS_BEST};
    struct jit_ram ram;

    for (unsigned n = 0; n < 2; n++) {
        w->m[n] = makers[kind % WORLDS]();
        w->cpu[n] = malloc(sizeof(struct cpu));
        memset(w->m[n]->ram + CODE - 16, 0xf4, 2 * CODE_MAX); /* HLT */
        for (unsigned k = 0; k < 0x10000; k += 8)
            put(w->m[n], DATA + k, 8, k * UINT64_C(0x9e3779b97f4a7c15));
    }
    fake_machine_spread(w->m[1]);
    ram = (struct jit_ram){w->m[1]->ram_fd, w->m[1]->spread, PAGES};
    if (jit_create(&w->jit, &w->m[1]->cpu, &ram, &cfg, err) != 0) {
        fprintf(stderr, "not tested: %s\n", err);
        return false;
    }
    w->ram = malloc(FAKE_RAM_BYTES);
    memcpy(w->ram, w->m[0]->ram, FAKE_RAM_BYTES);
    for (unsigned n = 0; n < 2; n++) {
        cpu_flush_tlb(&w->m[n]->cpu);
        memcpy(w->cpu[n], &w->m[n]->cpu, sizeof(struct cpu));
    }
    return true;
}

static struct world *world(unsigned kind)
{
    static struct world worlds[2 * WORLDS];
    static bool possible, impossible;

    if (worlds[kind].jit == NULL && !impossible) {
        impossible = !world_create_pair(&worlds[kind], kind);
        REQUIRE(!possible || !impossible);
        possible = !impossible;
    }
    return impossible ? NULL : &worlds[kind];
}

/* As it was, but for decoded and translated code that is still good. */
static void restore(const struct world *w, unsigned n)
{
    struct fake_machine *m = w->m[n];

    memcpy(&m->cpu, w->cpu[n], sizeof(m->cpu));
    for (unsigned k = 0; k < PAGES; k++)
        if (m->dirty[k] && memcmp(m->ram + k * PAGE, w->ram + k * PAGE, PAGE) != 0) {
            memcpy(m->ram + k * PAGE, w->ram + k * PAGE, PAGE);
            cpu_code_written(&m->cpu, k * PAGE, PAGE);
        }
    memset(m->dirty, 0, sizeof(m->dirty));
    m->tsc = 0;
    m->pending_vector = -1;
}

/* -- Code -------------------------------------------------------------------------------------- */

struct code_text {
    uint8_t bytes[CODE_MAX];
    unsigned n;
    ZydisDecoder decoder;
};

static ZydisDecoder decoder_for(const struct cpu *c)
{
    ZydisDecoder d;

    if (c->mode & MODE_64)
        ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    else if (c->mode & MODE_CS32)
        ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    else
        ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    return d;
}

/* Results that differ between processors, or tell the time. */
static bool is_vague(const ZydisDecodedInstruction *z)
{
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_BSF: /* with no bit set; in REP BSF's clothes these are TZCNT */
    case ZYDIS_MNEMONIC_BSR: return true;
    case ZYDIS_MNEMONIC_SHLD: /* of 16 bits by more */
    case ZYDIS_MNEMONIC_SHRD: return z->operand_width == 16;
    default: return false;
    }
}

static bool leaves_flags_undefined(const ZydisDecodedInstruction *z)
{
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_AND: /* only AF, which they all clear */
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_TEST: return false;
    default: return z->cpu_flags != NULL && z->cpu_flags->undefined != 0;
    }
}

static const uint8_t define_flags[] = {0x3c, 0x5a}; /* CMP AL, 5Ah */

#define ENTRY 8 /* of value(): code may be entered there too, so an instruction begins there */

/* The instruction at `in` goes to the text, if it may. Returns its length, or 1. */
static unsigned take(struct code_text *t, const struct input *in, bool *skips)
{
    ZydisDecodedInstruction z;
    ZydisDecoderContext ctx;

    *skips = false;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&t->decoder, &ctx, in->p, in->n, &z)))
        return 1;
    if (is_vague(&z))
        return z.length;
    while (t->n < ENTRY && t->n + z.length + sizeof(define_flags) > ENTRY)
        t->bytes[t->n++] = 0x90;
    memcpy(t->bytes + t->n, in->p, z.length);
    if (z.raw.imm[0].is_relative) {
        memset(t->bytes + t->n + z.raw.imm[0].offset, 0, z.raw.imm[0].size / 8);
        *skips = z.raw.imm[0].size == 8;
    }
    t->n += z.length;
    if (leaves_flags_undefined(&z)) {
        memcpy(t->bytes + t->n, define_flags, sizeof(define_flags));
        t->n += sizeof(define_flags);
    }
    return z.length;
}

static void put_together(struct code_text *t, struct input *in)
{
    uint8_t *displacement = NULL; /* of a branch that skips what comes next */

    while (in->n > 0 && t->n + 32 < CODE_MAX) {
        unsigned before = t->n;
        bool skips;
        unsigned length = take(t, in, &skips);
        if (displacement != NULL && t->n > before) {
            *displacement = (uint8_t)(t->n - before);
            displacement = NULL;
        }
        if (skips)
            displacement = t->bytes + t->n - 1;
        in->p += length;
        in->n -= length;
    }
    if (displacement != NULL)
        *displacement = 0;
}

/* -- State ------------------------------------------------------------------------------------- */

/* What the input says of the state that code begins with. */
struct setup {
    uint32_t flags;
    unsigned bits;
    uint64_t seed;
};

static void set_state(struct fake_machine *m, const struct setup *s)
{
    static const uint8_t pointers[] = {RBX, RBP, RSI, RDI, R11};
    struct cpu *c = &m->cpu;
    uint64_t seed = s->seed;
    uint32_t flags = s->flags & 0x200cd5;

    set_registers(c, &seed);
    for (unsigned k = 0; k < 5 && !(s->bits & 16); k++)
        c->r[pointers[k]] = (uint32_t)(c->mode & MODE_V86 ? 0 : DATA) + 0x7f0 + 0x123 * k;
    if (!(s->bits & 1))
        c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (s->bits & 2)
        c->cr0 |= CR0_NE | CR0_AM | CR0_WP;
    if (s->bits & 4)
        c->fpu.mxcsr = (uint32_t)value(&seed) & 0xffff;
    if ((s->bits & 0x68) == 0x68)
        c->cr0 |= CR0_TS;
    if ((s->bits & 0xe0) == 0xa0)
        flags |= EFL_AC;
    if ((s->bits & 0xe0) == 0xc0)
        flags |= EFL_TF;
    c->mode = 0;
    eflags_set(c, flags | (c->eflags & EFL_VM));
    cpu_flush_tlb(c);
}

/* The code, HLT behind it, and the handlers: where restore() takes them from. */
static void put_code(const struct world *w, const struct code_text *t, unsigned handler)
{
    static const uint8_t handlers[][4] = {
        {0xf4},             /* HLT */
        {0xcf},             /* IRET */
        {0x58, 0xcf},       /* POP eAX; IRET */
        {0x58, 0x40, 0xcf}, /* and INC eAX between them, or a REX prefix */
    };

    /* The HLT behind the code raises #GP where it is not allowed, and has to end it there too. */
    for (unsigned v = 0; v < 64; v++)
        memcpy(w->ram + HANDLER + 16 * v, handlers[v == VEC_GP ? 0 : handler % 4],
               sizeof(handlers[0]));
    memset(w->ram + CODE, 0xf4, CODE_MAX);
    memcpy(w->ram + CODE, t->bytes, t->n);
    for (unsigned n = 0; n < 2; n++)
        w->m[n]->dirty[CODE / PAGE] = w->m[n]->dirty[HANDLER / PAGE] = true;
}

/* -- Running ----------------------------------------------------------------------------------- */

struct run {
    struct jit *jit;
    struct cpu *cpu;
    enum cpu_exit why;
};

static void *run_translated(void *arg)
{
    struct run *r = arg;

    REQUIRE(jit_thread_enter(r->jit) == 0);
    r->why = cpu_run(r->cpu);
    jit_thread_leave(r->jit);
    return NULL;
}

/* On a thread of its own: translated code has no stack for the fuzzer's signals. */
static enum cpu_exit run_jit(const struct world *w)
{
    struct run r = {w->jit, &w->m[1]->cpu, CPU_EXIT_ATTENTION};
    struct timespec end;
    pthread_t thread;
    sigset_t all, before;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += SECONDS;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    REQUIRE(pthread_create(&thread, NULL, run_translated, &r) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    REQUIRE(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) == 0);
    return r.why;
}

/* Are all results of the block that begins now defined? What the block's fetch has raised, it
 * raises again. */
static bool is_defined(struct fake_machine *m)
{
    const struct block *b = block_lookup(&m->cpu);
    ZydisDecoder decoder = decoder_for(&m->cpu);
    ZydisDecodedInstruction z;
    ZydisDecoderContext ctx;
    uint64_t end;

    if (b == NULL)
        return true;
    if (b->pa2 != NO_PAGE || b->pa + b->len + sizeof(define_flags) > FAKE_RAM_BYTES)
        return false;
    end = b->pa + b->len;
    for (uint64_t pa = b->pa; pa < end; pa += z.length) {
        const uint8_t *next;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, &ctx, m->ram + pa, end - pa, &z)))
            return true;
        next = m->ram + pa + z.length;
        if (is_vague(&z) ||
            (leaves_flags_undefined(&z) && memcmp(next, define_flags, sizeof(define_flags)) != 0))
            return false;
    }
    return true;
}

/* Has the code written to page tables? Which of its translations the processor had made before,
 * ahead of their use too, is its own matter. */
static bool are_tables_changed(const struct world *w)
{
    const struct fake_machine *m = w->m[0];

    if (!(m->cpu.cr0 & CR0_PG))
        return false;
    for (unsigned n = 0; n < PAGES; n++)
        if (m->dirty[n] &&
            (n == PAGE_TABLES / PAGE || n == PAGE_TABLES / PAGE + 1 ||
             n >= PAGES - PAGE_TABLES64 / PAGE) &&
            memcmp(m->ram + n * PAGE, w->ram + n * PAGE, PAGE) != 0)
            return true;
    return false;
}

/* False: it takes too long, or its results are not defined. */
static bool run_interpreter(const struct world *w, enum cpu_exit *why)
{
    struct fake_machine *m = w->m[0];

    m->cpu.log_items = LOG_EXEC;
    m->blocks_left = BLOCKS;
    m->strays_left = STRAYS;
    m->may_go_on = is_defined;
    *why = cpu_run(&m->cpu);
    cpu_attend(&m->cpu, 0, ATT_EXIT);
    m->cpu.log_items = 0;
    return *why != CPU_EXIT_ATTENTION && !are_tables_changed(w);
}

/* -- Comparing --------------------------------------------------------------------------------- */

static bool is_ram_same(const struct fake_machine *a, const struct fake_machine *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        if ((a->dirty[n] || b->dirty[n]) && memcmp(a->ram + n * PAGE, b->ram + n * PAGE, PAGE) != 0)
            return false;
    return true;
}

static bool is_fpu_same(const struct cpu *x, const struct cpu *y)
{
    return memcmp(x->fpu.xmm, y->fpu.xmm, sizeof(x->fpu.xmm)) == 0 &&
           x->fpu.mxcsr == y->fpu.mxcsr && x->fpu.sw == y->fpu.sw && x->fpu.cw == y->fpu.cw &&
           x->fpu.top == y->fpu.top && memcmp(x->fpu.st, y->fpu.st, sizeof(x->fpu.st)) == 0;
}

static bool is_same(const struct fake_machine *a, const struct fake_machine *b)
{
    const struct cpu *x = &a->cpu, *y = &b->cpu;

    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (x->seg[s].sel != y->seg[s].sel || x->seg[s].base != y->seg[s].base ||
            x->seg[s].limit != y->seg[s].limit)
            return false;
    return memcmp(x->r, y->r, sizeof(x->r)) == 0 && eflags_get(x) == eflags_get(y) &&
           x->cr0 == y->cr0 && x->cr2 == y->cr2 && x->cr3 == y->cr3 && x->cr4 == y->cr4 &&
           x->cpl == y->cpl && is_fpu_same(x, y) && is_ram_same(a, b);
}

static void report(const char *who, const struct fake_machine *m)
{
    const struct cpu *c = &m->cpu;

    fprintf(stderr, "%s: at %04x:%llx, eflags %x, mxcsr %x, cr2 %llx\n", who, c->seg[SEG_CS].sel,
            (unsigned long long)c->r[RIP], eflags_get(c), c->fpu.mxcsr, (unsigned long long)c->cr2);
    for (unsigned r = RAX; r <= R15; r++)
        fprintf(stderr, " %llx", (unsigned long long)c->r[r]);
    fprintf(stderr, "\n");
}

static void report_all(const struct world *w, const struct code_text *t)
{
    ZydisDisassembledInstruction text;
    ZydisMachineMode mode = t->decoder.machine_mode;

    for (unsigned at = 0; at < t->n; at += text.info.length) {
        if (!ZYAN_SUCCESS(ZydisDisassembleIntel(mode, at, t->bytes + at, t->n - at, &text)))
            break;
        fprintf(stderr, "%4x  %s\n", at, text.text);
    }
    report("interpreter", w->m[0]);
    report("translator", w->m[1]);
    for (unsigned n = 0; n < 16; n++)
        for (unsigned q = 0; q < 2; q++)
            if (w->m[0]->cpu.fpu.xmm[n].q[q] != w->m[1]->cpu.fpu.xmm[n].q[q])
                fprintf(stderr, "xmm%u.%u: %llx, %llx\n", n, q,
                        (unsigned long long)w->m[0]->cpu.fpu.xmm[n].q[q],
                        (unsigned long long)w->m[1]->cpu.fpu.xmm[n].q[q]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world *w = world(input_u8(&in) % (2 * WORLDS));
    struct setup s = {.flags = (uint32_t)input_int(&in, 3), .bits = input_u8(&in)};
    unsigned handler;
    enum cpu_exit why[2];
    struct code_text t = {.n = 0};

    s.seed = input_u8(&in);
    handler = input_u8(&in);
    if (w == NULL)
        return 0;
    restore(w, 0);
    set_state(w->m[0], &s);
    t.decoder = decoder_for(&w->m[0]->cpu);
    put_together(&t, &in);
    put_code(w, &t, handler);
    restore(w, 0);
    set_state(w->m[0], &s);
    if (!run_interpreter(w, &why[0]))
        return 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        restore(w, 1);
        set_state(w->m[1], &s);
        why[1] = run_jit(w);
        if (why[0] != why[1] || !is_same(w->m[0], w->m[1])) {
            report_all(w, &t);
            fprintf(stderr, "in round %u\n", round);
            REQUIRE(!"the translator and the interpreter come to the same state");
        }
    }
    return 0;
}
