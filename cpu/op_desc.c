/* SPDX-License-Identifier: MIT */
/* Descriptor tables and questions about descriptors: LGDT... STR, LAR, LSL, VERR, VERW, ARPL (SDM
 * 2A, 2B; 3A 5.10). */
#include "cpu/exception.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

static bool in_protected_mode(struct cpu *c)
{
    if (c->mode & MODE_PE && !(c->mode & MODE_V86))
        return true;
    return cpu_raise_ud(c);
}

static bool at_level0(struct cpu *c)
{
    return c->cpl == 0 || cpu_raise_gp(c, 0);
}

/* User-mode instruction prevention: SGDT, SIDT, SLDT, STR, SMSW. */
static bool umip_allows(struct cpu *c)
{
    return !(c->cr4 & CR4_UMIP) || at_level0(c);
}

/* -- GDTR and IDTR ----------------------------------------------------------------------------- */

static bool store_table(struct cpu *c, const struct insn *i, const struct dtable *t)
{
    uint8_t image[10];
    if (!umip_allows(c))
        return false;
    memcpy(image, &t->limit, 2);
    memcpy(image + 2, &t->base, 8);
    return mem_write_bytes(c, i->seg, ea(c, i), image, c->mode & MODE_64 ? 10 : 6);
}

static bool load_table(struct cpu *c, const struct insn *i, struct dtable *t)
{
    uint8_t image[10] = {0};
    uint64_t base;
    if (!at_level0(c) || !mem_read_bytes(c, i->seg, ea(c, i), image, c->mode & MODE_64 ? 10 : 6))
        return false;
    memcpy(&base, image + 2, 8);
    if (c->mode & MODE_64 && !is_canonical(base))
        return cpu_raise_gp(c, 0);
    /* A 16-bit operand size loads 24 bits. */
    if (!(c->mode & MODE_64) && i->osz == 1)
        base &= 0xffffff;
    memcpy(&t->limit, image, 2);
    t->base = base;
    return true;
}

OP_NONE(sgdt)
{
    return store_table(c, i, &c->gdt);
}
OP_NONE(sidt)
{
    return store_table(c, i, &c->idt);
}
OP_NONE(lgdt)
{
    return load_table(c, i, &c->gdt);
}
OP_NONE(lidt)
{
    return load_table(c, i, &c->idt);
}

/* -- LDTR and TR ------------------------------------------------------------------------------- */

/* A selector to memory (16 bits) or to a register (zero-extended). */
static bool store_selector(struct cpu *c, const struct insn *i, uint16_t sel)
{
    if (!in_protected_mode(c) || !umip_allows(c))
        return false;
    if (i->mem)
        return mem_store(c, i, 1, sel);
    reg_set(c, i->dst, i->osz, sel);
    return true;
}

OP_NONE(sldt)
{
    return store_selector(c, i, c->ldtr.sel);
}
OP_NONE(str)
{
    return store_selector(c, i, c->tr.sel);
}

OP_NONE(lldt)
{
    uint64_t v;
    return in_protected_mode(c) && at_level0(c) && src_load(c, i, 1, &v) &&
           seg_load_ldtr(c, (uint16_t)v, VEC_GP);
}

OP_NONE(ltr)
{
    uint64_t v;
    return in_protected_mode(c) && at_level0(c) && src_load(c, i, 1, &v) &&
           seg_load_tr(c, (uint16_t)v);
}

/* -- Questions --------------------------------------------------------------------------------- */

static void set_zf(struct cpu *c, bool z)
{
    c->f.zero = !z;
}

/* Is the descriptor visible at this CPL and RPL? */
static bool is_visible(const struct cpu *c, uint16_t sel, const struct desc *d)
{
    if (desc_is_code(d) && desc_is_conforming(d))
        return true;
    return desc_dpl(d) >= c->cpl && desc_dpl(d) >= (sel & 3u);
}

static bool verify(struct cpu *c, const struct insn *i, bool write)
{
    uint64_t v;
    struct desc d;
    if (!in_protected_mode(c) || !src_load(c, i, 1, &v))
        return false;
    uint16_t sel = (uint16_t)v;
    enum desc_status st = desc_fetch(c, sel, &d);
    if (st == DESC_FAULT)
        return false;
    bool ok = st == DESC_OK && is_visible(c, sel, &d);
    set_zf(c, ok && (write ? desc_is_writable_data(&d) : desc_is_readable(&d)));
    return true;
}

OP_NONE(verr)
{
    return verify(c, i, false);
}
OP_NONE(verw)
{
    return verify(c, i, true);
}

/* System descriptors that LAR and LSL know, as bit sets of types: all modes, and long mode. */
#define LAR_TYPES                                                                                  \
    ((1u << 1) | (1u << 2) | (1u << 3) | (1u << 4) | (1u << 5) | (1u << 9) | (1u << 11) |          \
     (1u << 12))
#define LAR_TYPES64 ((1u << 2) | (1u << 9) | (1u << 11) | (1u << 12))
#define LSL_TYPES   ((1u << 1) | (1u << 2) | (1u << 3) | (1u << 9) | (1u << 11))
#define LSL_TYPES64 ((1u << 2) | (1u << 9) | (1u << 11))

/* The descriptor that LAR or LSL asks about; *ok: it exists, is of a known type and visible. */
static bool ask(struct cpu *c, const struct insn *i, uint32_t types, struct desc *d, bool *ok)
{
    uint64_t v;
    if (!in_protected_mode(c) || !src_load(c, i, 1, &v))
        return false;
    uint16_t sel = (uint16_t)v;
    enum desc_status st = desc_fetch(c, sel, d);
    if (st == DESC_FAULT)
        return false;
    *ok = st == DESC_OK && (d->attr & SEG_S || types >> (d->attr & SEG_TYPE) & 1) &&
          is_visible(c, sel, d);
    set_zf(c, *ok);
    return true;
}

/* Bits 16-19 are undefined (SDM 2A LAR); processors leave those of the limit in them. */
#define LAR_MASK 0x00ffff00u

OP_WIDTH(lar)
{
    struct desc d;
    bool ok;
    if (!ask(c, i, c->mode & MODE_LMA ? LAR_TYPES64 : LAR_TYPES, &d, &ok))
        return false;
    if (ok)
        reg_set(c, i->dst, w, d.raw >> 32 & (w == 1 ? 0xff00u : LAR_MASK));
    return true;
}

OP_WIDTH(lsl)
{
    struct desc d;
    bool ok;
    if (!ask(c, i, c->mode & MODE_LMA ? LSL_TYPES64 : LSL_TYPES, &d, &ok))
        return false;
    if (ok)
        reg_set(c, i->dst, w, d.limit);
    return true;
}

/* Raise the RPL of a selector to that of another. */
OP_BINARY(arpl)
{
    uint64_t v = reg_get(c, i->dst, 1);
    (void)w;
    uint64_t rpl = reg_get(c, i->src, 1) & 3;
    if (!in_protected_mode(c))
        return false;
    if (form == FORM_MR && !mem_load(c, i, 1, &v))
        return false;
    bool raise = (v & 3) < rpl;
    /* Without a change memory need not be writable. */
    if (raise && !dst_store(c, i, 1, (v & 0xfffc) | rpl))
        return false;
    set_zf(c, raise);
    return true;
}
