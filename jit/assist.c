/* SPDX-License-Identifier: MIT */
/* Fast paths of system instructions (SDM 2A-2D). The interpreter's handlers in cpu/ define what
 * each does; here is what is left of it where nothing is unusual. */
#include <Zydis/Zydis.h>

#include "cpu/operands.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "cpu/system.h"
#include "jit/assist.h"
#include "jit/code.h"

/* -- Flags ------------------------------------------------------------------------------------- */

static uint32_t flags_now(const struct cpu *c)
{
    uint64_t v = c->scratch[X_FLAGS];
    return c->eflags | ((uint32_t)(v >> 8) & (EFL_ARITH & 0xff)) | (uint32_t)(v & 1) << 11;
}

/* All flags but those that do not exist; cpu_update_mode() is left to the caller. */
static void set_flags(struct cpu *c, uint32_t v)
{
    c->eflags = (v & ~(uint32_t)EFL_ARITH) | EFL_FIXED;
    c->scratch[X_FLAGS] = (uint64_t)(v & 0xff) << 8 | (v >> 11 & 1);
}

/* -- Fast system calls ------------------------------------------------------------------------- */

static bool assist_syscall(struct cpu *c, const struct insn *i)
{
    uint16_t cs = c->msr.star >> 32 & 0xfffc;
    uint32_t flags = flags_now(c) & ~EFL_RF;

    (void)i;
    if (!(c->mode & MODE_64) || !(c->efer & EFER_SCE))
        return false;
    c->r[RCX] = c->r[RIP];
    c->r[R11] = flags;
    c->r[RIP] = c->msr.lstar;
    seg_set_flat(c, cs, (uint16_t)(cs + 8), 0, true);
    set_flags(c, flags & ~(uint32_t)c->msr.fmask);
    cpu_update_mode(c);
    return true;
}

static bool assist_sysret(struct cpu *c, const struct insn *i)
{
    bool to64 = i->prefix & INSN_REXW;
    uint16_t base = (uint16_t)(c->msr.star >> 48);

    if (!(c->mode & MODE_64) || !(c->efer & EFER_SCE) || c->cpl != 0 ||
        (to64 && !is_canonical(c->r[RCX])))
        return false;
    c->r[RIP] = to64 ? c->r[RCX] : (uint32_t)c->r[RCX];
    seg_set_flat(c, (uint16_t)((base + (to64 ? 16 : 0)) | 3), (uint16_t)((base + 8) | 3), 3, to64);
    set_flags(c, (uint32_t)c->r[R11] & SYSRET_FLAGS);
    cpu_update_mode(c);
    return true;
}

static bool assist_sysenter(struct cpu *c, const struct insn *i)
{
    uint16_t cs = c->msr.sysenter_cs & 0xfffc;
    bool lma = c->mode & MODE_LMA;

    (void)i;
    if (!(c->mode & MODE_PE) || cs == 0)
        return false;
    c->r[RSP] = lma ? c->msr.sysenter_esp : (uint32_t)c->msr.sysenter_esp;
    c->r[RIP] = lma ? c->msr.sysenter_eip : (uint32_t)c->msr.sysenter_eip;
    seg_set_flat(c, cs, (uint16_t)(cs + 8), 0, lma);
    c->eflags &= ~(EFL_VM | EFL_IF | EFL_RF);
    cpu_update_mode(c);
    return true;
}

static bool assist_sysexit(struct cpu *c, const struct insn *i)
{
    uint16_t cs = c->msr.sysenter_cs & 0xfffc;
    bool to64 = i->prefix & INSN_REXW;

    if (!(c->mode & MODE_PE) || cs == 0 || c->cpl != 0 ||
        (to64 && (!is_canonical(c->r[RCX]) || !is_canonical(c->r[RDX]))))
        return false;
    cs = (uint16_t)(cs + (to64 ? 32 : 16));
    c->r[RSP] = to64 ? c->r[RCX] : (uint32_t)c->r[RCX];
    c->r[RIP] = to64 ? c->r[RDX] : (uint32_t)c->r[RDX];
    seg_set_flat(c, cs | 3, (uint16_t)((cs + 8) | 3), 3, to64);
    cpu_update_mode(c);
    return true;
}

/* -- Segment registers ------------------------------------------------------------------------- */

/* A descriptor of the GDT that has been used before: memory need not be written. */
static bool find_desc(struct cpu *c, uint16_t sel, struct desc *d)
{
    return !(sel & 4) && desc_fetch(c, sel, d) == DESC_OK && d->attr & SEG_P && d->attr & SEG_A;
}

static bool load_data(struct cpu *c, unsigned sreg, uint16_t sel)
{
    struct desc d;

    if (!(c->mode & MODE_PE)) {
        seg_load_real(c, sreg, sel);
    } else if (c->mode & MODE_V86) {
        seg_load_v86(c, sreg, sel);
    } else if (sel_is_null(sel)) {
        seg_set_null(c, sreg, sel, 0);
    } else {
        if (!find_desc(c, sel, &d) || (d.attr & (SEG_S | SEG_CODE)) != SEG_S ||
            desc_dpl(&d) < c->cpl || desc_dpl(&d) < (sel & 3u))
            return false;
        seg_set(c, sreg, sel, &d);
    }
    return true;
}

static bool assist_mov_to_segment(struct cpu *c, const struct insn *i)
{
    uint64_t sel;

    return src_load(c, i, 1, &sel) && load_data(c, i->dst, (uint16_t)sel);
}

/* -- Time -------------------------------------------------------------------------------------- */

static bool assist_rdtsc(struct cpu *c, const struct insn *i)
{
    uint64_t v;

    (void)i;
    if (c->cr4 & CR4_TSD && c->cpl != 0)
        return false;
    v = cpu_tsc(c);
    c->r[RAX] = (uint32_t)v;
    c->r[RDX] = v >> 32;
    return true;
}

static bool assist_rdtscp(struct cpu *c, const struct insn *i)
{
    if (!assist_rdtsc(c, i))
        return false;
    c->r[RCX] = (uint32_t)c->msr.tsc_aux;
    return true;
}

/* -- The table --------------------------------------------------------------------------------- */

#define M(name) ZYDIS_MNEMONIC_##name

static const struct assist assists[] = {
    {M(SYSCALL), assist_syscall, AFTER_LOOK, true},
    {M(SYSRET), assist_sysret, AFTER_LOOK, true},
    {M(SYSENTER), assist_sysenter, AFTER_LOOK, true},
    {M(SYSEXIT), assist_sysexit, AFTER_LOOK, true},
    {M(RDTSC), assist_rdtsc, AFTER_NEXT, false},
    {M(RDTSCP), assist_rdtscp, AFTER_NEXT, false},
};

static const struct assist mov_to_segment = {M(MOV), assist_mov_to_segment, AFTER_LOOK, true};

const struct assist *assist_of(uint16_t mnemonic, const struct row_info *row)
{
    for (unsigned k = 0; k < sizeof(assists) / sizeof(assists[0]); k++)
        if (assists[k].mnemonic == mnemonic)
            return &assists[k];
    if (mnemonic == M(MOV) && row->count != 0 && row->operand[0].kind == K_S)
        return &mov_to_segment;
    return NULL;
}
