/* SPDX-License-Identifier: MIT */
/* What the interpreter's handlers of system instructions do, without what surrounds a handler. */
#include <Zydis/Zydis.h>

#include "cpu/far.h"
#include "cpu/operands.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "cpu/system.h"
#include "jit/assist.h"
#include "jit/code.h"

/* -- Flags ------------------------------------------------------------------------------------- */

uint32_t assist_flags(const struct cpu *c)
{
    uint64_t v = c->scratch[X_FLAGS];
    return c->eflags | ((uint32_t)(v >> 8) & (EFL_ARITH & 0xff)) | (uint32_t)(v & 1) << 11;
}

void assist_set_flags(struct cpu *c, uint32_t v)
{
    c->eflags = (v & EFL_DEFINED & ~EFL_ARITH) | EFL_FIXED;
    c->scratch[X_FLAGS] = (uint64_t)(v & 0xff) << 8 | (v >> 11 & 1);
}

static bool go_on_with(struct cpu *c, uint32_t flags)
{
    assist_set_flags(c, flags);
    cpu_update_mode(c);
    return true;
}

/* -- Transfers between privilege levels -------------------------------------------------------- */

static bool assist_syscall(struct cpu *c, const struct insn *i)
{
    uint32_t flags = assist_flags(c);

    (void)i;
    if (!syscall_enabled(c))
        return false;
    syscall_enter(c, &flags);
    return go_on_with(c, flags);
}

static bool assist_sysret(struct cpu *c, const struct insn *i)
{
    uint32_t flags;

    return syscall_enabled(c) && syscall_return(c, i->prefix & INSN_REXW, &flags) &&
           go_on_with(c, flags);
}

static bool assist_sysenter(struct cpu *c, const struct insn *i)
{
    (void)i;
    return sysenter_enter(c);
}

static bool assist_sysexit(struct cpu *c, const struct insn *i)
{
    return sysenter_return(c, i->prefix & INSN_REXW);
}

static bool assist_iret(struct cpu *c, const struct insn *i)
{
    uint32_t flags = assist_flags(c);

    return !(c->eflags & EFL_NT) && far_iret(c, i->osz, &flags) && go_on_with(c, flags);
}

/* -- Segment registers ------------------------------------------------------------------------- */

static bool assist_mov_to_segment(struct cpu *c, const struct insn *i)
{
    uint64_t sel;

    return src_load(c, i, 1, &sel) && seg_load(c, i->dst, (uint16_t)sel);
}

static bool assist_pop_segment(struct cpu *c, const struct insn *i)
{
    uint64_t sel;

    if (!stack_peek(c, i->osz, 0, &sel) || !seg_load(c, i->dst, (uint16_t)sel))
        return false;
    sp_set(c, c->r[RSP] + (1u << i->osz));
    return true;
}

/* -- Bases of FS and GS ------------------------------------------------------------------------ */

/* The base that an MSR is in 64-bit mode, or NULL: others matter less. */
static uint64_t *base_of(struct cpu *c)
{
    if (!(c->mode & MODE_64) || c->cpl != 0)
        return NULL;
    switch ((uint32_t)c->r[RCX]) {
    case MSR_FS_BASE: return &c->seg[SEG_FS].base;
    case MSR_GS_BASE: return &c->seg[SEG_GS].base;
    case MSR_KERNEL_GS_BASE: return &c->msr.kernel_gs_base;
    default: return NULL;
    }
}

static bool assist_rdmsr(struct cpu *c, const struct insn *i)
{
    const uint64_t *base = base_of(c);

    (void)i;
    if (base == NULL)
        return false;
    c->r[RAX] = (uint32_t)*base;
    c->r[RDX] = *base >> 32;
    return true;
}

static bool assist_wrmsr(struct cpu *c, const struct insn *i)
{
    uint64_t *base = base_of(c), v = (uint32_t)c->r[RAX] | c->r[RDX] << 32;

    (void)i;
    if (base == NULL || !is_canonical(v))
        return false;
    *base = v;
    return true;
}

static bool read_base(struct cpu *c, const struct insn *i, unsigned sreg)
{
    if (!(c->mode & MODE_64) || !(c->cr4 & CR4_FSGSBASE))
        return false;
    reg_set(c, i->dst, i->osz, c->seg[sreg].base);
    return true;
}

static bool write_base(struct cpu *c, const struct insn *i, unsigned sreg)
{
    uint64_t v = reg_get(c, i->dst, i->osz);

    if (!(c->mode & MODE_64) || !(c->cr4 & CR4_FSGSBASE) || !is_canonical(v))
        return false;
    c->seg[sreg].base = v;
    return true;
}

static bool assist_rdfsbase(struct cpu *c, const struct insn *i)
{
    return read_base(c, i, SEG_FS);
}

static bool assist_rdgsbase(struct cpu *c, const struct insn *i)
{
    return read_base(c, i, SEG_GS);
}

static bool assist_wrfsbase(struct cpu *c, const struct insn *i)
{
    return write_base(c, i, SEG_FS);
}

static bool assist_wrgsbase(struct cpu *c, const struct insn *i)
{
    return write_base(c, i, SEG_GS);
}

/* -- Ports ------------------------------------------------------------------------------------- */

/* No bitmap says who may access them, and no breakpoint waits for it. */
static bool ports_are_free(const struct cpu *c)
{
    bool allowed = !(c->mode & MODE_PE) ||
                   (!(c->mode & MODE_V86) && c->cpl <= (c->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT);

    return allowed && !(c->dr[7] & 0xff);
}

static uint16_t port_of(const struct cpu *c, const struct insn *i)
{
    return i->opc & 8 ? (uint16_t)c->r[RDX] : (uint8_t)i->imm;
}

/* Bit 0 of the opcode: more than a byte. */
static unsigned port_width(const struct insn *i)
{
    return i->opc & 1 ? (i->osz == 1 ? 1 : 2) : 0;
}

static bool assist_in(struct cpu *c, const struct insn *i)
{
    unsigned w = port_width(i);

    if (!ports_are_free(c))
        return false;
    reg_set(c, REG_OFF(RAX), w, port_in(c, port_of(c, i), 1u << w));
    return true;
}

static bool assist_out(struct cpu *c, const struct insn *i)
{
    unsigned w = port_width(i);

    if (!ports_are_free(c))
        return false;
    port_out(c, port_of(c, i), 1u << w, (uint32_t)reg_get(c, REG_OFF(RAX), w));
    return true;
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
    {M(IRETD), assist_iret, AFTER_LOOK, true},
    {M(IRETQ), assist_iret, AFTER_LOOK, true},
    {M(RDMSR), assist_rdmsr, AFTER_NEXT, false},
    {M(WRMSR), assist_wrmsr, AFTER_NEXT, false},
    {M(RDFSBASE), assist_rdfsbase, AFTER_NEXT, true},
    {M(RDGSBASE), assist_rdgsbase, AFTER_NEXT, true},
    {M(WRFSBASE), assist_wrfsbase, AFTER_NEXT, true},
    {M(WRGSBASE), assist_wrgsbase, AFTER_NEXT, true},
    {M(IN), assist_in, AFTER_NEXT, false},
    {M(OUT), assist_out, AFTER_LOOK, false},
    {M(RDTSC), assist_rdtsc, AFTER_NEXT, false},
    {M(RDTSCP), assist_rdtscp, AFTER_NEXT, false},
};

static const struct assist mov_to_segment = {M(MOV), assist_mov_to_segment, AFTER_LOOK, true};
static const struct assist pop_segment = {M(POP), assist_pop_segment, AFTER_LOOK, true};

const struct assist *assist_of(uint16_t mnemonic, const struct row_info *row)
{
    for (unsigned k = 0; k < sizeof(assists) / sizeof(assists[0]); k++)
        if (assists[k].mnemonic == mnemonic)
            return &assists[k];
    if (mnemonic == M(MOV) && row->count != 0 && row->operand[0].kind == K_S)
        return &mov_to_segment;
    if (mnemonic == M(POP) && row->count != 0 && row->operand[0].kind == K_SFIX)
        return &pop_segment;
    return NULL;
}
