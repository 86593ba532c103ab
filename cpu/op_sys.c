/* SPDX-License-Identifier: MIT */
/* System instructions that are not about segments or control registers: fast system calls, MSRs,
 * CPUID, time, FS and GS bases, HLT, MONITOR (SDM 2A-2D, operation sections). */
#include "cpu/exception.h"
#include "cpu/isa.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "cpu/system.h"

static bool at_level0(struct cpu *c)
{
    return c->cpl == 0 || cpu_raise_gp(c, 0);
}

static uint64_t edx_eax(const struct cpu *c)
{
    return (uint32_t)c->r[RAX] | c->r[RDX] << 32;
}

static void set_edx_eax(struct cpu *c, uint64_t v)
{
    c->r[RAX] = (uint32_t)v;
    c->r[RDX] = v >> 32;
}

/* -- SYSCALL, SYSRET, SYSENTER, SYSEXIT -------------------------------------------------------- */

void syscall_enter(struct cpu *c, uint32_t *flags)
{
    uint16_t cs = c->msr.star >> 32 & 0xfffc;
    *flags &= ~EFL_RF;
    c->r[RCX] = c->r[RIP];
    c->r[R11] = *flags;
    c->r[RIP] = c->msr.lstar;
    seg_set_flat(c, cs, (uint16_t)(cs + 8), 0, true);
    *flags &= ~(uint32_t)c->msr.fmask;
    c->no_step = !(*flags & EFL_TF);
}

OP_NONE(syscall)
{
    uint32_t flags = eflags_get(c);
    (void)i;
    if (!syscall_enabled(c))
        return cpu_raise_ud(c);
    syscall_enter(c, &flags);
    eflags_set(c, flags);
    return true;
}

bool syscall_return(struct cpu *c, bool to64, uint32_t *flags)
{
    uint16_t base = (uint16_t)(c->msr.star >> 48);
    if (c->cpl != 0 || (to64 && !is_canonical(c->r[RCX])))
        return false;
    c->r[RIP] = to64 ? c->r[RCX] : (uint32_t)c->r[RCX];
    seg_set_flat(c, (uint16_t)((base + (to64 ? 16 : 0)) | 3), (uint16_t)((base + 8) | 3), 3, to64);
    *flags = (uint32_t)c->r[R11] & SYSRET_FLAGS;
    return true;
}

OP_NONE(sysret)
{
    uint32_t flags;
    if (!syscall_enabled(c))
        return cpu_raise_ud(c);
    if (!syscall_return(c, i->prefix & INSN_REXW, &flags))
        return cpu_raise_gp(c, 0);
    eflags_set(c, flags);
    return true;
}

bool sysenter_enter(struct cpu *c)
{
    uint16_t cs = c->msr.sysenter_cs & 0xfffc;
    bool lma = c->mode & MODE_LMA;
    if (!(c->mode & MODE_PE) || cs == 0)
        return false;
    c->r[RSP] = lma ? c->msr.sysenter_esp : (uint32_t)c->msr.sysenter_esp;
    c->r[RIP] = lma ? c->msr.sysenter_eip : (uint32_t)c->msr.sysenter_eip;
    seg_set_flat(c, cs, (uint16_t)(cs + 8), 0, lma);
    c->eflags &= ~(EFL_VM | EFL_IF | EFL_RF);
    cpu_update_mode(c);
    return true;
}

OP_NONE(sysenter)
{
    (void)i;
    return sysenter_enter(c) || cpu_raise_gp(c, 0);
}

bool sysenter_return(struct cpu *c, bool to64)
{
    uint16_t cs = c->msr.sysenter_cs & 0xfffc;
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

OP_NONE(sysexit)
{
    return sysenter_return(c, i->prefix & INSN_REXW) || cpu_raise_gp(c, 0);
}

/* -- FS and GS bases --------------------------------------------------------------------------- */

OP_NONE(swapgs)
{
    (void)i;
    if (!(c->mode & MODE_64))
        return cpu_raise_ud(c);
    if (!at_level0(c))
        return false;
    uint64_t base = c->seg[SEG_GS].base;
    c->seg[SEG_GS].base = c->msr.kernel_gs_base;
    c->msr.kernel_gs_base = base;
    return true;
}

static bool base_access(struct cpu *c)
{
    if (c->mode & MODE_64 && c->cr4 & CR4_FSGSBASE)
        return true;
    return cpu_raise_ud(c);
}

static bool read_base(struct cpu *c, const struct insn *i, unsigned sreg)
{
    if (!base_access(c))
        return false;
    reg_set(c, i->dst, i->osz, c->seg[sreg].base);
    return true;
}

static bool write_base(struct cpu *c, const struct insn *i, unsigned sreg)
{
    uint64_t v = reg_get(c, i->dst, i->osz);
    if (!base_access(c))
        return false;
    if (!is_canonical(v))
        return cpu_raise_gp(c, 0);
    c->seg[sreg].base = v;
    return true;
}

OP_NONE(rdfsbase)
{
    return read_base(c, i, SEG_FS);
}
OP_NONE(rdgsbase)
{
    return read_base(c, i, SEG_GS);
}
OP_NONE(wrfsbase)
{
    return write_base(c, i, SEG_FS);
}
OP_NONE(wrgsbase)
{
    return write_base(c, i, SEG_GS);
}

/* -- CPUID, time, randomness ------------------------------------------------------------------- */

OP_NONE(cpuid)
{
    struct cpuid_regs v = cpuid_leaf(c, (uint32_t)c->r[RAX], (uint32_t)c->r[RCX]);
    (void)i;
    c->r[RAX] = v.eax;
    c->r[RBX] = v.ebx;
    c->r[RCX] = v.ecx;
    c->r[RDX] = v.edx;
    return true;
}

uint64_t cpu_tsc(struct cpu *c)
{
    return tsc_read(c) + c->msr.tsc_offset;
}

static bool tsc_allowed(struct cpu *c)
{
    return !(c->cr4 & CR4_TSD) || at_level0(c);
}

OP_NONE(rdtsc)
{
    (void)i;
    if (!tsc_allowed(c))
        return false;
    set_edx_eax(c, cpu_tsc(c));
    return true;
}

OP_NONE(rdtscp)
{
    (void)i;
    if (!tsc_allowed(c))
        return false;
    set_edx_eax(c, cpu_tsc(c));
    c->r[RCX] = (uint32_t)c->msr.tsc_aux;
    return true;
}

OP_NONE(rdpid)
{
    reg_set(c, i->dst, c->mode & MODE_64 ? 3 : 2, c->msr.tsc_aux);
    return true;
}

/* There are no performance counters. */
OP_NONE(rdpmc)
{
    (void)i;
    return cpu_raise_gp(c, 0);
}

OP_INLINE bool random_to(struct cpu *c, const struct insn *i, unsigned w)
{
    reg_set(c, i->dst, w, random_u64(c));
    flags_set_arith(c, EFL_CF);
    return true;
}

OP_WIDTH(rdrand)
{
    return random_to(c, i, w);
}
OP_WIDTH(rdseed)
{
    return random_to(c, i, w);
}

/* -- MSRs and extended control registers ------------------------------------------------------- */

OP_NONE(rdmsr)
{
    uint64_t v;
    (void)i;
    if (!at_level0(c) || !msr_read(c, (uint32_t)c->r[RCX], &v))
        return false;
    set_edx_eax(c, v);
    return true;
}

OP_NONE(wrmsr)
{
    (void)i;
    if (!at_level0(c) || !msr_write(c, (uint32_t)c->r[RCX], edx_eax(c)))
        return false;
    run_stop(c);
    return true;
}

OP_NONE(xgetbv)
{
    (void)i;
    if (!(c->cr4 & CR4_OSXSAVE))
        return cpu_raise_ud(c);
    uint32_t n = (uint32_t)c->r[RCX];
    if (n > 1 || (n == 1 && !CPU_HAS(c, ISA_XGETBV1)))
        return cpu_raise_gp(c, 0);
    set_edx_eax(c, n == 0 ? c->xcr0 : xsave_in_use(c));
    return true;
}

OP_NONE(xsetbv)
{
    uint64_t v = edx_eax(c);
    (void)i;
    if (!(c->cr4 & CR4_OSXSAVE))
        return cpu_raise_ud(c);
    if (!at_level0(c))
        return false;
    bool bad = (uint32_t)c->r[RCX] != 0 || !(v & XCR0_X87) || v & ~xcr0_supported(c) ||
               (v & XCR0_AVX && !(v & XCR0_SSE));
    if (bad)
        return cpu_raise_gp(c, 0);
    c->xcr0 = v;
    run_stop(c);
    return true;
}

void pkru_set(struct cpu *c, uint32_t val)
{
    if (val == c->pkru)
        return;
    c->pkru = val;
    tlb_flush_all(c);
    run_stop(c);
}

static bool pkru_access(struct cpu *c)
{
    if (!(c->cr4 & CR4_PKE))
        return cpu_raise_ud(c);
    return (uint32_t)c->r[RCX] == 0 || cpu_raise_gp(c, 0);
}

OP_NONE(rdpkru)
{
    (void)i;
    if (!pkru_access(c))
        return false;
    set_edx_eax(c, c->pkru);
    return true;
}

OP_NONE(wrpkru)
{
    (void)i;
    if (!pkru_access(c))
        return false;
    if ((uint32_t)c->r[RDX] != 0)
        return cpu_raise_gp(c, 0);
    pkru_set(c, (uint32_t)c->r[RAX]);
    return true;
}

/* -- Waiting ----------------------------------------------------------------------------------- */

OP_NONE(hlt)
{
    (void)i;
    if (!at_level0(c))
        return false;
    c->halted = true;
    run_stop(c);
    return true;
}

/* The monitored line is not remembered: any write to memory by another agent ends the wait, as may
 * happen on a processor, too (SDM 3A 9.10.4). */
OP_NONE(monitor)
{
    if (c->cpl != 0)
        return cpu_raise_ud(c);
    if ((uint32_t)c->r[RCX] != 0)
        return cpu_raise_gp(c, 0);
    if (!mem_probe(c, i->seg, c->r[RAX] & asz_mask(i), 1, false))
        return false;
    c->monitoring = true;
    return true;
}

/* CPUID offers no extensions. With interrupts disabled it does not wait. */
OP_NONE(mwait)
{
    (void)i;
    if (c->cpl != 0)
        return cpu_raise_ud(c);
    if ((uint32_t)c->r[RCX] != 0)
        return cpu_raise_gp(c, 0);
    c->halted = c->in_mwait = c->monitoring && c->eflags & EFL_IF;
    c->monitoring = false;
    run_stop(c);
    return true;
}
