/* SPDX-License-Identifier: MIT */
/* The interpreter takes an event at the same instruction as translated code, from the state that
 * both were found to be in there, by walking the page tables for each access. That is taken back,
 * and what the delivery then does for good, by what the translation caches hold, must be the same:
 * the frame, all registers, hidden parts of segments, the shutdown.
 *
 * Left out is what cannot be taken back: tasks are switched, or the stack is no RAM or holds code.
 */
#include "jit/witness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "jit/code.h"
#include "jit/journal.h"
#include "jit/lockstep.h"

#define SAY(j, ...) cpu_log((j)->cpu, LOG_ANY_LOCKSTEP, __VA_ARGS__)

/* All that a delivery changes in struct cpu, and more: what is in front of that is no state of the
 * guest's. */
#define STATE_BYTES offsetof(struct cpu, attention)

struct witness {
    struct journal journal;
    _Alignas(struct cpu) uint8_t before[STATE_BYTES], want[STATE_BYTES];
    uint64_t compared, left_out;
};

/* What is compared as numbers. */
static const struct field {
    const char *name;
    size_t at;
    unsigned bytes, count;
} fields[] = {
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct cpu, name), sizeof(((struct cpu *)0)->name), 1                      \
    }
#define ARRAY(name, n)                                                                             \
    {                                                                                              \
#name, offsetof(struct cpu, name), sizeof(((struct cpu *)0)->name) / (n), n                \
    }
    ARRAY(r, REG_COUNT), FIELD(eflags),        FIELD(f.zero),       FIELD(f.sign),
    FIELD(f.over),       FIELD(f.par),         FIELD(f.aux),        FIELD(f.carry),
    FIELD(cr0),          FIELD(cr2),           FIELD(cr3),          FIELD(cr4),
    FIELD(efer),         ARRAY(dr, 8),         FIELD(msr.debugctl), FIELD(gdt.base),
    FIELD(idt.base),     FIELD(halted),        FIELD(nmi_blocked),  FIELD(monitoring),
    FIELD(in_mwait),     FIELD(mode),          FIELD(cpl),          FIELD(mmu),
    FIELD(la_mask),      FIELD(sp_mask),       FIELD(shadow),       FIELD(shadow_ss),
    FIELD(db_pending),   FIELD(fault_pending),
#undef FIELD
#undef ARRAY
};

/* ORDER seg, and behind them */
static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

static const struct seg *segment(const struct cpu *c, unsigned n)
{
    return n < SEG_COUNT ? &c->seg[n] : n == SEG_COUNT ? &c->ldtr : &c->tr;
}

static uint64_t number(const void *state, const struct field *f, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, (const uint8_t *)state + f->at + (size_t)n * f->bytes, f->bytes);
    return v;
}

/* Logs what differs. */
static bool fields_equal(struct jit *j, const struct witness *w)
{
    bool equal = true;

    for (unsigned k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
        for (unsigned n = 0; n < fields[k].count; n++) {
            uint64_t want = number(w->want, &fields[k], n), found = number(j->cpu, &fields[k], n);
            if (want == found)
                continue;
            SAY(j, "%s[%u]: %llx, found %llx", fields[k].name, n, (unsigned long long)want,
                (unsigned long long)found);
            equal = false;
        }
    return equal;
}

static bool segments_equal(struct jit *j, const struct witness *w)
{
    bool equal = true;

    for (unsigned k = 0; k < sizeof(segments) / sizeof(segments[0]); k++) {
        const struct seg *found = segment(j->cpu, k);
        const struct seg *want = segment((const struct cpu *)(const void *)w->want, k);
        if (seg_equal(want, found))
            continue;
        SAY(j, "%s: %04x %llx %x %x, found %04x %llx %x %x", segments[k], want->sel,
            (unsigned long long)want->base, want->limit, want->attr, found->sel,
            (unsigned long long)found->base, found->limit, found->attr);
        equal = false;
    }
    return equal;
}

static bool memory_equal(struct jit *j, struct witness *w)
{
    if (journal_equal(&w->journal, 1))
        return true;
    for (unsigned n = 0; n < w->journal.nlines; n++) {
        const struct line *line = &w->journal.line[n];
        for (unsigned k = 0; k < LINE; k++)
            if (line->host[k] != line->found[k])
                SAY(j, "line %u of memory written, byte %u: %02x, found %02x", n, k, line->host[k],
                    line->found[k]);
    }
    return false;
}

/* Deliver it, and take that back. */
static bool rehearse(struct jit *j, struct witness *w, deliver_fn fn, unsigned vec)
{
    struct cpu *c = j->cpu;
    bool delivered;

    journal_begin(&w->journal);
    memcpy(w->before, c, STATE_BYTES);
    c->rehearsal = &w->journal.rehearsal;
    c->tlb = &c->tlbs[MMU_NONE];
    delivered = fn(c, vec);
    c->rehearsal = NULL;
    journal_note(&w->journal, 0);
    memcpy(w->want, c, STATE_BYTES);
    memcpy(c, w->before, STATE_BYTES);
    journal_undo(&w->journal);
    return delivered;
}

bool witness_deliver(struct jit *j, deliver_fn fn, unsigned vec)
{
    struct witness *w = j->witness;
    struct cpu *c = j->cpu;
    uint64_t rip = c->r[RIP];
    uint16_t cs = c->seg[SEG_CS].sel;
    bool want, found, same;

    lockstep_end(j);
    memory_freeze(c, true);
    want = rehearse(j, w, fn, vec);
    found = fn(c, vec);
    memory_freeze(c, false);
    if (w->journal.rehearsal.refused) {
        w->left_out++;
        return found;
    }
    w->compared++;
    same = fields_equal(j, w);
    same &= segments_equal(j, w);
    same &= memory_equal(j, w);
    if (same && want == found)
        return found;
    SAY(j, "delivery of event %02x at %04x:%llx differs from the interpreter's: %s, found %s", vec,
        cs, (unsigned long long)rip, want ? "delivered" : "shutdown",
        found ? "delivered" : "shutdown");
    lockstep_fail(j);
    return found;
}

int witness_create(struct jit *j)
{
    j->witness = calloc(1, sizeof(*j->witness));
    if (j->witness == NULL)
        return -ENOMEM;
    journal_create(&j->witness->journal);
    j->witness->journal.rehearsal.walks = true;
    return 0;
}

void witness_free(struct jit *j)
{
    const struct witness *w = j->witness;

    if (w == NULL)
        return;
    SAY(j, "%llu deliveries of interrupts and exceptions compared, %llu left out",
        (unsigned long long)w->compared, (unsigned long long)w->left_out);
    free(j->witness);
    j->witness = NULL;
}
