/* SPDX-License-Identifier: MIT */
/* What of a state is compared. */
#include <string.h>

#include "tests/diff/insn_diff.h"
#include "tests/diff/insn_segs.h"

/* The flags that were undefined where a sequence ended early. */
static void undefined_until(struct sequence *q, const struct state *s)
{
    unsigned undefined = 0;
    if (s->rip == sequence_start(q) + q->len + 1 && s->vec == VEC_BP)
        return;
    /* After a jump out of the code, all that is undefined anywhere. */
    for (unsigned k = 0; k < q->count && q->insn[k].at < s->rip - sequence_start(q); k++)
        undefined |= optab[q->insn[k].row].fl_undef;
    if (undefined != 0)
        q->undefined |= EFL_ARITH;
}

/* A return from the kernel replaces null selectors by 0; descriptors' bases say nothing new. */
static void normalise_segments(struct segments *s)
{
    for (unsigned k = 0; k < SEG_COUNT; k++)
        if (s->sel[k] < 4)
            s->sel[k] = 0;
}

void normalise(struct sequence *q, struct state *s)
{
    undefined_until(q, s);
    s->eflags &= ~q->undefined;
    if (q->size != CODE_64) {
        for (unsigned k = 0; k < 16; k++)
            s->r[k] = k < 8 ? (uint32_t)s->r[k] : 0;
        memset(s->fx.xmm[8], 0, 128);
    }
    normalise_segments(&s->seg);
    /* SDM 1 3.4.1.1: the upper halves are undefined after 64-bit code. */
    if (q->size == CODE_64 && s->seg.sel[SEG_CS] != USER_CS)
        for (unsigned k = 0; k < 8; k++)
            s->r[k] = (uint32_t)s->r[k];
    if (s->vec != VEC_PF)
        s->cr2 = 0;
    else if (s->cr2 >= UINT64_C(0x7f0000000000))
        s->err &= ~PFERR_P; /* the host may have something there */
    s->fx.fop = 0;
    s->fx.reserved = 0;
    s->fx.fip = s->fx.fdp = 0;
    s->fx.mxcsr_mask = 0;
    for (unsigned k = 0; k < 8; k++)
        memset(s->fx.st[k].pad, 0, sizeof(s->fx.st[k].pad));
    memset(s->fx.rest, 0, sizeof(s->fx.rest));
    /* #MF and #XM: no error code, but Linux reports one of its own. */
    if (s->vec == VEC_MF || s->vec == VEC_XM || s->vec == VEC_BP || s->vec == VEC_UD)
        s->err = 0;
}
