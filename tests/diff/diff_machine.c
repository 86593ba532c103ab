/* SPDX-License-Identifier: MIT */
/* Machines that cases run in: see diff.h. Exceptions go through gates of the guest's to a HLT for
 * each vector (jit_system.c), so that they are delivered as in a machine. */
#include <string.h>

#include "tests/diff/diff.h"
#include "tests/diff/jit_system.h"

static bool has_all(enum isa isa)
{
    (void)isa;
    return true;
}

bool machine_is_level0(enum guest_system system)
{
    return system == GUEST_KERNEL || system == GUEST_REAL;
}

bool machine_open(struct machine *m, enum guest_system system)
{
    m->system = system;
    m->c = guest_create(has_all, system);
    if (m->c == NULL)
        return false;
    guest_map_more(m->c);
    system_create(m->c, system);
    memcpy(m->page, guest_system_page(m->c, 0), PAGE);
    return true;
}

void machine_load(struct machine *m, const struct diff_case *k)
{
    struct cpu *c = m->c;

    guest_write_code(c, &k->seq); /* which may have been overwritten */
    guest_write_data(c, k->mem);
    system_restore(c, m->page);
    c->halted = false;
    c->cr2 = c->dr[6] = 0; /* CPL 0 may read them */
    guest_set_mode(c, k->seq.size);
    guest_load(c, &k->before);
}

static void save_segments(const struct cpu *c, struct outcome *out)
{
    for (unsigned k = 0; k < 6; k++) {
        out->seg[k].base = c->seg[k].base;
        out->seg[k].limit = c->seg[k].limit;
        out->seg[k].attr = c->seg[k].attr;
    }
}

static void save_registers(struct machine *m, enum cpu_exit end, struct outcome *out)
{
    struct cpu *c = m->c;

    memset(&out->s, 0, sizeof(out->s));
    memset(out->seg, 0, sizeof(out->seg));
    guest_save(c, &out->s);
    save_segments(c, out);
    out->ended = end != CPU_EXIT_ATTENTION;
    out->s.vec = VECTORS; /* a shutdown */
    if (end == CPU_EXIT_HALT)
        system_read_frame(c, &out->s);
    out->fop = c->fpu.fop;
    out->fcs = c->fpu.fcs;
    out->fds = c->fpu.fds;
    out->fip = c->fpu.fip;
    out->fdp = c->fpu.fdp;
}

static void save_memory(const struct machine *m, struct outcome *out)
{
    guest_read_data(m->c, out->mem);
    guest_read_code(m->c, out->code);
}

void machine_run(struct machine *m, const struct diff_case *k, struct outcome *out)
{
    enum cpu_exit end = CPU_EXIT_ATTENTION;

    machine_load(m, k);
    for (unsigned n = 0; n < DIFF_MAX_STEPS && end == CPU_EXIT_ATTENTION; n++)
        end = cpu_step(m->c);
    save_registers(m, end, out);
    save_memory(m, out);
    out->ended &= guest_stray(m->c) < STRAY_MAX / 2; /* nor do others stop */
}

bool machine_step(struct machine *m, const struct diff_case *k, struct diff_case *next)
{
    machine_load(m, k);
    if (cpu_step(m->c) != CPU_EXIT_ATTENTION)
        return false;
    guest_save(m->c, &next->before);
    guest_read_data(m->c, next->mem);
    return true;
}

/* At CPL 0 frames are written to the sequence's own stack, half of one where that faults: with
 * flags in it that may be undefined. */
static bool is_memory_defined(const struct diff_case *k, const struct sequence *q,
                              const struct state *s)
{
    return !machine_is_level0(k->system) || q->undefined == 0 || s->vec == VEC_BP;
}

/* What x87 instructions leave of themselves, which processors do not agree on. */
static bool same_pointers(const struct outcome *a, const struct outcome *b)
{
    return a->fop == b->fop && a->fip == b->fip && a->fdp == b->fdp && a->fcs == b->fcs &&
           a->fds == b->fds;
}

static bool machine_same(const struct diff_case *k, const struct outcome *a,
                         const struct outcome *b)
{
    struct sequence q = k->seq;
    struct state s = a->s, t = b->s;

    if (a->ended != b->ended)
        return false;
    normalise(&q, &s);
    normalise(&q, &t);
    return same_pointers(a, b) && memcmp(&s, &t, sizeof(s)) == 0 &&
           memcmp(a->seg, b->seg, sizeof(a->seg)) == 0 &&
           (!is_memory_defined(k, &q, &s) ||
            (memcmp(a->mem, b->mem, DATA_SIZE) == 0 && memcmp(a->code, b->code, CODE_SIZE) == 0));
}

/* Nearly always all is the same, and need not be copied. */
bool machine_ended_as(struct machine *m, enum cpu_exit end, const struct diff_case *k,
                      const struct outcome *want, struct outcome *got)
{
    save_registers(m, end, got);
    if (want->ended == got->ended && same_pointers(want, got) &&
        memcmp(&want->s, &got->s, sizeof(want->s)) == 0 &&
        memcmp(want->seg, got->seg, sizeof(want->seg)) == 0 &&
        guest_has_memory(m->c, want->mem, want->code))
        return true;
    save_memory(m, got);
    return machine_same(k, want, got);
}
