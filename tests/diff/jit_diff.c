/* SPDX-License-Identifier: MIT */
/* usage: jit_diff [-s seed] [-n cases] [-r mnemonic] [-m system] [-x] [-c]
 *
 * The translator against the interpreter: random sequences of instructions (see insn_diff.c) run in
 * both from the same state; all that the sequence can see, and the fault that ended it, must agree.
 * In the translator a sequence runs several times: interpreted until it is worth translating, then
 * with accesses that trap because the pages are not in its tables yet, then without.
 *
 * An exception goes through a gate of the guest's to a HLT of its own, so that it is delivered as
 * in a machine. -m: code of one system only (enum guest_system: long mode, legacy modes); -n: cases
 * of each system; -x: sequences of one instruction only; -c: with checks in the code. Status 1: a
 * difference was found; 77: the host can't run the translator. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/jit_system.h"

#define CASES       60000
#define ROUNDS      7
#define MAX_REPORTS 20

struct run {
    enum guest_system system;
    struct cpu *ref, *dut, *decoder;
    struct gen *gen;
    struct jit *jit;
    const char *only;
    struct sequence seq;
    struct state before, want, got;
    uint8_t system_page[PAGE];
    uint8_t mem[DATA_SIZE], want_mem[DATA_SIZE], got_mem[DATA_SIZE];
    unsigned long cases, failed;
};

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

/* -- Systems ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned part; /* of the cases: one in so many */
    bool level0;   /* CPL 0 */
    bool sizes[CODE_SIZES];
} systems[GUEST_SYSTEMS] = {
    [GUEST_LONG] = {"long", 1, false, {true, true, true}},
    [GUEST_PAGED] = {"paged", 3, false, {false, true, true}},
    [GUEST_KERNEL] = {"kernel", 3, true, {false, true, true}},
    [GUEST_UNPAGED] = {"unpaged", 3, false, {false, true, true}},
    [GUEST_REAL] = {"real", 6, true, {false, false, true}},
    [GUEST_V86] = {"v86", 6, false, {false, false, true}},
};

/* At CPL 0 some instructions take away what the test stands on. */
static bool is_destructive(const struct gen_choice *choice)
{
    static const char *const names[] = {"HLT",  "LLDT", "LTR",   "LGDT",
                                        "LIDT", "LMSW", "WRMSR", "RDMSR"};
    const struct op_row *row = choice->row;

    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (strcmp(row->name, names[k]) == 0)
            return true;
    return strncmp(row->operands, "Cy", 2) == 0 || strncmp(row->operands, "Dy", 2) == 0;
}

/* -- One sequence ------------------------------------------------------------------------------ */

/* What x87 instructions leave of themselves, which processors do not agree on. */
static bool same_pointers(const struct fpu *a, const struct fpu *b)
{
    return a->fop == b->fop && a->fip == b->fip && a->fdp == b->fdp && a->fcs == b->fcs &&
           a->fds == b->fds;
}

/* At CPL 0 frames are written to the sequence's own stack, half of one where that faults: with
 * flags in it that may be undefined. */
static bool is_memory_defined(const struct run *t)
{
    return !systems[t->system].level0 || t->seq.undefined == 0 || t->want.vec == VEC_BP;
}

static bool differs(struct run *t)
{
    normalise(&t->seq, &t->got);
    return !same_pointers(&t->ref->fpu, &t->dut->fpu) ||
           memcmp(&t->want, &t->got, sizeof(t->want)) != 0 ||
           (is_memory_defined(t) && memcmp(t->want_mem, t->got_mem, DATA_SIZE) != 0);
}

/* To the HLT, the reference instruction by instruction. Wild jumps may lead to a loop. */
#define MAX_STEPS 2000

static enum cpu_exit run_to_halt(const struct run *t, struct cpu *c)
{
    enum cpu_exit end = CPU_EXIT_ATTENTION;

    if (c == t->dut)
        return cpu_run(c);
    for (unsigned n = 0; n < MAX_STEPS && end == CPU_EXIT_ATTENTION; n++)
        end = cpu_step(c);
    return end;
}

/* False: it does not end. */
static bool run(const struct run *t, struct cpu *c, struct state *s, uint8_t *mem)
{
    *s = t->before;
    guest_write_code(c, &t->seq); /* which it may have overwritten */
    guest_write_data(c, t->mem);
    system_restore(c, t->system_page);
    c->halted = false;
    c->cr2 = c->dr[6] = 0; /* CPL 0 may read them */
    guest_set_mode(c, t->seq.size);
    guest_load(c, s);
    enum cpu_exit end = run_to_halt(t, c);
    guest_save(c, s);
    s->vec = VECTORS; /* a shutdown */
    if (end == CPU_EXIT_HALT)
        system_read_frame(c, s);
    guest_read_data(c, mem);
    return end != CPU_EXIT_ATTENTION;
}

static void show(const char *name, uint64_t before, uint64_t want, uint64_t got)
{
    if (want != got)
        printf("  %-8s before %016llx  interpreted %016llx  translated %016llx\n", name,
               (unsigned long long)before, (unsigned long long)want, (unsigned long long)got);
}

static void report_numbered(const char *prefix, const void *before, const void *want,
                            const void *got, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        uint64_t v[3];
        char name[16];
        memcpy(&v[0], (const uint8_t *)before + 8 * k, 8);
        memcpy(&v[1], (const uint8_t *)want + 8 * k, 8);
        memcpy(&v[2], (const uint8_t *)got + 8 * k, 8);
        snprintf(name, sizeof(name), "%s%u", prefix, k);
        show(name, v[0], v[1], v[2]);
    }
}

static void report(const struct run *t, unsigned round)
{
    const struct state *b = &t->before, *w = &t->want, *g = &t->got;
    const struct op_row *row = &optab[t->seq.insn[t->seq.count - 1].row];

    printf("%s, %u-bit %s %s, run %u:", systems[t->system].name, 64u >> t->seq.size, row->name,
           row->operands, round);
    for (unsigned k = 0; k < t->seq.len; k++)
        printf(" %02x", t->seq.code[k]);
    printf("\n");
    show("rip", b->rip, w->rip, g->rip);
    show("eflags", b->eflags, w->eflags, g->eflags);
    show("vector", 0, w->vec, g->vec);
    show("error", 0, w->err, g->err);
    show("cr2", 0, w->cr2, g->cr2);
    show("mxcsr", b->fx.mxcsr, w->fx.mxcsr, g->fx.mxcsr);
    show("fcw", b->fx.fcw, w->fx.fcw, g->fx.fcw);
    show("fsw", b->fx.fsw, w->fx.fsw, g->fx.fsw);
    show("ftw", b->fx.ftw, w->fx.ftw, g->fx.ftw);
    show("fop", 0, t->ref->fpu.fop, t->dut->fpu.fop);
    show("fip", 0, t->ref->fpu.fip, t->dut->fpu.fip);
    show("fdp", 0, t->ref->fpu.fdp, t->dut->fpu.fdp);
    show("fcs", 0, t->ref->fpu.fcs, t->dut->fpu.fcs);
    show("fds", 0, t->ref->fpu.fds, t->dut->fpu.fds);
    report_numbered("st/2:", b->fx.st, w->fx.st, g->fx.st, 16);
    report_numbered("gpr", b->r, w->r, g->r, 16);
    report_numbered("xmm/2:", b->fx.xmm, w->fx.xmm, g->fx.xmm, 32);
    report_numbered("mem/8:", t->mem, t->want_mem, t->got_mem, DATA_SIZE / 8);
}

/* Run t->seq from t->before and t->mem. */
static void compare(struct run *t)
{
    if (!run(t, t->ref, &t->want, t->want_mem))
        return;
    normalise(&t->seq, &t->want);
    t->cases++;
    for (unsigned round = 0; round < ROUNDS; round++) {
        run(t, t->dut, &t->got, t->got_mem);
        if (differs(t)) {
            if (t->failed++ < MAX_REPORTS)
                report(t, round);
            return;
        }
    }
}

/* Bytes that are no instruction. */
static void invalid_case(struct run *t, enum code_size size)
{
    struct rng r = {1, data_base(size)};

    t->seq = (struct sequence){.size = size, .code = {0xf0, 0x90}, .len = 2, .count = 1};
    t->seq.insn[0].len = 2;
    gen_state(&r, size, &t->before);
    compare(t);
}

/* What several accesses by one look-up must not get wrong. RBX and RSP are this far into the data;
 * the first instruction is for 64-bit code, but for the last. */
static const struct {
    const char *what;
    unsigned rbx, rsp, len;
    uint8_t code[20];
} runs[] = {
    /* mov eax, [rbx]; mov ecx, [rbx+4]; mov [rbx+8], eax */
    {"read, write what is read-only",
     RW_PAGES *PAGE + 64,
     PAGE,
     9,
     {0x48, 0x8b, 0x03, 0x8b, 0x4b, 0x04, 0x89, 0x43, 0x08}},
    /* mov eax, [rbx]; mov ecx, [rbx+4]; mov edx, [rbx+32]; mov esi, [rbx+8]; mov [rbx+40], ecx */
    {"leave the page by a displacement",
     PAGE - 16,
     PAGE,
     15,
     {0x48, 0x8b, 0x03, 0x8b, 0x4b, 0x04, 0x8b, 0x53, 0x20, 0x8b, 0x73, 0x08, 0x89, 0x4b, 0x28}},
    /* mov eax, [rbx]; mov ecx, [rbx-4]; mov edx, [rbx-20]; mov esi, [rbx+4] */
    {"and backwards",
     PAGE + 16,
     PAGE,
     12,
     {0x48, 0x8b, 0x03, 0x8b, 0x4b, 0xfc, 0x8b, 0x53, 0xec, 0x8b, 0x73, 0x04}},
    /* push rax; push rbx; push rcx; push rdx; pop rsi; pop rdi; pop rbp */
    {"push over the end of a page",
     PAGE,
     PAGE + 16,
     8,
     {0x48, 0x50, 0x53, 0x51, 0x52, 0x5e, 0x5f, 0x5d}},
    /* pop rax; pop rcx; push rbx; pop rdx; pop rsi */
    {"pop over it", PAGE, PAGE - 16, 6, {0x48, 0x58, 0x59, 0x53, 0x5a, 0x5e}},
    /* push rax; mov esp, ebx; push rcx; pop rdx */
    {"another stack", 2 * PAGE + 64, PAGE + 64, 6, {0x48, 0x50, 0x89, 0xdc, 0x51, 0x5a}},
    /* mov eax, [rbx]; mov ecx, [rbx]; mov ebx, esp; mov edx, [rbx]; add [rbx], ecx */
    {"another base",
     256,
     PAGE + 64,
     11,
     {0x48, 0x8b, 0x03, 0x8b, 0x0b, 0x89, 0xe3, 0x8b, 0x13, 0x01, 0x0b}},
    /* mov eax, [rbx]; add ebx, 16; mov ecx, [rbx-12]; mov [rbx], eax; mov edx, [rbx-8] */
    {"a base that moves",
     PAGE - 24,
     PAGE + 64,
     14,
     {0x48, 0x8b, 0x03, 0x83, 0xc3, 0x10, 0x8b, 0x4b, 0xf4, 0x89, 0x03, 0x8b, 0x53, 0xf8}},
    /* cvtsi2sd xmm0, [bx]: has 4 bytes there in all code */
    {"a size of its own", DATA_SIZE - 2, PAGE, 4, {0xf2, 0x0f, 0x2a, 0x07}},
};

/* In 16-bit code its registers mean something else: the last is for that, the others not. */
static bool run_is_for(unsigned n, enum code_size size)
{
    return (n == sizeof(runs) / sizeof(runs[0]) - 1) == (size == CODE_16);
}

static void run_case(struct run *t, enum code_size size, unsigned n)
{
    struct rng r = {n + 1, data_base(size)};
    unsigned rex = size == CODE_32;
    uint64_t base = DATA_LA - data_base(size);

    t->seq = (struct sequence){.size = size, .len = runs[n].len - rex, .count = 1};
    memcpy(t->seq.code, runs[n].code + rex, t->seq.len);
    t->seq.insn[0].len = (uint8_t)t->seq.len;
    gen_state(&r, size, &t->before);
    t->before.r[RBX] = base + runs[n].rbx;
    t->before.r[RSP] = base + runs[n].rsp;
    t->before.eflags &= ~(uint32_t)EFL_TF;
    gen_memory(&r, t->mem, RW_PAGES * PAGE);
    unsigned long failed = t->failed;
    compare(t);
    if (t->failed != failed)
        printf("  (%s)\n", runs[n].what);
}

static void one_case(struct run *t, enum code_size size, unsigned row, uint64_t seed, unsigned len)
{
    struct rng r = {seed * UINT64_C(0xd1342543de82ef95) + row, data_base(size)};
    unsigned count = 1 + (unsigned)rng_below(&r, 2) * (unsigned)rng_below(&r, len);

    if (!gen_sequence(t->gen, &r, size, row, count, &t->seq))
        return;
    gen_state(&r, size, &t->before);
    gen_memory(&r, t->mem, RW_PAGES * PAGE);
    compare(t);
}

static void fixed_cases(struct run *t)
{
    for (unsigned size = 0; size < CODE_SIZES; size++)
        if (systems[t->system].sizes[size])
            invalid_case(t, (enum code_size)size);
    for (unsigned n = 0; n < sizeof(runs) / sizeof(runs[0]); n++)
        for (unsigned size = 0; size < CODE_SIZES; size++)
            if (systems[t->system].sizes[size] && run_is_for(n, (enum code_size)size))
                run_case(t, (enum code_size)size, n);
}

static void run_cases(struct run *t, uint64_t seed, unsigned long cases, unsigned len)
{
    unsigned long before = ~0ul;

    fixed_cases(t);
    for (t->cases = 0; t->cases < cases && t->cases != before; seed++) {
        before = t->cases;
        for (unsigned s = 0; s < CODE_SIZES; s++)
            for (unsigned row = 0; row < optab_count && t->cases < cases; row++)
                if ((t->only == NULL || strcmp(t->only, optab[row].name) == 0) &&
                    systems[t->system].sizes[s] && gen_has_row(t->gen, (enum code_size)s, row))
                    one_case(t, (enum code_size)s, row, seed, len);
    }
}

/* -- All systems ------------------------------------------------------------------------------- */

/* 0, 77 or 2. The generator's processor decodes code of all sizes, so it is in long mode. */
static int open_system(struct run *t, const struct jit_config *cfg)
{
    bool level0 = systems[t->system].level0;
    char err[256];

    t->ref = guest_create(has_all, t->system);
    t->dut = guest_create(has_all, t->system);
    t->decoder = guest_create(has_all, GUEST_LONG);
    t->gen = t->decoder != NULL ? gen_create(t->decoder, level0 ? is_destructive : NULL) : NULL;
    if (t->ref == NULL || t->dut == NULL || t->gen == NULL)
        return 2;
    gen_together(t->gen);
    gen_first_memory(t->mem);
    system_create(t->ref, t->system);
    system_create(t->dut, t->system);
    memcpy(t->system_page, guest_system_page(t->ref, 0), PAGE);
    if (jit_create(&t->jit, t->dut, guest_ram(t->dut), cfg, err) != 0 ||
        jit_thread_enter(t->jit) != 0) {
        printf("skipped: %s\n", err);
        return 77;
    }
    return 0;
}

static void close_system(struct run *t)
{
    jit_thread_leave(t->jit);
    jit_free(t->jit);
    gen_free(t->gen);
    guest_free(t->decoder);
    guest_free(t->ref);
    guest_free(t->dut);
}

/* 0: no difference. */
static int do_system(enum guest_system system, const char *only, const struct jit_config *cfg,
                     uint64_t seed, unsigned long cases, unsigned len)
{
    static struct run t; /* large */
    int status;

    t = (struct run){.system = system, .only = only};
    status = open_system(&t, cfg);
    if (status != 0)
        return status;
    run_cases(&t, seed, cases / systems[system].part, len);
    struct jit_stats s = jit_stats(t.jit);
    printf("%s: %lu cases, %llu instructions translated, %llu of them declined; %lu differences\n",
           systems[system].name, t.cases, (unsigned long long)s.insns,
           (unsigned long long)s.declined, t.failed);
    close_system(&t);
    return t.failed != 0 || s.insns == s.declined;
}

static int usage(void)
{
    fprintf(stderr, "usage: jit_diff [-s seed] [-n cases] [-r mnemonic] [-m system] [-x] [-c]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *only = NULL, *system = NULL;
    unsigned long cases = CASES;
    uint64_t seed = 1;
    unsigned len = SEQUENCE_MAX;
    struct jit_config cfg = {0};
    int opt, status = -1;

    while ((opt = getopt(argc, argv, "s:n:r:m:xc")) != -1) {
        switch (opt) {
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'n': cases = strtoul(optarg, NULL, 0); break;
        case 'r': only = optarg; break;
        case 'm': system = optarg; break;
        case 'x': len = 1; break;
        case 'c': cfg.checks = JIT_CHECKS_CODE; break;
        default: return usage();
        }
    }
    for (unsigned n = 0; n < GUEST_SYSTEMS && status <= 1; n++) {
        if (system != NULL && strcmp(system, systems[n].name) != 0)
            continue;
        int s = do_system((enum guest_system)n, only, &cfg, seed, cases, len);
        status = s > status ? s : status;
    }
    return status < 0 ? usage() : status;
}
