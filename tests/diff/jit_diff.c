/* SPDX-License-Identifier: MIT */
/* usage: jit_diff [-s seed] [-n cases] [-r mnemonic] [-x] [-c]
 *
 * The translator against the interpreter: random sequences of instructions (see insn_diff.c) run in
 * both from the same state; all that the sequence can see, and the fault that ended it, must agree.
 * In the translator a sequence runs several times: interpreted until it is worth translating, then
 * with accesses that trap because the pages are not in its tables yet, then without.
 *
 * An exception goes through a gate of the guest's to a HLT of its own, so that it is delivered as
 * in a machine. -x: sequences of one instruction only; -c: with checks in the code. Status 1: a
 * difference was found; 77: the host can't run the translator. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_guest.h"

#define CASES       60000
#define ROUNDS      7
#define MAX_REPORTS 20

/* The first system page; the second one is the stack. */
enum { AT_IDT = 0, AT_GDT = 0x400, AT_TSS = 0x500, AT_HLT = 0x800 };
#define STACK_TOP  (SYSTEM_LA + 2 * PAGE)
#define VECTORS    32u
#define KERNEL_SEL 8u

struct run {
    struct cpu *ref, *dut;
    struct gen *gen;
    const char *only;
    struct sequence seq;
    struct state before, want, got;
    uint8_t mem[DATA_SIZE], want_mem[DATA_SIZE], got_mem[DATA_SIZE];
    unsigned long cases, failed;
};

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

/* -- The guest's system ------------------------------------------------------------------------ */

static void put_gate(uint8_t *idt, unsigned vec)
{
    uint64_t to = SYSTEM_LA + AT_HLT + vec;
    uint64_t type = vec == VEC_BP ? 0xee00 : 0x8e00;
    uint64_t low = (to & 0xffff) | KERNEL_SEL << 16 | (type | (to >> 16 & 0xffff) << 16) << 32;
    uint64_t high = to >> 32;
    memcpy(idt + 16 * vec, &low, 8);
    memcpy(idt + 16 * vec + 8, &high, 8);
}

static void create_system(struct cpu *c)
{
    const uint64_t kernel_cs = UINT64_C(0x00af9b000000ffff), rsp0 = STACK_TOP;
    uint8_t *p = guest_system_page(c, 0);

    guest_map_system(c);
    for (unsigned vec = 0; vec < VECTORS; vec++)
        put_gate(p + AT_IDT, vec);
    memcpy(p + AT_GDT + KERNEL_SEL, &kernel_cs, 8);
    memcpy(p + AT_TSS + 4, &rsp0, 8);
    memset(p + AT_HLT, 0xf4, VECTORS);
    c->idt.base = SYSTEM_LA + AT_IDT;
    c->idt.limit = 16 * VECTORS - 1;
    c->gdt.base = SYSTEM_LA + AT_GDT;
    c->gdt.limit = KERNEL_SEL + 7;
    c->tr.base = SYSTEM_LA + AT_TSS;
    c->tr.limit = 103; /* no I/O permission bitmap */
}

/* What the frame on the stack says of the exception that led to the HLT. */
static void read_frame(struct cpu *c, struct state *s)
{
    static const uint32_t with_error =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21;
    uint64_t frame[6];

    memcpy(frame, guest_system_page(c, 1) + PAGE - sizeof(frame), sizeof(frame));
    s->vec = (unsigned)(c->r[RIP] - 1 - SYSTEM_LA - AT_HLT);
    s->err = s->vec < VECTORS && with_error >> s->vec & 1 ? (uint32_t)frame[0] : 0;
    s->rip = frame[1];
    s->eflags = (uint32_t)frame[3];
    s->r[RSP] = frame[4];
    s->cr2 = c->cr2;
}

/* -- One sequence ------------------------------------------------------------------------------ */

/* What x87 instructions leave of themselves, which processors do not agree on. */
static bool same_pointers(const struct fpu *a, const struct fpu *b)
{
    return a->fop == b->fop && a->fip == b->fip && a->fdp == b->fdp && a->fcs == b->fcs &&
           a->fds == b->fds;
}

static bool differs(struct run *t)
{
    normalise(&t->seq, &t->got);
    return !same_pointers(&t->ref->fpu, &t->dut->fpu) ||
           memcmp(&t->want, &t->got, sizeof(t->want)) != 0 ||
           memcmp(t->want_mem, t->got_mem, DATA_SIZE) != 0;
}

static void run_translated(struct run *t)
{
    struct cpu *c = t->dut;

    t->got = t->before;
    guest_write_code(c, &t->seq); /* which it may have overwritten */
    guest_write_data(c, t->mem);
    c->halted = false;
    guest_set_mode(c, t->seq.size);
    guest_load(c, &t->got);
    if (cpu_run(c) == CPU_EXIT_HALT) {
        guest_save(c, &t->got);
        read_frame(c, &t->got);
    } else {
        t->got.vec = VECTORS;
    }
    guest_read_data(c, t->got_mem);
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

    printf("%u-bit %s %s, run %u:", 64u >> t->seq.size, row->name, row->operands, round);
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

/* The interpreter's side steps over what TF would trap, and the order in which the parts of an
 * access fault is seen through TF only. */
static bool is_comparable(const struct run *t)
{
    return !(t->want.eflags & EFL_TF) && t->got.vec != VEC_DB;
}

/* Run t->seq from t->before and t->mem. */
static void compare(struct run *t)
{
    t->want = t->before;
    memcpy(t->want_mem, t->mem, DATA_SIZE);
    guest_run(t->ref, &t->seq, &t->want, t->want_mem);
    normalise(&t->seq, &t->want);
    t->cases++;
    for (unsigned round = 0; round < ROUNDS; round++) {
        run_translated(t);
        if (differs(t) && is_comparable(t)) {
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
 * the first instruction is for 64-bit code. */
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
};

static void run_case(struct run *t, enum code_size size, unsigned n)
{
    struct rng r = {n + 1, data_base(size)};
    unsigned rex = size == CODE_64 ? 0 : 1;
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

static void run_cases(struct run *t, uint64_t seed, unsigned long cases, unsigned len)
{
    for (unsigned long before = ~0ul; t->cases < cases && t->cases != before; seed++) {
        before = t->cases;
        for (unsigned s = 0; s < CODE_SIZES; s++)
            for (unsigned row = 0; row < optab_count && t->cases < cases; row++)
                if ((t->only == NULL || strcmp(t->only, optab[row].name) == 0) &&
                    gen_has_row(t->gen, (enum code_size)s, row))
                    one_case(t, (enum code_size)s, row, seed, len);
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: jit_diff [-s seed] [-n cases] [-r mnemonic] [-x] [-c]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct run t; /* large */
    unsigned long cases = CASES;
    uint64_t seed = 1;
    unsigned len = SEQUENCE_MAX;
    struct jit_config cfg = {0};
    struct jit *j;
    char err[256];
    int opt;

    while ((opt = getopt(argc, argv, "s:n:r:xc")) != -1) {
        switch (opt) {
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'n': cases = strtoul(optarg, NULL, 0); break;
        case 'r': t.only = optarg; break;
        case 'x': len = 1; break;
        case 'c': cfg.checks = JIT_CHECKS_CODE; break;
        default: return usage();
        }
    }
    t.ref = guest_create(has_all);
    t.dut = guest_create(has_all);
    t.gen = t.ref != NULL ? gen_create(t.ref, NULL) : NULL;
    if (t.dut == NULL || t.gen == NULL)
        return 2;
    gen_together(t.gen);
    gen_first_memory(t.mem);
    create_system(t.ref);
    create_system(t.dut);
    if (jit_create(&j, t.dut, guest_ram(t.dut), &cfg, err) != 0 || jit_thread_enter(j) != 0) {
        printf("skipped: %s\n", err);
        return 77;
    }
    for (unsigned size = 0; size < CODE_SIZES; size++)
        invalid_case(&t, (enum code_size)size);
    for (unsigned n = 0; n < sizeof(runs) / sizeof(runs[0]); n++) {
        run_case(&t, CODE_64, n);
        run_case(&t, CODE_32, n);
    }
    run_cases(&t, seed, cases, len);
    struct jit_stats s = jit_stats(j);
    printf("%lu cases, %llu instructions translated, %llu of them declined; %lu differences\n",
           t.cases, (unsigned long long)s.insns, (unsigned long long)s.declined, t.failed);
    jit_thread_leave(j);
    jit_free(j);
    gen_free(t.gen);
    guest_free(t.ref);
    guest_free(t.dut);
    return t.failed != 0 || s.insns == s.declined;
}
