/* SPDX-License-Identifier: MIT */
/* The side where no page is there before it is touched. The pages of code and data start out as not
 * present or as the supervisor's; a page fault makes the one there that CR2 names, for reading only
 * unless it was written to, and returns. So each access of each instruction faults in turn, and the
 * instruction is begun again: in the end all must be as if the pages had been there. */
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "tests/diff/diff.h"
#include "tests/diff/jit_system.h"

#define FAULTS_MAX 64u

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };

/* Each round hides pages in its own way, some in the translator when it has seen the code before.
 */
static const struct {
    bool by_step; /* the interpreter, instruction by instruction */
    bool keep_rf; /* the instruction that faulted is not translated again */
    unsigned hidden_by;
} rounds[] = {{true, true, PTE_P},   {false, true, PTE_P},  {false, false, PTE_U},
              {false, false, PTE_P}, {false, false, PTE_U}, {false, false, PTE_P},
              {true, false, PTE_U}};

struct restart {
    struct machine m[GUEST_SYSTEMS];
    struct jit *j[GUEST_SYSTEMS], *entered;
    uint8_t table[GUEST_SYSTEMS][PAGE]; /* as it should be */
    unsigned long long faults;
};

/* Those whose handlers have a stack of their own. */
static bool can_restart(enum guest_system system)
{
    return system == GUEST_LONG || system == GUEST_PAGED || system == GUEST_V86;
}

/* SYSCALL and SYSENTER enter the kernel on the stack that there is. ENTER begins anew with pushes
 * that are done where one of them faults, and where these hit the frame pointers that it copies, it
 * finds others. */
static bool is_out_of_order(const struct sequence *q)
{
    static const char *const names[] = {"SYSCALL", "SYSENTER", "ENTER"};

    for (unsigned k = 0; k < q->count; k++)
        for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
            if (strcmp(optab[q->insn[k].row].name, names[n]) == 0)
                return true;
    return false;
}

/* An instruction that has overwritten itself when it faults is another one afterwards. */
static bool has_changed(const struct diff_case *c, const struct outcome *want)
{
    uint8_t before[CODE_SIZE];

    sequence_pages(&c->seq, before);
    return memcmp(before, want->code, CODE_SIZE) != 0;
}

static void *restart_open(char why[256])
{
    struct restart *r = calloc(1, sizeof(*r));
    struct jit_config cfg = {.code_bytes = UINT64_C(16) << 20};

    snprintf(why, 256, "no memory");
    for (unsigned n = 0; r != NULL && n < GUEST_SYSTEMS; n++) {
        if (!can_restart((enum guest_system)n))
            continue;
        struct machine *m = &r->m[n];
        if (!machine_open(m, (enum guest_system)n) ||
            jit_create(&r->j[n], m->c, guest_ram(m->c), &cfg, why) != 0)
            return NULL;
        memcpy(r->table[n], guest_page_table(m->c), PAGE);
    }
    return r;
}

static void hide_pages(struct cpu *c, const uint8_t *table, unsigned hidden_by)
{
    static const struct {
        uint64_t la;
        unsigned pages;
    } areas[] = {{CODE_LA, CODE_PAGES}, {ALIAS_LA, CODE_PAGES}, {DATA_LA, RW_PAGES + 1}};
    uint8_t *p = guest_page_table(c);

    memcpy(p, table, PAGE);
    for (unsigned k = 0; k < sizeof(areas) / sizeof(areas[0]); k++)
        for (unsigned n = 0; n < areas[k].pages; n++)
            p[(areas[k].la / PAGE + n) % 512 * 8] &= (uint8_t)~hidden_by;
    tlb_flush_all(c);
}

/* False: this fault is the case's own. */
static bool show_page(struct cpu *c, const uint8_t *table, uint32_t err)
{
    uint64_t area = UINT64_C(512) * PAGE, base = CODE_LA - guest_low(c);
    unsigned at = (unsigned)(c->cr2 / PAGE % 512 * 8);
    uint8_t *p = guest_page_table(c);
    uint8_t was = p[at];

    if (c->cr2 / area != base / area)
        return false;
    p[at] |= table[at] & (PTE_P | PTE_U);
    if (err & PFERR_W)
        p[at] |= table[at] & PTE_W;
    else if ((was & (PTE_P | PTE_U)) != (PTE_P | PTE_U))
        p[at] &= (uint8_t)~PTE_W;
    tlb_flush_page(c, c->cr2);
    return p[at] != was &&
           ((was & (PTE_P | PTE_U)) != (table[at] & (PTE_P | PTE_U)) || err & PFERR_W);
}

static enum cpu_exit run_on(struct cpu *c, bool by_step)
{
    enum cpu_exit end = CPU_EXIT_ATTENTION;

    if (!by_step)
        return cpu_run(c);
    for (unsigned n = 0; n < DIFF_MAX_STEPS && end == CPU_EXIT_ATTENTION; n++)
        end = cpu_step(c);
    return end;
}

static bool run_round(struct restart *r, unsigned round, const struct diff_case *k,
                      const struct outcome *want, struct outcome *got)
{
    struct machine *m = &r->m[k->system];
    struct cpu *c = m->c;
    enum cpu_exit end;

    machine_load(m, k);
    hide_pages(c, r->table[k->system], rounds[round].hidden_by);
    for (unsigned n = 0;; n++) {
        end = run_on(c, rounds[round].by_step);
        if (end != CPU_EXIT_HALT || system_vector(c) != VEC_PF || n == FAULTS_MAX ||
            !show_page(c, r->table[k->system], system_error(c)))
            break;
        r->faults++;
        system_return(c, rounds[round].keep_rf);
    }
    return machine_ended_as(m, end, k, want, got);
}

static enum verdict restart_run(void *self, const struct diff_case *k, const struct outcome *want,
                                struct outcome *got)
{
    struct restart *r = self;

    if (!can_restart(k->system) || is_out_of_order(&k->seq) || has_changed(k, want))
        return SIDE_LEFT_OUT;
    if (r->entered != r->j[k->system]) {
        jit_thread_leave(r->entered);
        if (jit_thread_enter(r->j[k->system]) != 0)
            abort();
        r->entered = r->j[k->system];
    }
    for (unsigned n = 0; n < sizeof(rounds) / sizeof(rounds[0]); n++)
        if (!run_round(r, n, k, want, got))
            return SIDE_DIFFERS;
    return SIDE_SAME;
}

static bool restart_note(void *self, char text[256])
{
    const struct restart *r = self;

    snprintf(text, 256, "%llu page faults returned from", r->faults);
    return r->faults != 0;
}

const struct side side_restart = {"restart",
                                  "each access of each instruction faults before it succeeds",
                                  restart_open, restart_run, restart_note};
