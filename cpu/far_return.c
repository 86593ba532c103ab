/* SPDX-License-Identifier: MIT */
/* Returns to a code segment on the stack, and IRET in all its forms (SDM 2A IRET, 2B RET). */
#include "cpu/exception.h"
#include "cpu/far.h"
#include "cpu/flags.h"
#include "cpu/ops.h"
#include "cpu/task.h"

/* -- Protected and long mode: code segment and stack ------------------------------------------- */

/* The code segment that a return leads to; its privilege level is the selector's RPL. */
static bool check_return_code(struct cpu *c, uint16_t sel, struct desc *d)
{
    unsigned rpl = sel & 3;
    if (sel_is_null(sel))
        return cpu_raise_gp(c, 0);
    if (!desc_read(c, sel, VEC_GP, d))
        return false;
    bool ok = desc_is_code(d) && rpl >= c->cpl &&
              (desc_is_conforming(d) ? desc_dpl(d) <= rpl : desc_dpl(d) == rpl);
    if (!ok || (c->mode & MODE_LMA && (d->attr & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB)))
        return cpu_raise_gp(c, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    return true;
}

/* The stack segment that a return loads: null only for 64-bit code below level 3. */
static bool check_return_stack(struct cpu *c, uint16_t ss, unsigned cpl, const struct desc *code,
                               struct seg *out)
{
    struct desc d;
    if (sel_is_null(ss)) {
        bool code64 = c->mode & MODE_LMA && code->attr & SEG_L;
        if (!code64 || cpl == 3 || (ss & 3u) != cpl)
            return cpu_raise_gp(c, 0);
        *out = (struct seg){.sel = ss, .attr = (uint16_t)(cpl << SEG_DPL_SHIFT)};
        return true;
    }
    if (!seg_check_stack(c, ss, cpl, VEC_GP, &d) || !desc_set_accessed(c, &d))
        return false;
    *out = seg_from_desc(ss, &d);
    return true;
}

/* rSP of an outer stack: only the width of that stack counts, but a 16-bit frame gives 16 bits. */
static void set_outer_sp(struct cpu *c, uint64_t sp, unsigned drop)
{
    bool wide = c->mode & MODE_64;
    bool is32 = c->seg[SEG_SS].attr & SEG_DB;
    if (wide)
        c->r[RSP] = sp + drop;
    else if (is32)
        c->r[RSP] = (uint32_t)(sp + drop);
    else
        c->r[RSP] = (c->r[RSP] & ~UINT64_C(0xffff)) | ((sp + drop) & 0xffff);
}

bool far_return_protected(struct cpu *c, unsigned w, const struct far_frame *f)
{
    unsigned cpl = f->cs & 3;
    bool outer = cpl != c->cpl;
    uint64_t sp = 0, sel = 0;
    struct desc code;
    struct seg ss = {0};
    if (!check_return_code(c, f->cs, &code))
        return false;
    if (outer || f->pops_stack) {
        if (!stack_peek(c, w, f->size, &sp) || !stack_peek(c, w, f->size + (1u << w), &sel) ||
            !check_return_stack(c, (uint16_t)sel, cpl, &code, &ss))
            return false;
    }
    if (!far_check_target(c, &code, f->rip) || !desc_set_accessed(c, &code))
        return false;
    if (!outer && !f->pops_stack)
        sp_set(c, c->r[RSP] + f->size);
    far_commit_code(c, f->cs, &code, cpl, f->rip);
    if (outer || f->pops_stack) {
        c->seg[SEG_SS] = ss;
        seg_update(c, SEG_SS);
    }
    cpu_update_mode(c);
    if (outer || f->pops_stack)
        set_outer_sp(c, sp, f->drop);
    if (outer)
        seg_drop_privileged(c, cpl);
    return true;
}

/* -- IRET -------------------------------------------------------------------------------------- */

struct iret_frame {
    uint64_t rip;
    uint16_t cs;
    uint32_t flags;
};

static bool peek_iret(struct cpu *c, unsigned w, struct iret_frame *f)
{
    uint64_t cs, flags;
    if (!stack_peek(c, w, 0, &f->rip) || !stack_peek(c, w, 1u << w, &cs) ||
        !stack_peek(c, w, 2u << w, &flags))
        return false;
    f->cs = (uint16_t)cs;
    f->flags = (uint32_t)flags;
    return true;
}

/* Flags with the bits of `mask` taken from the frame. A 16-bit frame has only the lower half. */
static uint32_t merge_flags(uint32_t flags, unsigned w, uint32_t frame, uint32_t mask)
{
    if (w == 1)
        mask &= 0xffff;
    return (flags & ~mask) | (frame & mask);
}

#define EFL_FREE (EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_RF | EFL_AC | EFL_ID)

/* Real mode: everything but VM, VIF and VIP. Virtual-8086 mode with IOPL 3: IOPL stays too. */
static bool iret_real(struct cpu *c, unsigned w, uint32_t mask, uint32_t *flags)
{
    struct iret_frame f;
    if (!peek_iret(c, w, &f))
        return false;
    if (f.rip > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    sp_set(c, c->r[RSP] + (3u << w));
    if (c->mode & MODE_V86)
        seg_load_v86(c, SEG_CS, f.cs);
    else
        seg_load_real(c, SEG_CS, f.cs);
    c->r[RIP] = f.rip;
    *flags = merge_flags(*flags, w, f.flags, mask);
    return true;
}

/* Virtual-mode extensions: a 16-bit IRET at IOPL below 3 sets VIF instead of IF (SDM 3A 20.3). */
static bool iret_vme(struct cpu *c, uint32_t *flags)
{
    struct iret_frame f;
    if (!peek_iret(c, 1, &f))
        return false;
    if (f.flags & EFL_TF || (f.flags & EFL_IF && c->eflags & EFL_VIP) ||
        f.rip > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    sp_set(c, c->r[RSP] + 6);
    seg_load_v86(c, SEG_CS, f.cs);
    c->r[RIP] = f.rip;
    *flags = merge_flags(*flags, 1, f.flags, EFL_FREE) & ~EFL_VIF;
    if (f.flags & EFL_IF)
        *flags |= EFL_VIF;
    return true;
}

static bool iret_v86(struct cpu *c, unsigned w, uint32_t *flags)
{
    if ((c->eflags & EFL_IOPL) == EFL_IOPL)
        return iret_real(c, w, EFL_FREE | EFL_IF, flags);
    if (w == 1 && c->cr4 & CR4_VME)
        return iret_vme(c, flags);
    return cpu_raise_gp(c, 0);
}

/* From level 0 to virtual-8086 mode: nine doublewords. */
static bool iret_to_v86(struct cpu *c, const struct iret_frame *f, uint32_t *flags)
{
    static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint64_t sp, sel[5];
    if (!stack_peek(c, 2, 12, &sp))
        return false;
    for (unsigned k = 0; k < 5; k++)
        if (!stack_peek(c, 2, 16 + k * 4, &sel[k]))
            return false;
    if (f->rip > 0xffff)
        return cpu_raise_gp(c, 0);
    seg_load_v86(c, SEG_CS, f->cs);
    for (unsigned k = 0; k < 5; k++)
        seg_load_v86(c, order[k], (uint16_t)sel[k]);
    c->r[RSP] = (uint32_t)sp;
    c->r[RIP] = f->rip;
    *flags = f->flags;
    return true;
}

/* NT is set: go back to the task that the current TSS links to. */
static bool iret_task(struct cpu *c, uint32_t *flags)
{
    uint64_t link;
    struct desc d;
    if (!tss_read(c, 0, 2, VEC_TS, &link))
        return false;
    uint16_t sel = (uint16_t)link;
    if (sel & 4)
        return cpu_raise(c, VEC_TS, sel_error(sel));
    if (!desc_read(c, sel, VEC_TS, &d))
        return false;
    if (desc_type(&d) != DESC_TSS16_BUSY && desc_type(&d) != DESC_TSS32_BUSY)
        return cpu_raise(c, VEC_TS, sel_error(sel));
    if (!(d.attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    if (!task_finish(c, task_switch(c, sel, &d, TASK_IRET, NULL)))
        return false;
    *flags = eflags_get(c);
    return true;
}

static bool iret_protected(struct cpu *c, unsigned w, uint32_t *flags)
{
    struct iret_frame f;
    unsigned old_cpl = c->cpl;
    if (c->eflags & EFL_NT)
        return c->mode & MODE_LMA ? cpu_raise_gp(c, 0) : iret_task(c, flags);
    if (!peek_iret(c, w, &f))
        return false;
    if (f.flags & EFL_VM && w == 2 && old_cpl == 0 && !(c->mode & MODE_LMA))
        return iret_to_v86(c, &f, flags);
    struct far_frame far = {
        .rip = f.rip, .cs = f.cs, .size = 3u << w, .pops_stack = (c->mode & MODE_64) != 0};
    uint32_t mask = EFL_FREE;
    if (old_cpl <= (c->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT)
        mask |= EFL_IF;
    if (old_cpl == 0)
        mask |= EFL_IOPL | EFL_VIF | EFL_VIP;
    if (!far_return_protected(c, w, &far))
        return false;
    *flags = merge_flags(*flags, w, f.flags, mask);
    return true;
}

bool far_iret(struct cpu *c, unsigned w, uint32_t *flags)
{
    c->nmi_blocked = false;
    if (!(c->mode & MODE_PE))
        return iret_real(c, w, EFL_FREE | EFL_IF | EFL_IOPL, flags);
    if (c->mode & MODE_V86)
        return iret_v86(c, w, flags);
    return iret_protected(c, w, flags);
}
