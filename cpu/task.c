/* SPDX-License-Identifier: MIT */
/* Hardware task switching with 16- and 32-bit TSSs (SDM 3A chapter 7). Legacy protected mode only:
 * long mode has none, and its callers never come here.
 *
 * Everything that can fault in the old task is read or probed first. From load_state() on the new
 * task is current: faults of its segment registers are faults of the new task. */
#include "cpu/task.h"

#include "cpu/exception.h"
#include "cpu/far.h"
#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/rehearsal.h"
#include "cpu/stack.h"

#define TSS16_MIN_LIMIT 0x2bu
#define TSS32_MIN_LIMIT 0x67u

/* Where a TSS keeps what. ORDER gpr and ORDER seg */
struct tss_layout {
    uint8_t w; /* log2 of the size of registers */
    uint8_t eip, eflags, gpr, seg, seg_count, seg_step, ldt;
    uint8_t save_from, save_n; /* the part that a switch writes */
    uint16_t min_limit;
};

static const struct tss_layout layout16 = {1, 0x0e, 0x10, 0x12, 0x22,           4,
                                           2, 0x2a, 0x0e, 0x1c, TSS16_MIN_LIMIT};
static const struct tss_layout layout32 = {2, 0x20, 0x24, 0x28, 0x48,           6,
                                           4, 0x60, 0x20, 0x3e, TSS32_MIN_LIMIT};

static const struct tss_layout *layout_of(uint16_t attr)
{
    return attr & 8 ? &layout32 : &layout16;
}

/* What a TSS holds for a task that is not running. */
struct task_state {
    uint64_t cr3, eip, eflags, gpr[8], sel[6], ldt;
    bool trap;
};

/* -- Reading and writing TSSs ------------------------------------------------------------------ */

static bool read_state(struct cpu *c, const struct desc *tss, struct task_state *t)
{
    const struct tss_layout *l = layout_of(tss->attr);
    unsigned n = 1u << l->w;
    uint64_t trap = 0;
    *t = (struct task_state){.cr3 = c->cr3};
    if (!sys_read(c, tss->base + l->eip, n, &t->eip) ||
        !sys_read(c, tss->base + l->eflags, n, &t->eflags) ||
        !sys_read(c, tss->base + l->ldt, 2, &t->ldt))
        return false;
    for (unsigned k = 0; k < 8; k++)
        if (!sys_read(c, tss->base + l->gpr + k * n, n, &t->gpr[k]))
            return false;
    for (unsigned k = 0; k < l->seg_count; k++)
        if (!sys_read(c, tss->base + l->seg + k * l->seg_step, 2, &t->sel[k]))
            return false;
    if (l == &layout16)
        return true;
    if (!sys_read(c, tss->base + 0x64, 2, &trap))
        return false;
    t->trap = trap & 1;
    return !(c->cr0 & CR0_PG) || sys_read(c, tss->base + 0x1c, 4, &t->cr3);
}

static bool probe_save(struct cpu *c)
{
    const struct tss_layout *l = layout_of(c->tr.attr);
    return sys_probe_write(c, c->tr.base + l->save_from, l->save_n);
}

/* The dynamic fields of the old task. probe_save() has made sure that nothing here faults. */
static void save_state(struct cpu *c, uint32_t eflags)
{
    const struct tss_layout *l = layout_of(c->tr.attr);
    uint64_t base = c->tr.base;
    unsigned n = 1u << l->w;
    (void)sys_write(c, base + l->eip, n, c->r[RIP]);
    (void)sys_write(c, base + l->eflags, n, eflags);
    for (unsigned k = 0; k < 8; k++)
        (void)sys_write(c, base + l->gpr + k * n, n, c->r[k]);
    for (unsigned k = 0; k < l->seg_count; k++)
        (void)sys_write(c, base + l->seg + k * l->seg_step, 2, c->seg[k].sel);
}

static uint64_t gdt_entry(const struct cpu *c, uint16_t sel)
{
    return c->gdt.base + (sel & 0xfff8);
}

static void set_busy(struct cpu *c, uint16_t sel, bool busy)
{
    uint64_t v, la = gdt_entry(c, sel) + 5;
    if (!sys_read(c, la, 1, &v))
        return;
    v = busy ? v | DESC_BUSY : v & ~(uint64_t)DESC_BUSY;
    (void)sys_write(c, la, 1, v);
}

/* -- Loading the new task ---------------------------------------------------------------------- */

/* The address space of the new task. */
static bool load_cr3(struct cpu *c, uint64_t cr3)
{
    if (!(c->cr0 & CR0_PG))
        return true;
    if (c->cr4 & CR4_PAE && !paging_load_pdptes(c, cr3))
        return false;
    c->cr3 = cr3;
    tlb_enter_space(c, false);
    return true;
}

/* Registers and selectors, with the segments still unusable. */
static void load_registers(struct cpu *c, const struct task_state *t, const struct tss_layout *l)
{
    for (unsigned k = 0; k < 8; k++)
        c->r[k] = l->w == 2 ? t->gpr[k] : t->gpr[k] | 0xffff0000u;
    c->r[RIP] = t->eip;
    unsigned cpl = t->sel[SEG_CS] & 3;
    for (unsigned k = 0; k < SEG_COUNT; k++)
        seg_set_null(c, k, (uint16_t)t->sel[k], k == SEG_SS ? cpl : 0);
    c->ldtr = (struct seg){.sel = (uint16_t)t->ldt};
}

static bool load_task_code(struct cpu *c, uint16_t sel)
{
    struct desc d;
    unsigned rpl = sel & 3;
    if (sel_is_null(sel))
        return cpu_raise(c, VEC_TS, 0);
    if (!desc_read(c, sel, VEC_TS, &d))
        return false;
    if (!desc_is_code(&d) || (desc_is_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
        return cpu_raise(c, VEC_TS, sel_error(sel));
    if (!(d.attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    if (!desc_set_accessed(c, &d))
        return false;
    seg_set(c, SEG_CS, sel, &d);
    return true;
}

static bool load_task_stack(struct cpu *c, uint16_t sel, unsigned cpl)
{
    struct desc d;
    if (sel_is_null(sel))
        return cpu_raise(c, VEC_TS, 0);
    if (!seg_check_stack(c, sel, cpl, VEC_TS, &d) || !desc_set_accessed(c, &d))
        return false;
    seg_set(c, SEG_SS, sel, &d);
    return true;
}

static bool load_task_data(struct cpu *c, unsigned sreg, uint16_t sel, unsigned cpl)
{
    struct desc d;
    if (sel_is_null(sel))
        return true;
    if (!seg_check_data(c, sel, cpl, VEC_TS, &d) || !desc_set_accessed(c, &d))
        return false;
    seg_set(c, sreg, sel, &d);
    return true;
}

static bool load_segments(struct cpu *c, const struct task_state *t)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    unsigned cpl = t->sel[SEG_CS] & 3;
    if (!seg_load_ldtr(c, (uint16_t)t->ldt, VEC_TS))
        return false;
    if (c->eflags & EFL_VM) {
        for (unsigned k = 0; k < SEG_COUNT; k++)
            seg_load_v86(c, k, (uint16_t)t->sel[k]);
        return true;
    }
    if (!load_task_code(c, (uint16_t)t->sel[SEG_CS]) ||
        !load_task_stack(c, (uint16_t)t->sel[SEG_SS], cpl))
        return false;
    for (unsigned k = 0; k < sizeof(data); k++)
        if (!load_task_data(c, data[k], (uint16_t)t->sel[data[k]], cpl))
            return false;
    return true;
}

/* In the new task, as its first acts: segments, the error code of an exception, the limit check. */
static bool enter_task(struct cpu *c, const struct task_state *t, const struct tss_layout *l,
                       const uint32_t *err)
{
    bool ok = load_segments(c, t);
    cpu_update_mode(c);
    if (!ok)
        return false;
    if (err != NULL) {
        struct stack st = stack_current(c);
        if (!stack_push(c, &st, l->w, *err))
            return false;
        stack_commit_same(c, &st);
    }
    if (c->r[RIP] > c->seg[SEG_CS].limit)
        return cpu_raise_gp(c, 0);
    return true;
}

/* -- The switch -------------------------------------------------------------------------------- */

static bool is_nested(enum task_reason reason)
{
    return reason == TASK_CALL || reason == TASK_INT;
}

/* Everything that the switch reads and writes: the old state, the new one, the link, busy bits. */
static bool check_before(struct cpu *c, uint16_t sel, const struct desc *tss,
                         enum task_reason reason, struct task_state *t)
{
    const struct tss_layout *l = layout_of(tss->attr);
    if (tss->limit < l->min_limit)
        return cpu_raise(c, VEC_TS, sel_error(sel));
    if (c->tr.limit < layout_of(c->tr.attr)->min_limit)
        return cpu_raise(c, VEC_TS, sel_error(c->tr.sel));
    return probe_save(c) && read_state(c, tss, t) &&
           (!is_nested(reason) || sys_probe_write(c, tss->base, 2)) &&
           (reason == TASK_IRET || sys_probe_write(c, gdt_entry(c, sel) + 5, 1)) &&
           (is_nested(reason) || sys_probe_write(c, gdt_entry(c, c->tr.sel) + 5, 1));
}

enum task_result task_switch(struct cpu *c, uint16_t sel, struct desc *tss, enum task_reason reason,
                             const uint32_t *err)
{
    const struct tss_layout *l = layout_of(tss->attr);
    bool nested = is_nested(reason);
    uint32_t old_flags = eflags_get(c);
    struct task_state t;
    if (rehearsal_refuses(c) || !check_before(c, sel, tss, reason, &t))
        return TASK_FAULT;
    if (!nested)
        set_busy(c, c->tr.sel, false);
    if (reason == TASK_IRET)
        old_flags &= ~EFL_NT;
    save_state(c, old_flags);
    if (nested) {
        (void)sys_write(c, tss->base, 2, c->tr.sel);
        t.eflags |= EFL_NT;
    }
    if (reason != TASK_IRET)
        set_busy(c, sel, true);
    tss->attr |= DESC_BUSY;
    c->tr = seg_from_desc(sel, tss);
    c->cr0 |= CR0_TS;
    c->dr[7] &= ~UINT64_C(0x155); /* L0-L3 and LE */
    bool ok = load_cr3(c, t.cr3);
    load_registers(c, &t, l);
    eflags_set(c, l->w == 1 ? (uint32_t)t.eflags & 0xffff : (uint32_t)t.eflags);
    debug_update(c);
    if (t.trap)
        c->db_pending |= DR6_BT;
    return ok && enter_task(c, &t, l, err) ? TASK_DONE : TASK_FAULT_INSIDE;
}

enum task_result task_gate(struct cpu *c, const struct desc *gate, enum task_reason reason,
                           const uint32_t *err)
{
    uint16_t sel = (uint16_t)(gate->raw >> 16);
    struct desc tss;
    bool ok;
    if (sel & 4)
        ok = cpu_raise_gp(c, sel_error(sel));
    else
        ok = desc_read(c, sel, VEC_GP, &tss);
    if (!ok)
        return TASK_FAULT;
    if (desc_type(&tss) != DESC_TSS16 && desc_type(&tss) != DESC_TSS32)
        ok = cpu_raise_gp(c, sel_error(sel));
    else if (!(tss.attr & SEG_P))
        ok = cpu_raise(c, VEC_NP, sel_error(sel));
    return ok ? task_switch(c, sel, &tss, reason, err) : TASK_FAULT;
}

bool task_finish(struct cpu *c, enum task_result r)
{
    if (r == TASK_FAULT_INSIDE) {
        c->fault_pending = true;
        c->shadow = true;
        c->run_end = NULL;
    }
    return r != TASK_FAULT;
}
