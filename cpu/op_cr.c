/* SPDX-License-Identifier: MIT */
/* Control and debug registers (SDM 3A 2.5, 3B 17.2; 2B MOV to and from control and debug
 * registers), and what invalidates translations. */
#include "cpu/exception.h"
#include "cpu/isa.h"
#include "cpu/ops.h"
#include "cpu/system.h"

static unsigned reg_width(const struct cpu *c)
{
    return c->mode & MODE_64 ? 3 : 2;
}

static bool at_level0(struct cpu *c)
{
    return c->cpl == 0 || cpu_raise_gp(c, 0);
}

/* -- CR0 --------------------------------------------------------------------------------------- */

#define CR0_KNOWN                                                                                  \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)

/* Turning paging on with EFER.LME activates long mode, turning it off leaves it (SDM 3A 9.8.5). */
static bool check_paging_change(struct cpu *c, uint64_t v, uint64_t *efer)
{
    bool on = v & CR0_PG, was_on = c->cr0 & CR0_PG;
    *efer = c->efer;
    if (on && !was_on && c->efer & EFER_LME) {
        if (!(c->cr4 & CR4_PAE) || c->seg[SEG_CS].attr & SEG_L)
            return cpu_raise_gp(c, 0);
        *efer |= EFER_LMA;
    }
    if (!on && was_on) {
        if (c->mode & MODE_64 || c->cr4 & CR4_PCIDE)
            return cpu_raise_gp(c, 0);
        *efer &= ~(uint64_t)EFER_LMA;
    }
    return true;
}

static bool write_cr0(struct cpu *c, uint64_t v)
{
    uint64_t efer;
    if (v >> 32 || (v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD)))
        return cpu_raise_gp(c, 0);
    v = (v & CR0_KNOWN) | CR0_ET;
    if (!check_paging_change(c, v, &efer))
        return false;
    uint64_t changed = v ^ c->cr0;
    bool pae = v & CR0_PG && c->cr4 & CR4_PAE && !(efer & EFER_LMA);
    if (pae && changed & (CR0_PG | CR0_CD | CR0_NW) && !paging_load_pdptes(c, c->cr3))
        return false;
    c->cr0 = v;
    c->efer = efer;
    if (changed & (CR0_PG | CR0_PE | CR0_WP))
        tlb_flush_all(c);
    cpu_update_mode(c);
    return true;
}

/* -- CR3, CR4, CR8 ----------------------------------------------------------------------------- */

#define CR3_NO_FLUSH (UINT64_C(1) << 63)

/* The translation cache has no PCID tags, so bit 63 ("keep the entries of the new PCID"), which
 * permits but does not demand, matters to the translator only. */
static bool write_cr3(struct cpu *c, uint64_t v)
{
    bool keep = c->cr4 & CR4_PCIDE && v & CR3_NO_FLUSH;
    if (keep)
        v &= ~CR3_NO_FLUSH;
    if (c->mode & MODE_LMA && v >> CPU_PHYS_BITS)
        return cpu_raise_gp(c, 0);
    if (c->cr0 & CR0_PG && c->cr4 & CR4_PAE && !(c->mode & MODE_LMA) && !paging_load_pdptes(c, v))
        return false;
    c->cr3 = v;
    tlb_enter_space(c, keep);
    run_stop(c);
    return true;
}

static uint64_t cr4_allowed(const struct cpu *c)
{
    static const struct {
        uint32_t bits;
        uint8_t isa;
    } rules[] = {
        {CR4_VME | CR4_PVI, ISA_VME}, {CR4_TSD, ISA_TSC},       {CR4_DE, ISA_DE},
        {CR4_PSE, ISA_PSE},           {CR4_PAE, ISA_PAE},       {CR4_MCE, ISA_MCE},
        {CR4_PGE, ISA_PGE},           {CR4_PCE, ISA_P6},        {CR4_OSFXSR, ISA_FXSR},
        {CR4_OSXMMEXCPT, ISA_SSE},    {CR4_UMIP, ISA_UMIP},     {CR4_FSGSBASE, ISA_FSGSBASE},
        {CR4_PCIDE, ISA_PCID},        {CR4_OSXSAVE, ISA_XSAVE}, {CR4_SMEP, ISA_SMEP},
        {CR4_SMAP, ISA_SMAP},         {CR4_PKE, ISA_PKU},       {CR4_PKS, ISA_PKS},
    };
    uint64_t allowed = 0;
    for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++)
        if (CPU_HAS(c, rules[k].isa))
            allowed |= rules[k].bits;
    return allowed;
}

static bool write_cr4(struct cpu *c, uint64_t v)
{
    uint64_t changed = v ^ c->cr4;
    if (v & ~cr4_allowed(c) || (c->mode & MODE_LMA && !(v & CR4_PAE)))
        return cpu_raise_gp(c, 0);
    if (changed & v & CR4_PCIDE && (!(c->mode & MODE_LMA) || c->cr3 & 0xfff))
        return cpu_raise_gp(c, 0);
    bool pae = c->cr0 & CR0_PG && v & CR4_PAE && !(c->mode & MODE_LMA);
    if (pae && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) && !paging_load_pdptes(c, c->cr3))
        return false;
    c->cr4 = v;
    if (changed &
        (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS))
        tlb_flush_all(c);
    cpu_update_mode(c);
    return true;
}

static bool write_cr8(struct cpu *c, uint64_t v)
{
    if (v > 15)
        return cpu_raise_gp(c, 0);
    apic_tpr_write(c, (uint8_t)v);
    run_stop(c);
    return true;
}

OP_NONE(mov_cr_read)
{
    uint64_t v;
    if (!at_level0(c))
        return false;
    switch (i->src) {
    case 0: v = c->cr0; break;
    case 2: v = c->cr2; break;
    case 3: v = c->cr3; break;
    case 4: v = c->cr4; break;
    case 8: v = apic_tpr_read(c); break;
    default: return cpu_raise_ud(c);
    }
    reg_set(c, i->dst, reg_width(c), v);
    return true;
}

OP_NONE(mov_cr_write)
{
    uint64_t v = reg_get(c, i->src, reg_width(c));
    if (!at_level0(c))
        return false;
    switch (i->dst) {
    case 0: return write_cr0(c, v);
    case 2: c->cr2 = v; return true;
    case 3: return write_cr3(c, v);
    case 4: return CPU_HAS(c, ISA_CPUID) ? write_cr4(c, v) : cpu_raise_ud(c);
    case 8: return write_cr8(c, v);
    default: return cpu_raise_ud(c);
    }
}

OP_NONE(clts)
{
    (void)i;
    if (!at_level0(c))
        return false;
    c->cr0 &= ~(uint64_t)CR0_TS;
    run_stop(c);
    return true;
}

/* PE can be set but not cleared. */
OP_NONE(lmsw)
{
    uint64_t v;
    if (!at_level0(c) || !src_load(c, i, 1, &v))
        return false;
    v = (v & 15) | (c->cr0 & CR0_PE);
    return write_cr0(c, (c->cr0 & ~UINT64_C(15)) | v);
}

OP_NONE(smsw)
{
    if (c->cr4 & CR4_UMIP && !at_level0(c))
        return false;
    if (i->mem)
        return mem_store(c, i, 1, c->cr0);
    reg_set(c, i->dst, i->osz, c->cr0);
    return true;
}

/* -- Debug registers --------------------------------------------------------------------------- */

#define DR7_KNOWN 0xffff23ffu
#define DR6_KNOWN 0x0000e00fu

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; with DR7.GD every access traps. */
static bool dr_access(struct cpu *c, unsigned *n)
{
    if (*n >= 8 || ((*n == 4 || *n == 5) && c->cr4 & CR4_DE))
        return cpu_raise_ud(c);
    if (!at_level0(c))
        return false;
    if (c->dr[7] & DR7_GD)
        return cpu_raise(c, VEC_DB, DR6_BD);
    if (*n == 4 || *n == 5)
        *n += 2;
    return true;
}

OP_NONE(mov_dr_read)
{
    unsigned n = i->src;
    if (!dr_access(c, &n))
        return false;
    reg_set(c, i->dst, reg_width(c), c->dr[n]);
    return true;
}

OP_NONE(mov_dr_write)
{
    unsigned n = i->dst;
    uint64_t v = reg_get(c, i->src, reg_width(c));
    if (!dr_access(c, &n))
        return false;
    if (n >= 6 && v >> 32)
        return cpu_raise_gp(c, 0);
    if (n == 6) {
        c->dr[6] = (v & DR6_KNOWN) | DR6_FIXED;
        return true;
    }
    bool active = c->dr[7] & 0xff;
    c->dr[n] = n == 7 ? (v & DR7_KNOWN) | DR7_FIXED : v;
    if (active || c->dr[7] & 0xff)
        debug_update(c);
    return true;
}

/* -- Translations and caches ------------------------------------------------------------------- */

OP_NONE(invlpg)
{
    if (!at_level0(c))
        return false;
    tlb_flush_page(c, (c->seg[i->seg].base + ea(c, i)) & c->la_mask);
    run_stop(c);
    return true;
}

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL, INVPCID_ALL_NONGLOBAL };

OP_NONE(invpcid)
{
    uint64_t d[2];
    uint64_t type = reg_get(c, i->dst, reg_width(c));
    if (!at_level0(c) || !mem_read_bytes(c, i->seg, ea(c, i), d, 16))
        return false;
    if (type > INVPCID_ALL_NONGLOBAL || d[0] >> 12)
        return cpu_raise_gp(c, 0);
    if (type <= INVPCID_CONTEXT && d[0] != 0 && !(c->cr4 & CR4_PCIDE))
        return cpu_raise_gp(c, 0);
    if (type == INVPCID_ADDRESS && !is_canonical(d[1]))
        return cpu_raise_gp(c, 0);
    bool current = d[0] == (c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0);
    if (type == INVPCID_ALL)
        tlb_flush_all(c);
    else if (type == INVPCID_ALL_NONGLOBAL)
        tlb_flush_nonglobal(c);
    else if (!current)
        tlb_flush_space(c, (uint16_t)d[0]);
    else if (type == INVPCID_ADDRESS)
        tlb_flush_page(c, d[1]);
    else
        tlb_enter_space(c, false);
    run_stop(c);
    return true;
}

OP_NONE(invd)
{
    (void)i;
    return at_level0(c);
}

OP_NONE(wbinvd)
{
    (void)i;
    return at_level0(c);
}

/* There are no caches; the address must be readable. */
OP_NONE(clflush)
{
    return mem_probe(c, i->seg, ea(c, i), 1, false);
}
