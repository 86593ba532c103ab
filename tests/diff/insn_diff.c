/* SPDX-License-Identifier: MIT */
/* usage: insn_diff [-s seed] [-n cases] [-m length] [-r mnemonic] [-c bits,row] [-l] [-g] [-p] [-v]
 *
 * Runs that many random sequences on the host and in the interpreter and compares all that
 * user-mode code can see: general registers, RIP, EFLAGS but for undefined ones (a column of the
 * instruction table), memory, x87, MMX and XMM registers, control and status words, MXCSR; for a
 * fault the vector, error code and CR2. Also checks the table itself: an instruction may change
 * only the flags that its row says it writes.
 *
 * Not compared: the x87's last instruction and data pointers and opcode. -r: only sequences that
 * end with this mnemonic. -c: one case. -m: at most so many instructions in a sequence. -l: list
 * the rows that are not tested. -g: record golden.txt, on Intel's processors. -p: print
 * docs/INSTRUCTIONS.md. Status 1: a difference was found. What AMD's processors do otherwise is
 * known (insn_maker.c); without arguments, other makers' hosts are left alone. */
#include <Zydis/Zydis.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/insn_golden.h"
#include "tests/diff/insn_guest.h"
#include "tests/diff/insn_maker.h"
#include "tests/diff/insn_page.h"
#include "tests/diff/jit_system.h"

#define MAX_REPORTS 20

struct run {
    struct cpu *cpu;
    struct gen *gen;
    uint64_t seed;
    unsigned max_len;
    const char *only;
    bool verbose;
    enum host_maker maker;
    struct rng rng;
    struct sequence seq;
    struct state before, host, guest;
    uint8_t mem[DATA_SIZE], host_mem[DATA_SIZE], guest_mem[DATA_SIZE];
    unsigned long cases, faults, failed, left_out, by_size[CODE_SIZES];
    unsigned long *per_row;
    unsigned *failed_row;
};

/* -- Reports ----------------------------------------------------------------------------------- */

static void print_listing(const struct sequence *q)
{
    static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LONG_64,
                                             ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                                             ZYDIS_MACHINE_MODE_LONG_COMPAT_16};
    for (unsigned at = 0; at < q->len;) {
        ZydisDisassembledInstruction d;
        bool ok = ZYAN_SUCCESS(ZydisDisassembleIntel(modes[q->size], sequence_start(q) + at,
                                                     q->code + at, q->len - at, &d));
        unsigned n = ok ? d.info.length : 1;
        printf("  %08llx ", (unsigned long long)(sequence_start(q) + at));
        for (unsigned k = 0; k < n; k++)
            printf("%02x", q->code[at + k]);
        printf("%*s %s\n", 2 * (15 - (int)n), "", ok ? d.text : "?");
        at += n;
    }
}

static void show(const char *name, uint64_t before, uint64_t host, uint64_t guest)
{
    if (host != guest)
        printf("  %-8s before %016llx  host %016llx  calque %016llx\n", name,
               (unsigned long long)before, (unsigned long long)host, (unsigned long long)guest);
}

static void report_registers(const struct run *t)
{
    static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const struct state *b = &t->before, *h = &t->host, *g = &t->guest;
    char name[16];
    for (unsigned k = 0; k < 16; k++)
        show(names[k], b->r[k], h->r[k], g->r[k]);
    show("rip", b->rip, h->rip, g->rip);
    show("eflags", b->eflags, h->eflags, g->eflags);
    show("vector", 0, h->vec, g->vec);
    show("error", 0, h->err, g->err);
    show("cr2", 0, h->cr2, g->cr2);
    show("mxcsr", b->fx.mxcsr, h->fx.mxcsr, g->fx.mxcsr);
    show("fcw", b->fx.fcw, h->fx.fcw, g->fx.fcw);
    show("fsw", b->fx.fsw, h->fx.fsw, g->fx.fsw);
    show("ftw", b->fx.ftw, h->fx.ftw, g->fx.ftw);
    for (unsigned k = 0; k < 8; k++) {
        snprintf(name, sizeof(name), "st%u", k);
        show(name, b->fx.st[k].man, h->fx.st[k].man, g->fx.st[k].man);
        snprintf(name, sizeof(name), "st%u.se", k);
        show(name, b->fx.st[k].se, h->fx.st[k].se, g->fx.st[k].se);
    }
    for (unsigned k = 0; k < 32; k++) {
        snprintf(name, sizeof(name), "xmm%u%s", k / 2, k & 1 ? "hi" : "lo");
        show(name, b->fx.xmm[k / 2][k & 1], h->fx.xmm[k / 2][k & 1], g->fx.xmm[k / 2][k & 1]);
    }
}

static void report_memory(const struct run *t)
{
    char name[16];
    for (unsigned k = 0, shown = 0; k < DATA_SIZE && shown < 8; k += 8) {
        uint64_t b, h, g;
        memcpy(&b, t->mem + k, 8);
        memcpy(&h, t->host_mem + k, 8);
        memcpy(&g, t->guest_mem + k, 8);
        snprintf(name, sizeof(name), "%08llx", (unsigned long long)(DATA_LA + k));
        show(name, b, h, g);
        shown += h != g;
    }
}

static void print_input(const struct state *s)
{
    for (unsigned k = 0; k < 16; k++)
        printf("%s%016llx", k % 4 == 0 ? "\n  r " : " ", (unsigned long long)s->r[k]);
    printf("\n  eflags %08x mxcsr %04x fcw %04x fsw %04x ftw %02x\n", s->eflags, s->fx.mxcsr,
           s->fx.fcw, s->fx.fsw, s->fx.ftw);
    for (unsigned k = 0; k < 8; k++)
        printf("  st%u %04x:%016llx%s", k, s->fx.st[k].se, (unsigned long long)s->fx.st[k].man,
               k & 1 ? "\n" : "");
    for (unsigned k = 0; k < 16; k++)
        printf("  xmm%-2u %016llx%016llx%s", k, (unsigned long long)s->fx.xmm[k][1],
               (unsigned long long)s->fx.xmm[k][0], k & 1 ? "\n" : "");
}

static void report(const struct run *t, uint64_t seed, const char *why)
{
    const struct op_row *row = &optab[t->seq.insn[t->seq.count - 1].row];
    printf("%s: %s %s (reproduce: -s %llu -m %u -c %u,%u)\n", why, row->name, row->operands,
           (unsigned long long)seed, t->max_len, 64u >> t->seq.size,
           t->seq.insn[t->seq.count - 1].row);
    print_listing(&t->seq);
    report_registers(t);
    report_memory(t);
    if (t->verbose)
        print_input(&t->before);
}

/* -- Comparison -------------------------------------------------------------------------------- */

/* Faults whose details processors do not agree on, or which depend on what the host's kernel maps.
 *   - CALL to a non-canonical address: the return address may be stored first.
 *   - Flags of a repeated comparison: restored to the start of the instruction, which for the
 * interpreter is where it last looked for interrupts.
 *   - The order in which the parts of a long operand are accessed.
 *   - An access that wraps at 4 GiB in 32-bit code: limit violation or not. */
static bool fault_is_unspecified(const struct run *t)
{
    const struct sequence *q = &t->seq;
    const struct state *h = &t->host, *g = &t->guest;
    unsigned k = 0;
    while (k < q->count && sequence_start(q) + q->insn[k].at != h->rip)
        k++;
    if (h->vec == VEC_BP || k == q->count)
        return false;
    const struct op_row *row = &optab[q->insn[k].row];
    if (strcmp(row->name, "CALL") == 0 && (h->vec == VEC_GP || g->vec == VEC_GP))
        return true;
    if ((row->attr & ATTR_STR) && t->before.r[RCX] != h->r[RCX] && h->r[RCX] == g->r[RCX] &&
        t->host.eflags != t->guest.eflags)
        return true;
    if (h->vec == g->vec) {
        static const char *const wide[] = {"FRSTOR", "FLDENV", "FBSTP", "PUSHA", "PUSHAD"};
        for (unsigned j = 0; j < sizeof(wide) / sizeof(wide[0]); j++)
            if (strcmp(row->name, wide[j]) == 0)
                return true;
        if (strcmp(row->name, "FSTP") == 0 && strcmp(row->operands, "Mt") == 0)
            return true;
    }
    return q->size == CODE_32 && h->vec == VEC_PF && h->cr2 >= UINT32_MAX - 4096 &&
           (g->vec == VEC_GP || g->vec == VEC_SS);
}

static bool same(struct run *t)
{
    normalise(&t->seq, &t->host);
    normalise(&t->seq, &t->guest);
    return memcmp(&t->host, &t->guest, sizeof(t->host)) == 0 &&
           memcmp(t->host_mem, t->guest_mem, DATA_SIZE) == 0;
}

/* -- Running ----------------------------------------------------------------------------------- */

static void one_case(struct run *t, enum code_size size, unsigned row, uint64_t seed)
{
    t->rng = (struct rng){seed * UINT64_C(0xd1342543de82ef95) + row, data_base(size)};
    unsigned count = 1 + (unsigned)rng_below(&t->rng, 2) * (unsigned)rng_below(&t->rng, t->max_len);
    if (!gen_sequence(t->gen, &t->rng, size, row, count, &t->seq))
        return;
    gen_state(&t->rng, size, &t->before);
    gen_memory(&t->rng, t->mem, RW_PAGES * PAGE);
    t->host = t->guest = t->before;
    memcpy(t->host_mem, t->mem, DATA_SIZE);
    memcpy(t->guest_mem, t->mem, DATA_SIZE);
    host_run(&t->seq, &t->host, t->host_mem);
    int bad_row = guest_run(t->cpu, &t->seq, &t->guest, t->guest_mem);
    if (bad_row < 0 && t->maker == MAKER_AMD && maker_mask(&t->seq, &t->host, &t->guest) != NULL) {
        t->left_out++;
        return;
    }
    t->cases++;
    t->by_size[size]++;
    t->faults += t->host.vec != VEC_BP;
    for (unsigned k = 0; k < t->seq.count; k++)
        t->per_row[t->seq.insn[k].row]++;
    bool equal = same(t);
    if (bad_row < 0 && (equal || fault_is_unspecified(t)))
        return;
    t->failed++;
    if (t->failed_row[row]++ < (t->only != NULL ? MAX_REPORTS : 1))
        report(t, seed, equal ? "flags written that the table does not list" : "difference");
}

static bool is_wanted(const struct run *t, unsigned row)
{
    return t->only == NULL || strcmp(t->only, optab[row].name) == 0;
}

static void run_cases(struct run *t, unsigned long cases)
{
    for (uint64_t round = 0; t->cases < cases; round++) {
        unsigned long before = t->cases;
        for (unsigned s = 0; s < CODE_SIZES; s++)
            for (unsigned row = 0; row < optab_count && t->cases < cases; row++)
                if (is_wanted(t, row) && gen_has_row(t->gen, (enum code_size)s, row))
                    one_case(t, (enum code_size)s, row, t->seed + round);
        if (t->cases == before)
            return;
    }
}

/* -- Recording --------------------------------------------------------------------------------- */

static bool host_agrees(const struct sequence *q, const struct state *before,
                        const struct state *after, const uint8_t *mem_before,
                        const uint8_t *mem_after)
{
    struct sequence seq = *q;
    struct state s = *before;
    uint8_t mem[DATA_SIZE];
    memcpy(mem, mem_before, DATA_SIZE);
    host_run(&seq, &s, mem);
    normalise(&seq, &s);
    return memcmp(&s, after, sizeof(s)) == 0 && memcmp(mem, mem_after, RW_PAGES * PAGE) == 0;
}

static int record_golden(const struct run *t)
{
    int status = 0;
    for (unsigned row = 0; row < optab_count; row++) {
        bool ok = true;
        char key[64];
        uint64_t hash = golden_hash(t->gen, t->cpu, row, host_agrees, &ok);
        golden_key(&optab[row], key);
        if (hash != 0 && ok)
            printf("%016llx %s\n", (unsigned long long)hash, key);
        if (!ok) {
            fprintf(stderr, "insn_diff: %s: the interpreter differs\n", key);
            status = 1;
        }
    }
    return status;
}

static void list_untested(const struct run *t)
{
    for (unsigned k = 0; k < optab_count; k++)
        if (!gen_has_row(t->gen, CODE_64, k) && !gen_has_row(t->gen, CODE_32, k) &&
            !gen_has_row(t->gen, CODE_16, k))
            printf("%s %s\n", optab[k].name, optab[k].operands);
}

static int summary(const struct run *t)
{
    unsigned rows = 0, mnemonics = 0;
    unsigned long least = ~0ul;
    for (unsigned k = 0; k < optab_count; k++) {
        bool first = true;
        if (t->per_row[k] == 0)
            continue;
        rows++;
        least = t->per_row[k] < least ? t->per_row[k] : least;
        for (unsigned j = 0; j < k && first; j++)
            first = t->per_row[j] == 0 || strcmp(optab[j].name, optab[k].name) != 0;
        mnemonics += first;
    }
    printf(
        "seed %llu: %lu cases (%lu of 64-bit code, %lu of 32-bit, %lu of 16-bit; %lu ended in a "
        "fault; %lu more left out), %u of %u rows, %u mnemonics, at least %lu a row; %lu differences\n",
        (unsigned long long)t->seed, t->cases, t->by_size[CODE_64], t->by_size[CODE_32],
        t->by_size[CODE_16], t->faults, t->left_out, rows, optab_count, mnemonics, least,
        t->failed);
    return t->failed != 0;
}

/* Does the host have this feature? */
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

static struct cpu *create_cpu(bool record)
{
    struct cpu *c = guest_create(host_has, GUEST_LONG);
    if (c != NULL && !record) /* the records are of code that has one page */
        guest_map_more(c);
    return c;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: insn_diff [-s seed] [-n cases] [-m length] [-r mnemonic] [-c bits,row] [-l] [-g] [-p] [-v]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct run t; /* large */
    unsigned long cases = PAGE_CASES;
    unsigned one_size = 0, one_row = 0;
    bool list = false, record = false;
    int opt;
    t.seed = 1;
    t.max_len = SEQUENCE_MAX;
    t.maker = host_maker();
    if (argc == 1 && t.maker == MAKER_OTHER) {
        printf("skipped: neither Intel's nor AMD's processor\n");
        return 77;
    }
    while ((opt = getopt(argc, argv, "s:n:m:r:c:lgpv")) != -1) {
        switch (opt) {
        case 's': t.seed = strtoull(optarg, NULL, 0); break;
        case 'n': cases = strtoul(optarg, NULL, 0); break;
        case 'm': t.max_len = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'r': t.only = optarg; break;
        case 'c':
            if (sscanf(optarg, "%u,%u", &one_size, &one_row) != 2)
                return usage();
            break;
        case 'l': list = true; break;
        case 'g': record = true; break;
        case 'p': print_page(); return 0;
        case 'v': t.verbose = true; break;
        default: return usage();
        }
    }
    gen_first_memory(t.mem);
    t.cpu = create_cpu(record);
    t.gen = t.cpu != NULL ? gen_create(t.cpu, t.maker == MAKER_AMD ? maker_avoids : NULL) : NULL;
    t.per_row = calloc(optab_count, sizeof(t.per_row[0]));
    t.failed_row = calloc(optab_count, sizeof(t.failed_row[0]));
    if (t.max_len < 1 || t.max_len > SEQUENCE_MAX)
        t.max_len = SEQUENCE_MAX;
    if (t.gen == NULL || t.per_row == NULL || t.failed_row == NULL || !host_init(t.mem)) {
        fprintf(stderr, "insn_diff: set-up failed\n");
        return 2;
    }
    system_create(t.cpu, GUEST_LONG);
    if (list) {
        list_untested(&t);
        return 0;
    }
    if (record && t.maker != MAKER_INTEL) {
        fprintf(stderr, "insn_diff: the records are of Intel's processors\n");
        return 2;
    }
    if (record)
        return record_golden(&t);
    if (one_size != 0 && one_row < optab_count)
        one_case(&t,
                 one_size == 64   ? CODE_64
                 : one_size == 32 ? CODE_32
                                  : CODE_16,
                 one_row, t.seed);
    else
        run_cases(&t, cases);
    return summary(&t);
}
