/* SPDX-License-Identifier: MIT */
/* Stacks of far transfers (SDM 3A 5.8.5 "Stack Switching", 6.14.2-6.14.5). */
#include "cpu/stack.h"

static bool stack_address(struct cpu *c, const struct stack *st, uint64_t sp, unsigned n,
                          uint64_t *la)
{
    if (st->is_flat64) {
        *la = sp;
        if (!is_canonical(sp) || !is_canonical(sp + n - 1))
            return cpu_raise(c, VEC_SS, st->err);
    } else {
        *la = (uint32_t)(st->ss.base + sp);
        if (!seg_limit_allows(&st->ss, sp, n))
            return cpu_raise(c, VEC_SS, st->err);
    }
    /* Alignment checks are on only where accesses at CPL 3 are made from CPL 3. */
    if (st->cpl == 3 && c->mmu == MMU_NONE && *la & (n - 1))
        return cpu_raise(c, VEC_AC, 0);
    return true;
}

bool stack_push(struct cpu *c, struct stack *st, unsigned w, uint64_t v)
{
    unsigned n = 1u << w;
    uint64_t sp = (st->sp - n) & st->mask, la;
    if (!stack_address(c, st, sp, n, &la) || !lin_write_as(c, st->cpl, la, n, v))
        return false;
    st->sp = (st->sp & ~st->mask) | sp;
    return true;
}

static bool stack_from_tss64(struct cpu *c, unsigned dpl, struct stack *st)
{
    *st = (struct stack){.mask = ~UINT64_C(0), .cpl = dpl, .is_flat64 = true};
    st->ss = (struct seg){.sel = (uint16_t)dpl, .attr = (uint16_t)(dpl << SEG_DPL_SHIFT)};
    return tss_read(c, 4 + dpl * 8, 8, VEC_TS, &st->sp);
}

bool stack_from_tss(struct cpu *c, unsigned dpl, struct stack *st)
{
    uint64_t sp, sel;
    struct desc d;
    if (c->mode & MODE_LMA)
        return stack_from_tss64(c, dpl, st);
    bool is32 = c->tr.attr & 8;
    unsigned off = is32 ? 4 + dpl * 8 : 2 + dpl * 4;
    unsigned n = is32 ? 4 : 2;
    /* SP and SS lie together; the pair must be inside the limit. */
    if (off + n + 1 > c->tr.limit)
        return cpu_raise(c, VEC_TS, sel_error(c->tr.sel));
    if (!tss_read(c, off, n, VEC_TS, &sp) || !tss_read(c, off + n, 2, VEC_TS, &sel))
        return false;
    if (sel_is_null((uint16_t)sel))
        return cpu_raise(c, VEC_TS, 0);
    if (!seg_check_stack(c, (uint16_t)sel, dpl, VEC_TS, &d) || !desc_set_accessed(c, &d))
        return false;
    struct seg ss = seg_from_desc((uint16_t)sel, &d);
    *st = stack_in(&ss, sp, dpl);
    return true;
}

void stack_commit_same(struct cpu *c, const struct stack *st)
{
    c->r[RSP] = st->sp;
}

void stack_commit_new(struct cpu *c, const struct stack *st)
{
    c->seg[SEG_SS] = st->ss;
    seg_update(c, SEG_SS);
    c->r[RSP] = st->sp;
}
