/* SPDX-License-Identifier: MIT */
/* Far JMP, CALL and RET: direct, through call gates, to tasks (SDM 2A CALL, JMP; 2B RET; 3A 5.8).
 */
#include "cpu/far.h"

#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/ops.h"
#include "cpu/stack.h"
#include "cpu/task.h"

static bool is_real_or_v86(const struct cpu *c)
{
    return !(c->mode & MODE_PE) || c->mode & MODE_V86;
}

static bool is_code64(const struct cpu *c, const struct desc *d)
{
    return c->mode & MODE_LMA && d->attr & SEG_L;
}

/* -- Shared checks ----------------------------------------------------------------------------- */

bool far_check_target(struct cpu *c, const struct desc *d, uint64_t off)
{
    if (is_code64(c, d) ? !is_canonical(off) : off > d->limit)
        return cpu_raise_gp(c, 0);
    return true;
}

bool far_check_gate_code(struct cpu *c, uint16_t sel, struct desc *d)
{
    if (sel_is_null(sel))
        return cpu_raise_gp(c, 0);
    if (!desc_read(c, sel, VEC_GP, d))
        return false;
    if (!desc_is_code(d) || desc_dpl(d) > c->cpl)
        return cpu_raise_gp(c, sel_error(sel));
    if (c->mode & MODE_LMA && (d->attr & (SEG_L | SEG_DB)) != SEG_L)
        return cpu_raise_gp(c, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    return true;
}

void far_commit_code(struct cpu *c, uint16_t sel, const struct desc *d, unsigned cpl, uint64_t rip)
{
    seg_set(c, SEG_CS, (uint16_t)((sel & 0xfffc) | cpl), d);
    c->r[RIP] = rip;
}

/* A code segment that JMP or CALL names directly. */
static bool check_direct_code(struct cpu *c, uint16_t sel, const struct desc *d)
{
    bool ok = desc_is_conforming(d) ? desc_dpl(d) <= c->cpl
                                    : (sel & 3u) <= c->cpl && desc_dpl(d) == c->cpl;
    if (!ok || (c->mode & MODE_LMA && (d->attr & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB)))
        return cpu_raise_gp(c, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    return true;
}

/* Gates and TSSs: CPL and RPL must be at least as privileged as DPL. */
static bool check_gate(struct cpu *c, uint16_t sel, const struct desc *d)
{
    if (desc_dpl(d) < c->cpl || desc_dpl(d) < (sel & 3u))
        return cpu_raise_gp(c, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    return true;
}

/* -- Gates ------------------------------------------------------------------------------------- */

struct call_gate {
    uint64_t off;
    uint16_t sel;
    uint8_t params;
    uint8_t w; /* width of what is pushed */
};

/* In long mode every call gate is a 64-bit one; desc_fetch() has put offset bits 32-63 into base.
 */
static struct call_gate unpack_call_gate(const struct cpu *c, const struct desc *d)
{
    struct call_gate g = {
        .sel = (uint16_t)(d->raw >> 16),
        .params = (uint8_t)(d->raw >> 32 & 31),
        .off = d->raw & 0xffff,
        .w = 1,
    };
    if (desc_type(d) == DESC_CALL32) {
        g.off |= d->raw >> 32 & 0xffff0000u;
        g.w = 2;
    }
    if (c->mode & MODE_LMA) {
        g.off |= d->base & ~UINT64_C(0xffffffff);
        g.w = 3;
        g.params = 0;
    }
    return g;
}

enum system_target { TO_GATE, TO_TASK_GATE, TO_TSS, TO_NOWHERE };

static enum system_target classify(const struct cpu *c, const struct desc *d)
{
    bool lma = c->mode & MODE_LMA;
    switch (desc_type(d)) {
    case DESC_CALL32: return TO_GATE;
    case DESC_CALL16: return lma ? TO_NOWHERE : TO_GATE;
    case DESC_TASK: return lma ? TO_NOWHERE : TO_TASK_GATE;
    case DESC_TSS16:
    case DESC_TSS32: return lma ? TO_NOWHERE : TO_TSS;
    default: return TO_NOWHERE;
    }
}

/* A descriptor in the GDT that JMP or CALL reached: code (returns *is_code), or a system one,
 * checked. */
static bool fetch_target(struct cpu *c, uint16_t sel, struct desc *d, bool *is_code)
{
    if (sel_is_null(sel))
        return cpu_raise_gp(c, 0);
    if (!desc_read(c, sel, VEC_GP, d))
        return false;
    *is_code = desc_is_code(d);
    if (*is_code)
        return check_direct_code(c, sel, d);
    enum system_target to = classify(c, d);
    if (d->attr & SEG_S || to == TO_NOWHERE || (to == TO_TSS && sel & 4))
        return cpu_raise_gp(c, sel_error(sel));
    return check_gate(c, sel, d);
}

static bool to_task(struct cpu *c, uint16_t sel, struct desc *d, enum task_reason why)
{
    if (classify(c, d) == TO_TASK_GATE)
        return task_finish(c, task_gate(c, d, why, NULL));
    return task_finish(c, task_switch(c, sel, d, why, NULL));
}

/* -- JMP --------------------------------------------------------------------------------------- */

static bool jump_real(struct cpu *c, uint16_t sel, uint64_t off)
{
    if (off > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    if (c->mode & MODE_V86)
        seg_load_v86(c, SEG_CS, sel);
    else
        seg_load_real(c, SEG_CS, sel);
    c->r[RIP] = off;
    cpu_update_mode(c);
    return true;
}

static bool jump_gate(struct cpu *c, const struct desc *gate)
{
    struct call_gate g = unpack_call_gate(c, gate);
    struct desc d;
    if (!far_check_gate_code(c, g.sel, &d))
        return false;
    /* A jump cannot change the privilege level. */
    if (!desc_is_conforming(&d) && desc_dpl(&d) != c->cpl)
        return cpu_raise_gp(c, sel_error(g.sel));
    if (!far_check_target(c, &d, g.off) || !desc_set_accessed(c, &d))
        return false;
    far_commit_code(c, g.sel, &d, c->cpl, g.off);
    cpu_update_mode(c);
    return true;
}

bool far_jump(struct cpu *c, unsigned w, uint16_t sel, uint64_t off)
{
    struct desc d;
    bool is_code;
    off &= WIDTH_MASK(w);
    if (is_real_or_v86(c))
        return jump_real(c, sel, off);
    if (!fetch_target(c, sel, &d, &is_code))
        return false;
    if (!is_code)
        return classify(c, &d) == TO_GATE ? jump_gate(c, &d) : to_task(c, sel, &d, TASK_JMP);
    if (!far_check_target(c, &d, off) || !desc_set_accessed(c, &d))
        return false;
    far_commit_code(c, sel, &d, c->cpl, off);
    cpu_update_mode(c);
    return true;
}

/* -- CALL -------------------------------------------------------------------------------------- */

static bool push_return(struct cpu *c, struct stack *st, unsigned w)
{
    return stack_push(c, st, w, c->seg[SEG_CS].sel) && stack_push(c, st, w, c->r[RIP]);
}

static bool call_real(struct cpu *c, unsigned w, uint16_t sel, uint64_t off)
{
    struct stack st = stack_current(c);
    if (off > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    if (!push_return(c, &st, w))
        return false;
    stack_commit_same(c, &st);
    return jump_real(c, sel, off);
}

/* Parameters move from the old stack to the new one, the last pushed one last. */
static bool copy_params(struct cpu *c, struct stack *to, const struct call_gate *g)
{
    for (unsigned k = g->params; k-- > 0;) {
        uint64_t v;
        if (!stack_peek(c, g->w, k << g->w, &v) || !stack_push(c, to, g->w, v))
            return false;
    }
    return true;
}

static bool call_inner(struct cpu *c, const struct call_gate *g, struct desc *code)
{
    unsigned cpl = desc_dpl(code);
    struct stack st;
    if (!stack_from_tss(c, cpl, &st) || !far_check_target(c, code, g->off))
        return false;
    if (!stack_push(c, &st, g->w, c->seg[SEG_SS].sel) || !stack_push(c, &st, g->w, c->r[RSP]) ||
        !copy_params(c, &st, g) || !push_return(c, &st, g->w) || !desc_set_accessed(c, code))
        return false;
    stack_commit_new(c, &st);
    far_commit_code(c, g->sel, code, cpl, g->off);
    cpu_update_mode(c);
    return true;
}

/* The return address goes where the code that is called finds it: between 64-bit and other code,
 * the same SS:rSP can name two addresses. */
static struct stack stack_of_code(const struct cpu *c, const struct desc *code)
{
    struct seg ss = c->seg[SEG_SS];
    struct stack st = stack_current(c);
    if (is_code64(c, code) == st.is_flat64)
        return st;
    if (!st.is_flat64)
        return (struct stack){
            .ss = ss, .sp = c->r[RSP], .mask = ~UINT64_C(0), .cpl = c->cpl, .is_flat64 = true};
    ss.base = ss.desc_base;
    st = stack_in(&ss, c->r[RSP], c->cpl);
    st.err = 0;
    return st;
}

static bool call_same(struct cpu *c, unsigned w, uint16_t sel, struct desc *code, uint64_t off)
{
    struct stack st = stack_of_code(c, code);
    if (!far_check_target(c, code, off) || !push_return(c, &st, w) || !desc_set_accessed(c, code))
        return false;
    stack_commit_same(c, &st);
    far_commit_code(c, sel, code, c->cpl, off);
    cpu_update_mode(c);
    return true;
}

static bool call_gate(struct cpu *c, const struct desc *gate)
{
    struct call_gate g = unpack_call_gate(c, gate);
    struct desc d;
    if (!far_check_gate_code(c, g.sel, &d))
        return false;
    if (!desc_is_conforming(&d) && desc_dpl(&d) < c->cpl)
        return call_inner(c, &g, &d);
    return call_same(c, g.w, g.sel, &d, g.off);
}

bool far_call(struct cpu *c, unsigned w, uint16_t sel, uint64_t off)
{
    struct desc d;
    bool is_code;
    off &= WIDTH_MASK(w);
    if (is_real_or_v86(c))
        return call_real(c, w, sel, off);
    if (!fetch_target(c, sel, &d, &is_code))
        return false;
    if (!is_code)
        return classify(c, &d) == TO_GATE ? call_gate(c, &d) : to_task(c, sel, &d, TASK_CALL);
    return call_same(c, w, sel, &d, off);
}

/* -- RET --------------------------------------------------------------------------------------- */

static bool return_real(struct cpu *c, unsigned w, unsigned drop)
{
    uint64_t rip, sel;
    if (!stack_peek(c, w, 0, &rip) || !stack_peek(c, w, 1u << w, &sel) ||
        !jump_real(c, (uint16_t)sel, rip))
        return false;
    sp_set(c, c->r[RSP] + (2u << w) + drop);
    return true;
}

bool far_return(struct cpu *c, unsigned w, unsigned drop)
{
    struct far_frame f = {.size = (2u << w) + drop};
    uint64_t sel;
    if (is_real_or_v86(c))
        return return_real(c, w, drop);
    if (!stack_peek(c, w, 0, &f.rip) || !stack_peek(c, w, 1u << w, &sel))
        return false;
    f.cs = (uint16_t)sel;
    f.drop = drop;
    return far_return_protected(c, w, &f);
}
