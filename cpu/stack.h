/* SPDX-License-Identifier: MIT */
/* A stack that need not be the current one: far calls and interrupts build their frame on it before
 * any register changes, so that a fault on the way leaves the processor as it was. */
#ifndef CPU_STACK_H
#define CPU_STACK_H

#include "cpu/mem.h"
#include "cpu/segment.h"

struct stack {
    struct seg ss;
    uint64_t sp;
    uint64_t mask;  /* width of the stack pointer */
    unsigned cpl;   /* privilege level of the accesses */
    uint16_t err;   /* error code of #SS: 0, or the selector of a new stack */
    bool is_flat64; /* no segmentation, canonical addresses only */
};

/* The stack that SS:rSP names now. */
static inline struct stack stack_current(const struct cpu *c)
{
    return (struct stack){.ss = c->seg[SEG_SS],
                          .sp = c->r[RSP],
                          .mask = c->sp_mask,
                          .cpl = c->cpl,
                          .is_flat64 = (c->mode & MODE_64) != 0};
}

/* A stack in a 16- or 32-bit segment that has been checked. */
static inline struct stack stack_in(const struct seg *ss, uint64_t sp, unsigned cpl)
{
    return (struct stack){.ss = *ss,
                          .sp = sp,
                          .mask = ss->attr & SEG_DB ? UINT64_C(0xffffffff) : UINT64_C(0xffff),
                          .cpl = cpl,
                          .err = sel_error(ss->sel)};
}

/* Push 1 << w bytes; faults as a push onto that stack would. Moves only st->sp. */
bool stack_push(struct cpu *c, struct stack *st, unsigned w, uint64_t v);

/* The stack of an inner privilege level from the current TSS, with all checks (SDM
 * 3A 5.8.5, 6.14.2). */
bool stack_from_tss(struct cpu *c, unsigned dpl, struct stack *st);

/* Make it SS:rSP: of the same segment, or of a new one. cpu_update_mode() is left to the caller. */
void stack_commit_same(struct cpu *c, const struct stack *st);
void stack_commit_new(struct cpu *c, const struct stack *st);

#endif
