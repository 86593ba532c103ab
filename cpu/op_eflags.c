/* SPDX-License-Identifier: MIT */
/* The system side of EFLAGS: PUSHF, POPF, CLI, STI, CLAC, STAC, in all modes with IOPL and the
 * virtual interrupt flag (SDM 2A, 2B; 3A 20.3, 20.4). */
#include "cpu/exception.h"
#include "cpu/ops.h"

static unsigned iopl(const struct cpu *c)
{
    return (c->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT;
}

static bool in_v86(const struct cpu *c)
{
    return (c->mode & MODE_V86) != 0;
}

/* -- PUSHF, POPF ------------------------------------------------------------------------------- */

OP_WIDTH(pushf)
{
    uint32_t image = eflags_get(c) & ~(EFL_VM | EFL_RF);
    (void)i;
    if (in_v86(c) && iopl(c) < 3) {
        if (w != 1 || !(c->cr4 & CR4_VME))
            return cpu_raise_gp(c, 0);
        image = (image & ~EFL_IF) | EFL_IOPL | (c->eflags & EFL_VIF ? EFL_IF : 0);
    }
    return push(c, w, image);
}

static bool popf_vme(struct cpu *c)
{
    uint64_t v;
    if (!stack_peek(c, 1, 0, &v))
        return false;
    if (v & EFL_TF || (v & EFL_IF && c->eflags & EFL_VIP))
        return cpu_raise_gp(c, 0);
    sp_set(c, c->r[RSP] + 2);
    uint32_t mask = 0xffff & ~(EFL_IOPL | EFL_IF);
    uint32_t vif = v & EFL_IF ? EFL_VIF : 0;
    eflags_set(c, (eflags_get(c) & ~(mask | EFL_VIF | EFL_RF)) | ((uint32_t)v & mask) | vif);
    return true;
}

OP_WIDTH(popf)
{
    uint64_t v;
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_AC | EFL_ID;
    (void)i;
    if (in_v86(c) && iopl(c) < 3)
        return w == 1 && c->cr4 & CR4_VME ? popf_vme(c) : cpu_raise_gp(c, 0);
    if (!pop(c, w, &v))
        return false;
    if (c->cpl <= iopl(c))
        mask |= EFL_IF;
    if (c->cpl == 0)
        mask |= EFL_IOPL;
    if (w == 1)
        mask &= 0xffff;
    eflags_set(c, (eflags_get(c) & ~(mask | EFL_RF)) | ((uint32_t)v & mask));
    return true;
}

/* -- CLI, STI ---------------------------------------------------------------------------------- */

/* Which flag CLI and STI act on: EFL_IF, EFL_VIF, or 0 where they fault. */
static uint32_t interrupt_flag(const struct cpu *c)
{
    if (c->cpl <= iopl(c))
        return EFL_IF;
    if (in_v86(c))
        return c->cr4 & CR4_VME ? EFL_VIF : 0;
    return c->cpl == 3 && c->cr4 & CR4_PVI ? EFL_VIF : 0;
}

OP_NONE(cli)
{
    uint32_t flag = interrupt_flag(c);
    (void)i;
    if (flag == 0)
        return cpu_raise_gp(c, 0);
    c->eflags &= ~flag;
    return true;
}

OP_NONE(sti)
{
    uint32_t flag = interrupt_flag(c);
    (void)i;
    if (flag == 0 || (flag == EFL_VIF && c->eflags & EFL_VIP))
        return cpu_raise_gp(c, 0);
    /* Interrupts stay off for one more instruction where they were off. */
    if (flag == EFL_IF && !(c->eflags & EFL_IF))
        c->shadow = true;
    c->eflags |= flag;
    run_stop(c);
    return true;
}

/* -- CLAC, STAC -------------------------------------------------------------------------------- */

OP_NONE(clac)
{
    (void)i;
    if (c->cpl != 0)
        return cpu_raise_ud(c);
    c->eflags &= ~EFL_AC;
    cpu_update_mode(c);
    return true;
}

OP_NONE(stac)
{
    (void)i;
    if (c->cpl != 0)
        return cpu_raise_ud(c);
    c->eflags |= EFL_AC;
    cpu_update_mode(c);
    return true;
}
