/* SPDX-License-Identifier: MIT */
/* Segment descriptors and registers (SDM 3A 3.4, 5.2-5.8; 2A/2B MOV, LLDT, LTR). Far transfers are
 * in far.c, delivery through gates in exception.c, task switches in task.c. */
#include "cpu/segment.h"

#include "cpu/exception.h"
#include "cpu/flags.h"
#include "cpu/mem.h"

/* -- Derived state ----------------------------------------------------------------------------- */

static bool is_expand_down(const struct seg *s)
{
    return (s->attr & (SEG_S | SEG_CODE | SEG_EC)) == (SEG_S | SEG_EC);
}

/* Ends for the fast checks. Real and virtual-8086 mode know no types: only the limit counts. */
static void derive_ends(const struct cpu *c, struct seg *s)
{
    uint64_t end = (uint64_t)s->limit + 1;
    if (c->mode & MODE_64) {
        s->rd_end = s->wr_end = UINT64_MAX;
        return;
    }
    if (!(c->mode & MODE_PE) || c->mode & MODE_V86) {
        s->rd_end = s->wr_end = end;
        return;
    }
    s->rd_end = s->wr_end = 0;
    if (!s->usable || is_expand_down(s))
        return;
    if (s->attr & SEG_CODE) {
        s->rd_end = s->attr & SEG_RW ? end : 0;
    } else {
        s->rd_end = end;
        s->wr_end = s->attr & SEG_RW ? end : 0;
    }
}

void seg_update(struct cpu *c, unsigned sreg)
{
    struct seg *s = &c->seg[sreg];
    if (sreg < SEG_FS)
        s->base = c->mode & MODE_64 ? 0 : s->desc_base;
    derive_ends(c, s);
}

static uint32_t mode_bits(const struct cpu *c)
{
    const struct seg *cs = &c->seg[SEG_CS], *ss = &c->seg[SEG_SS];
    uint32_t m = 0;
    if (c->cr0 & CR0_PE)
        m |= MODE_PE;
    if (c->eflags & EFL_VM && c->cr0 & CR0_PE)
        m |= MODE_V86;
    if (c->efer & EFER_LMA)
        m |= MODE_LMA;
    if (c->efer & EFER_LMA && cs->attr & SEG_L)
        m |= MODE_64;
    else if (cs->attr & SEG_DB)
        m |= MODE_CS32;
    if (ss->attr & SEG_DB)
        m |= MODE_SS32;
    return m;
}

/* The privilege level is SS.DPL: kept right for null selectors, real mode (0) and virtual-8086 (3).
 */
static unsigned current_level(const struct cpu *c)
{
    return (c->seg[SEG_SS].attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

static unsigned data_context(const struct cpu *c)
{
    if (c->cpl == 3)
        return c->cr0 & CR0_AM && c->eflags & EFL_AC ? MMU_NONE : MMU_USER;
    return c->eflags & EFL_AC ? MMU_KERNEL_AC : MMU_KERNEL;
}

void cpu_update_mode(struct cpu *c)
{
    uint32_t mode = mode_bits(c);
    c->cpl = (uint8_t)current_level(c);
    if (c->cpl == 3)
        mode |= MODE_USER;
    uint32_t changed = mode ^ c->mode;
    c->mode = mode;
    if (changed & ~mode & MODE_64) /* SDM 1 3.4.1.1: upper halves are not preserved */
        for (unsigned k = 0; k < 8; k++)
            c->r[k] = (uint32_t)c->r[k];
    if (changed & (MODE_64 | MODE_PE | MODE_V86))
        for (unsigned k = 0; k < SEG_COUNT; k++)
            seg_update(c, k);
    c->la_mask = mode & MODE_64 ? ~UINT64_C(0) : UINT64_C(0xffffffff);
    c->sp_mask = mode & MODE_64     ? ~UINT64_C(0)
                 : mode & MODE_SS32 ? UINT64_C(0xffffffff)
                                    : UINT64_C(0xffff);
    c->mmu = (uint8_t)data_context(c);
    c->tlb = &c->tlbs[c->mmu];
    c->single = c->eflags & EFL_TF || debug_has_code_breakpoints(c);
    c->run_end = NULL;
}

void eflags_set(struct cpu *c, uint32_t val)
{
    c->eflags = (val & EFL_DEFINED & ~EFL_ARITH) | EFL_FIXED;
    flags_set_arith(c, val);
    cpu_update_mode(c);
}

/* -- Checks of accesses ------------------------------------------------------------------------ */

bool seg_limit_allows(const struct seg *s, uint64_t off, unsigned n)
{
    if (is_expand_down(s)) {
        uint64_t top = s->attr & SEG_DB ? UINT64_C(0xffffffff) : UINT64_C(0xffff);
        return off > s->limit && off <= top && n - 1 <= top - off;
    }
    return s->limit == UINT32_MAX || (off <= s->limit && n - 1 <= s->limit - off);
}

static bool type_allows(const struct cpu *c, const struct seg *s, bool write)
{
    if (!(c->mode & MODE_PE) || c->mode & MODE_V86)
        return true;
    bool code = s->attr & SEG_CODE, rw = s->attr & SEG_RW;
    return s->usable && (write ? !code && rw : !code || rw);
}

bool seg_check(struct cpu *c, unsigned sreg, uint64_t off, unsigned n, bool write)
{
    const struct seg *s = &c->seg[sreg];
    if (c->mode & MODE_64 || (type_allows(c, s, write) && seg_limit_allows(s, off, n)))
        return true;
    return cpu_raise(c, sreg == SEG_SS ? VEC_SS : VEC_GP, 0);
}

/* -- Descriptors ------------------------------------------------------------------------------- */

static void desc_unpack(struct desc *d)
{
    d->attr = (uint16_t)(d->raw >> 40 & 0xf0ff);
    d->base = (d->raw >> 16 & 0xffffff) | (d->raw >> 56 << 24);
    d->limit = (uint32_t)((d->raw & 0xffff) | (d->raw >> 32 & 0xf0000));
    if (d->attr & SEG_G)
        d->limit = d->limit << 12 | 0xfff;
}

/* In long mode LDT, TSS and call gate descriptors have 16 bytes (SDM 3A 3.5.2, 5.8.3.1); the type
 * field of the upper half must be 0. */
static enum desc_status fetch_upper(struct cpu *c, uint16_t sel, uint64_t limit, struct desc *d)
{
    uint64_t upper;
    if ((uint64_t)(sel | 7) + 8 > limit)
        return DESC_NONE;
    if (!sys_read(c, d->la + 8, 8, &upper))
        return DESC_FAULT;
    if (upper >> 40 & 0x1f)
        return DESC_NONE;
    d->base |= upper << 32;
    return DESC_OK;
}

enum desc_status desc_fetch(struct cpu *c, uint16_t sel, struct desc *d)
{
    uint64_t base = c->gdt.base, limit = c->gdt.limit;
    if (sel_is_null(sel))
        return DESC_NONE;
    if (sel & 4) {
        if (!c->ldtr.usable)
            return DESC_NONE;
        base = c->ldtr.base;
        limit = c->ldtr.limit;
    }
    if ((uint64_t)(sel | 7) > limit)
        return DESC_NONE;
    d->la = base + (sel & 0xfff8);
    if (!sys_read(c, d->la, 8, &d->raw))
        return DESC_FAULT;
    desc_unpack(d);
    unsigned type = d->attr & SEG_TYPE;
    bool is_wide =
        type == DESC_LDT || type == DESC_TSS32 || type == DESC_TSS32_BUSY || type == DESC_CALL32;
    if (c->mode & MODE_LMA && !(d->attr & SEG_S) && is_wide)
        return fetch_upper(c, sel, limit, d);
    return DESC_OK;
}

bool desc_read(struct cpu *c, uint16_t sel, unsigned vec, struct desc *d)
{
    enum desc_status st = desc_fetch(c, sel, d);
    if (st == DESC_NONE)
        return cpu_raise(c, vec, sel_error(sel));
    return st == DESC_OK;
}

bool desc_set_accessed(struct cpu *c, struct desc *d)
{
    if (d->attr & SEG_A)
        return true;
    d->attr |= SEG_A;
    d->raw |= UINT64_C(1) << 40;
    return sys_write(c, d->la + 5, 1, d->attr & 0xff);
}

/* -- Segment registers ------------------------------------------------------------------------- */

struct seg seg_from_desc(uint16_t sel, const struct desc *d)
{
    return (struct seg){.base = d->base,
                        .limit = d->limit,
                        .sel = sel,
                        .attr = d->attr,
                        .desc_base = (uint32_t)d->base,
                        .usable = true};
}

void seg_set(struct cpu *c, unsigned sreg, uint16_t sel, const struct desc *d)
{
    struct seg *s = &c->seg[sreg];
    /* Field by field: one wide load of several narrow stores would wait for them. */
    s->base = d->base;
    s->limit = d->limit;
    s->sel = sel;
    s->attr = d->attr;
    s->desc_base = (uint32_t)d->base;
    s->usable = true;
    seg_update(c, sreg);
}

void seg_set_null(struct cpu *c, unsigned sreg, uint16_t sel, unsigned dpl)
{
    c->seg[sreg] = (struct seg){.sel = sel, .attr = (uint16_t)(dpl << SEG_DPL_SHIFT)};
    seg_update(c, sreg);
}

static void set_flat(struct cpu *c, unsigned sreg, uint16_t sel, uint16_t attr)
{
    struct seg *s = &c->seg[sreg];
    s->base = s->desc_base = 0;
    s->limit = 0xffffffff;
    s->sel = sel;
    s->attr = SEG_RW | SEG_A | SEG_S | SEG_P | SEG_G | attr;
    s->usable = true;
    seg_update(c, sreg);
}

void seg_set_flat(struct cpu *c, uint16_t cs, uint16_t ss, unsigned cpl, bool is64)
{
    unsigned dpl = cpl << SEG_DPL_SHIFT;
    set_flat(c, SEG_CS, cs, (uint16_t)(dpl | SEG_CODE | (is64 ? SEG_L : SEG_DB)));
    set_flat(c, SEG_SS, ss, (uint16_t)(dpl | SEG_DB));
}

#define SEG_ATTR_REAL (SEG_P | SEG_S | SEG_RW | SEG_A)

/* Limit, G and D/B stay, which is what makes "big real mode" work. */
void seg_load_real(struct cpu *c, unsigned sreg, uint16_t sel)
{
    struct seg *s = &c->seg[sreg];
    s->sel = sel;
    s->base = s->desc_base = (uint32_t)sel << 4;
    s->attr = (uint16_t)((s->attr & (SEG_G | SEG_DB)) | SEG_ATTR_REAL);
    s->usable = true;
    seg_update(c, sreg);
}

void seg_load_v86(struct cpu *c, unsigned sreg, uint16_t sel)
{
    c->seg[sreg] = (struct seg){.base = (uint32_t)sel << 4,
                                .desc_base = (uint32_t)sel << 4,
                                .limit = 0xffff,
                                .sel = sel,
                                .attr = SEG_ATTR_REAL | SEG_DPL,
                                .usable = true};
    seg_update(c, sreg);
}

bool seg_check_stack(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d)
{
    if (!desc_read(c, sel, vec, d))
        return false;
    if ((sel & 3u) != cpl || desc_dpl(d) != cpl || !desc_is_writable_data(d))
        return cpu_raise(c, vec, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_SS, sel_error(sel));
    return true;
}

bool seg_check_data(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d)
{
    if (!desc_read(c, sel, vec, d))
        return false;
    bool conforming = desc_is_code(d) && desc_is_conforming(d);
    if (!desc_is_readable(d) || (!conforming && (desc_dpl(d) < cpl || desc_dpl(d) < (sel & 3u))))
        return cpu_raise(c, vec, sel_error(sel));
    if (!(d->attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    return true;
}

static bool load_null(struct cpu *c, unsigned sreg, uint16_t sel)
{
    if (sreg == SEG_SS && (!(c->mode & MODE_64) || c->cpl == 3 || (sel & 3) != c->cpl))
        return cpu_raise_gp(c, 0);
    seg_set_null(c, sreg, sel, sreg == SEG_SS ? c->cpl : 0);
    return true;
}

bool seg_load(struct cpu *c, unsigned sreg, uint16_t sel)
{
    struct desc d;
    if (!(c->mode & MODE_PE)) {
        seg_load_real(c, sreg, sel);
    } else if (c->mode & MODE_V86) {
        seg_load_v86(c, sreg, sel);
    } else if (sel_is_null(sel)) {
        if (!load_null(c, sreg, sel))
            return false;
    } else {
        bool ok = sreg == SEG_SS ? seg_check_stack(c, sel, c->cpl, VEC_GP, &d)
                                 : seg_check_data(c, sel, c->cpl, VEC_GP, &d);
        if (!ok || !desc_set_accessed(c, &d))
            return false;
        seg_set(c, sreg, sel, &d);
    }
    if (sreg == SEG_SS)
        cpu_update_mode(c);
    return true;
}

void seg_drop_privileged(struct cpu *c, unsigned cpl)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned k = 0; k < sizeof(data); k++) {
        struct seg *s = &c->seg[data[k]];
        bool conforming = (s->attr & (SEG_CODE | SEG_EC)) == (SEG_CODE | SEG_EC);
        unsigned dpl = (s->attr & SEG_DPL) >> SEG_DPL_SHIFT;
        if (s->usable && !conforming && dpl < cpl) {
            s->sel = 0;
            s->usable = false;
            seg_update(c, data[k]);
        }
    }
}

/* -- LDTR and TR ------------------------------------------------------------------------------- */

bool seg_load_ldtr(struct cpu *c, uint16_t sel, unsigned vec)
{
    struct desc d;
    if (sel_is_null(sel)) {
        c->ldtr = (struct seg){.sel = sel};
        return true;
    }
    if (sel & 4)
        return cpu_raise(c, vec, sel_error(sel));
    if (!desc_read(c, sel, vec, &d))
        return false;
    if (desc_type(&d) != DESC_LDT)
        return cpu_raise(c, vec, sel_error(sel));
    if (!(d.attr & SEG_P))
        return cpu_raise(c, vec == VEC_TS ? VEC_TS : VEC_NP, sel_error(sel));
    if (c->mode & MODE_LMA && !is_canonical(d.base))
        return cpu_raise(c, vec, sel_error(sel));
    c->ldtr = seg_from_desc(sel, &d);
    return true;
}

bool seg_load_tr(struct cpu *c, uint16_t sel)
{
    struct desc d;
    if (sel_is_null(sel))
        return cpu_raise_gp(c, 0);
    if (sel & 4)
        return cpu_raise_gp(c, sel_error(sel));
    if (!desc_read(c, sel, VEC_GP, &d))
        return false;
    bool available =
        desc_type(&d) == DESC_TSS32 || (desc_type(&d) == DESC_TSS16 && !(c->mode & MODE_LMA));
    if (!available)
        return cpu_raise_gp(c, sel_error(sel));
    if (!(d.attr & SEG_P))
        return cpu_raise(c, VEC_NP, sel_error(sel));
    if (c->mode & MODE_LMA && !is_canonical(d.base))
        return cpu_raise_gp(c, sel_error(sel));
    d.attr |= DESC_BUSY;
    if (!sys_write(c, d.la + 5, 1, d.attr & 0xff))
        return false;
    c->tr = seg_from_desc(sel, &d);
    return true;
}

bool tss_read(struct cpu *c, unsigned off, unsigned n, unsigned vec, uint64_t *val)
{
    if (off + n - 1 > c->tr.limit)
        return cpu_raise(c, vec, sel_error(c->tr.sel));
    return sys_read(c, c->tr.base + off, n, val);
}
