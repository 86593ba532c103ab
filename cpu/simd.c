/* SPDX-License-Identifier: MIT */
/* The unlikely ends of simd.h: why an MMX or SSE instruction can't run (SDM 2A 2.5, tables 2-18
 * ff.; 3A 12.5 and 13.1), and the SIMD floating-point exception (SDM 1 11.5). */
#include "cpu/simd.h"

#include "cpu/x87.h"

bool sse_refuse(struct cpu *c)
{
    if ((c->cr0 & CR0_EM) || !(c->cr4 & CR4_OSFXSR))
        return cpu_raise_ud(c);
    return cpu_raise(c, VEC_NM, 0);
}

bool mmx_refuse(struct cpu *c)
{
    if (c->cr0 & CR0_EM)
        return cpu_raise_ud(c);
    if (c->cr0 & CR0_TS)
        return cpu_raise(c, VEC_NM, 0);
    return x87_report(c);
}

bool sse_fp_fault(struct cpu *c)
{
    return c->cr4 & CR4_OSXMMEXCPT ? cpu_raise(c, VEC_XM, 0) : cpu_raise_ud(c);
}
