/* SPDX-License-Identifier: MIT */
/* The interpreter on any code in any state: nothing crashes or hangs, the state stays one that a
 * processor can be in, and running in blocks gives the same as single steps.
 *
 * Input: world and how to run, flags, control registers, where register values come from, which
 * handlers exceptions have, code. Memory is 4 MiB; behind the code are descriptor tables, stacks
 * and data that the code may change as it likes. */
#include "tests/fuzz/input.h"
#include "tests/fuzz/worlds.h"

#define STEPS    50 /* each decodes a block: the slowest part */
#define BLOCKS   20
#define CODE_MAX 0x4000
#define PAGE     4096u
#define PAGES    (FAKE_RAM_BYTES / PAGE)

/* -- Worlds ------------------------------------------------------------------------------------ */

/* A machine, and what it looked like before any code ran in it. */
struct world {
    struct fake_machine *m;
    struct cpu *cpu;
    uint8_t *ram;
};

static struct world *world(unsigned kind)
{
    static struct world worlds[2][WORLDS];
    struct world *w = &worlds[kind / WORLDS % 2][kind % WORLDS];

    if (w->m == NULL) {
        w->m = makers[kind % WORLDS]();
        w->cpu = malloc(sizeof(*w->cpu));
        w->ram = malloc(FAKE_RAM_BYTES);
        cpu_flush_tlb(&w->m->cpu);
        memset(w->m->ram + CODE, 0xf4, CODE_MAX + 0x100); /* HLT */
        for (unsigned k = 0; k < 0x10000; k += 8)
            put(w->m, DATA + k, 8, random_u64(&w->m->cpu));
        memcpy(w->cpu, &w->m->cpu, sizeof(*w->cpu));
        memcpy(w->ram, w->m->ram, FAKE_RAM_BYTES);
    }
    cpu_reset(&w->m->cpu);
    memcpy(&w->m->cpu, w->cpu, sizeof(*w->cpu));
    for (unsigned n = 0; n < PAGES; n++)
        if (w->m->dirty[n])
            memcpy(w->m->ram + n * PAGE, w->ram + n * PAGE, PAGE);
    memset(w->m->dirty, 0, sizeof(w->m->dirty));
    w->m->tsc = 0;
    w->m->pending_vector = -1;
    return w;
}

/* -- What the input says ----------------------------------------------------------------------- */

static void set_state(struct fake_machine *m, struct input *in)
{
    struct cpu *c = &m->cpu;
    uint32_t flags = (uint32_t)input_int(in, 3);
    unsigned bits = input_u8(in);
    uint64_t seed = input_u8(in);

    set_registers(c, &seed);
    if (bits & 1)
        c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (bits & 2)
        c->cr0 |= CR0_NE | CR0_AM | CR0_WP;
    if (bits & 4)
        c->cr4 |= CR4_VME | CR4_PVI | CR4_DE;
    if (bits & 8) {
        c->dr[7] = DR7_FIXED | (uint32_t)input_int(in, 4);
        for (unsigned k = 0; k < 4; k++)
            c->dr[k] = value(&seed);
    }
    if (bits & 16)
        m->pending_vector = (int)(value(&seed) & 0xff);
    if (bits & 32)
        c->fpu.mxcsr = (uint32_t)value(&seed) & 0xffff;
    if (bits & 64)
        c->fpu.cw = (uint16_t)value(&seed) & 0x1f7f;
    c->mode = 0;
    eflags_set(c, (flags & ~(uint32_t)EFL_VM) | (c->eflags & EFL_VM));
}

static void put_code(struct fake_machine *m, struct input *in)
{
    static const uint8_t handlers[][4] = {
        {0xf4},             /* HLT */
        {0xcf},             /* IRET */
        {0x58, 0xcf},       /* POP eAX; IRET */
        {0x58, 0x40, 0xcf}, /* and INC eAX between them, or a REX prefix */
    };
    const uint8_t *handler = handlers[input_u8(in) % 4];

    for (unsigned v = 0; v < 64; v++)
        code_at(m, HANDLER + 16 * v, handler, sizeof(handlers[0]));
    m->dirty[HANDLER / PAGE] = true;
    code_at(m, CODE, in->p, in->n < CODE_MAX ? (unsigned)in->n : CODE_MAX);
    for (unsigned n = 0; n < CODE_MAX / PAGE; n++)
        m->dirty[CODE / PAGE + n] = true;
}

static struct fake_machine *prepare(unsigned kind, struct input in)
{
    struct fake_machine *m = world(kind)->m;

    set_state(m, &in);
    put_code(m, &in);
    cpu_flush_tlb(&m->cpu);
    if (m->pending_vector >= 0)
        cpu_attend(&m->cpu, ATT_INTR, 0);
    return m;
}

/* -- What must hold ---------------------------------------------------------------------------- */

static void require_sane(const struct cpu *c)
{
    REQUIRE(c->r[REG_NONE] == 0 && c->cpl <= 3 && c->fpu.top < 8);
    REQUIRE(!(c->cr0 & CR0_PG) || c->cr0 & CR0_PE);
    REQUIRE(!(c->efer & EFER_LMA) == !(c->efer & EFER_LME && c->cr0 & CR0_PG));
    REQUIRE(c->mode & MODE_64 || c->r[RIP] <= UINT32_MAX);
    REQUIRE(!(c->eflags & EFL_VM) || c->cpl == 3);
    REQUIRE(!(c->mode & MODE_PE) || c->mode & MODE_V86 || c->cpl == (c->seg[SEG_CS].sel & 3));
    REQUIRE(!(c->mode & MODE_64) || c->mode & MODE_LMA);
    REQUIRE((c->eflags & EFL_FIXED) && c->f.carry <= 1);
}

static bool is_ram_same(const struct fake_machine *a, const struct fake_machine *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        if ((a->dirty[n] || b->dirty[n]) && memcmp(a->ram + n * PAGE, b->ram + n * PAGE, PAGE) != 0)
            return false;
    return true;
}

static bool is_same(const struct fake_machine *a, const struct fake_machine *b)
{
    const struct cpu *x = &a->cpu, *y = &b->cpu;

    return memcmp(x->r, y->r, sizeof(x->r)) == 0 && eflags_get(x) == eflags_get(y) &&
           x->cr0 == y->cr0 && x->cr2 == y->cr2 && x->cr3 == y->cr3 && x->cr4 == y->cr4 &&
           memcmp(x->dr, y->dr, sizeof(x->dr)) == 0 &&
           memcmp(x->fpu.xmm, y->fpu.xmm, sizeof(x->fpu.xmm)) == 0 && x->fpu.sw == y->fpu.sw &&
           x->seg[SEG_CS].base == y->seg[SEG_CS].base && x->seg[SEG_SS].sel == y->seg[SEG_SS].sel &&
           is_ram_same(a, b);
}

static void report(const char *who, const struct fake_machine *m)
{
    const struct cpu *c = &m->cpu;

    fprintf(stderr, "%s: after %llu instructions at %04x:%llx, eflags %x, cr2 %llx\n", who,
            (unsigned long long)c->icount, c->seg[SEG_CS].sel, (unsigned long long)c->r[RIP],
            eflags_get(c), (unsigned long long)c->cr2);
    for (unsigned r = RAX; r <= R15; r++)
        fprintf(stderr, " %llx", (unsigned long long)c->r[r]);
    fprintf(stderr, "\n");
}

/* Where a repeated string instruction pauses depends on what is in the translation cache, so it is
 * brought to its end. False: that takes too long. */
static bool finish_repetition(struct cpu *c)
{
    for (unsigned n = 0; n < 100; n++) {
        uint64_t rip = c->r[RIP];

        if (cpu_step(c) != CPU_EXIT_ATTENTION || c->r[RIP] != rip)
            return true;
    }
    return false;
}

/* The same input in single steps passes through the state that `b` has reached; deliveries of
 * exceptions and pauses of string instructions are steps of their own. */
static void require_same(const struct fake_machine *b, unsigned kind, struct input in)
{
    struct fake_machine *m = prepare(kind + WORLDS, in);
    uint64_t left = b->cpu.icount + 300;

    while (!is_same(m, b)) {
        if (left-- == 0) {
            report("blocks", b);
            report("steps", m);
            REQUIRE(!"blocks and single steps come to the same state");
        }
        cpu_step(&m->cpu);
    }
}

static void run_blocks(struct fake_machine *m, unsigned kind, struct input in)
{
    struct cpu *c = &m->cpu;
    enum cpu_exit why;

    c->log_items = LOG_EXEC;
    m->blocks_left = BLOCKS;
    why = cpu_run(c);
    cpu_attend(c, 0, ATT_EXIT);
    c->log_items = 0;
    require_sane(c);
    if (why != CPU_EXIT_ATTENTION || finish_repetition(c))
        require_same(m, kind, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    unsigned kind = input_u8(&in);
    struct fake_machine *m = prepare(kind % WORLDS, in);

    if (kind & 0x80) {
        run_blocks(m, kind % WORLDS, in);
        return 0;
    }
    for (unsigned n = 0; n < STEPS && cpu_step(&m->cpu) == CPU_EXIT_ATTENTION; n++)
        require_sane(&m->cpu);
    return 0;
}
