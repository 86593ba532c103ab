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

uint32_t assist_flags(const struct cpu *c)
{
    uint64_t v = c->scratch[X_FLAGS];
    return c->eflags | ((uint32_t)(v >> 8) & (EFL_ARITH & 0xff)) | (uint32_t)(v & 1) << 11;
}

void assist_set_flags(struct cpu *c, uint32_t v)
{
    c->eflags = (v & ~(uint32_t)EFL_ARITH) | EFL_FIXED;
    c->scratch[X_FLAGS] = (uint64_t)(v & 0xff) << 8 | (v >> 11 & 1);
}

/* -- Fast system calls ------------------------------------------------------------------------- */

static bool assist_syscall(struct cpu *c, const struct insn *i)
{
    uint16_t cs = c->msr.star >> 32 & 0xfffc;
    uint32_t flags = assist_flags(c) & ~EFL_RF;

    (void)i;
    if (!(c->mode & MODE_64) || !(c->efer & EFER_SCE))
        return false;
    c->r[RCX] = c->r[RIP];
    c->r[R11] = flags;
    c->r[RIP] = c->msr.lstar;
    seg_set_flat(c, cs, (uint16_t)(cs + 8), 0, true);
    assist_set_flags(c, flags & ~(uint32_t)c->msr.fmask);
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
    assist_set_flags(c, (uint32_t)c->r[R11] & SYSRET_FLAGS);
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

static bool assist_pop_segment(struct cpu *c, const struct insn *i)
{
    uint64_t sel;

    if (!stack_peek(c, i->osz, 0, &sel) || !load_data(c, i->dst, (uint16_t)sel))
        return false;
    sp_set(c, c->r[RSP] + (1u << i->osz));
    return true;
}

/* -- IRET -------------------------------------------------------------------------------------- */

/* What IRET pops, and where that leads. */
struct way_back {
    uint64_t rip, cs, flags, sp, ss;
    bool pops_stack; /* rSP and SS too */
    struct desc code, stack;
};

static bool pop_frame(struct cpu *c, unsigned w, struct way_back *b)
{
    unsigned n = 1u << w;

    if (!stack_peek(c, w, 0, &b->rip) || !stack_peek(c, w, n, &b->cs) ||
        !stack_peek(c, w, 2 * n, &b->flags))
        return false;
    b->cs &= 0xffff;
    b->pops_stack = c->mode & MODE_64 || (b->cs & 3) != c->cpl;
    if (b->pops_stack && (!stack_peek(c, w, 3 * n, &b->sp) || !stack_peek(c, w, 4 * n, &b->ss)))
        return false;
    b->ss &= 0xffff;
    return true;
}

static bool leads_to_64(const struct cpu *c, const struct way_back *b)
{
    return c->mode & MODE_LMA && b->code.attr & SEG_L;
}

/* 16-bit stacks are out of the ordinary, too. */
static bool check_frame(struct cpu *c, struct way_back *b)
{
    unsigned cpl = b->cs & 3;
    struct desc *d = &b->code;

    if (sel_is_null((uint16_t)b->cs) || cpl < c->cpl || !find_desc(c, (uint16_t)b->cs, d) ||
        !desc_is_code(d) || desc_is_conforming(d) || desc_dpl(d) != cpl)
        return false;
    if (leads_to_64(c, b) ? d->attr & SEG_DB || !is_canonical(b->rip) : b->rip > d->limit)
        return false;
    if (!b->pops_stack)
        return true;
    if ((b->ss & 3) != cpl)
        return false;
    if (sel_is_null((uint16_t)b->ss))
        return leads_to_64(c, b) && cpl != 3;
    return find_desc(c, (uint16_t)b->ss, &b->stack) && desc_is_writable_data(&b->stack) &&
           desc_dpl(&b->stack) == cpl && b->stack.attr & SEG_DB;
}

/* The flags that IRET takes from its frame. */
static uint32_t returned_flags(const struct cpu *c)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_RF | EFL_AC | EFL_ID;

    if (c->cpl <= (c->eflags & EFL_IOPL) >> EFL_IOPL_SHIFT)
        mask |= EFL_IF;
    return c->cpl == 0 ? mask | EFL_IOPL | EFL_VIF | EFL_VIP : mask;
}

static bool assist_iret(struct cpu *c, const struct insn *i)
{
    bool plain = c->mode & MODE_PE && !(c->mode & MODE_V86) && !(c->eflags & EFL_NT);
    uint32_t mask = returned_flags(c);
    unsigned old_cpl = c->cpl, cpl;
    struct way_back b;

    if (!plain || i->osz < 2 || !pop_frame(c, i->osz, &b) || b.flags & EFL_VM ||
        !check_frame(c, &b))
        return false;
    cpl = b.cs & 3;
    c->nmi_blocked = false;
    seg_set(c, SEG_CS, (uint16_t)b.cs, &b.code);
    c->r[RIP] = b.rip;
    if (!b.pops_stack)
        sp_set(c, c->r[RSP] + (3u << i->osz));
    else if (sel_is_null((uint16_t)b.ss))
        seg_set_null(c, SEG_SS, (uint16_t)b.ss, cpl);
    else
        seg_set(c, SEG_SS, (uint16_t)b.ss, &b.stack);
    assist_set_flags(c, (assist_flags(c) & ~mask) | ((uint32_t)b.flags & mask));
    cpu_update_mode(c);
    if (b.pops_stack)
        c->r[RSP] = c->mode & MODE_64 ? b.sp : (uint32_t)b.sp;
    if (cpl != old_cpl)
        seg_drop_privileged(c, cpl);
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
