/* SPDX-License-Identifier: MIT */
/* CPUID, MSRs and processor models, for the handlers of system instructions. */
#ifndef CPU_SYSTEM_H
#define CPU_SYSTEM_H

#include "cpu/cpu.h"

/* Width of physical addresses, as CPUID reports it and page walks check it. */
#define CPU_PHYS_BITS 40

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

/* CPUID's answer in the processor's present state. */
struct cpuid_regs cpuid_leaf(struct cpu *c, uint32_t leaf, uint32_t subleaf);

/* What a model is made of; the features are in c->isa. */
struct cpu_model {
    const char *name, *desc;
    const char *vendor; /* 12 characters */
    const char *brand;  /* at most 47 characters; NULL: no leaves 80000002h-4h */
    uint8_t family, model, stepping;
    const char *isa; /* names of isa.h, separated by blanks */
};

/* Family, model and stepping as CPUID and RESET (in EDX) report them. */
uint32_t cpuid_signature(const struct cpu_model *m);

#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* RDMSR and WRMSR without the privilege check. False: #GP(0) is recorded. */
bool msr_read(struct cpu *c, uint32_t msr, uint64_t *val);
bool msr_write(struct cpu *c, uint32_t msr, uint64_t val);
/* Power-on values. */
void msr_reset(struct cpu *c);

/* SYSCALL and SYSRET raise #UD elsewhere. */
static inline bool syscall_enabled(const struct cpu *c)
{
    return c->mode & MODE_64 && c->efer & EFER_SCE;
}

/* What SYSCALL and SYSRET, where they are enabled, and SYSENTER and SYSEXIT do. False: what they
 * need is not there, nothing has changed. The first two have EFLAGS in *flags, before and, for the
 * caller to set, after it; cpu_update_mode() is left to the caller then. */
void syscall_enter(struct cpu *c, uint32_t *flags);
bool syscall_return(struct cpu *c, bool to64, uint32_t *flags);
bool sysenter_enter(struct cpu *c);
bool sysenter_return(struct cpu *c, bool to64);

/* The flags that SYSRET takes from R11. */
#define SYSRET_FLAGS 0x003c7fd7u

/* The time-stamp counter as the guest sees it. */
uint64_t cpu_tsc(struct cpu *c);

/* XCR0 bits that the model has. */
uint64_t xcr0_supported(const struct cpu *c);
/* Enabled components that are not in their initial state (SDM 1 13.6); MXCSR belongs to none. */
uint64_t xsave_in_use(const struct cpu *c);
/* Bytes of an XSAVE area for these components. */
unsigned xsave_size(uint64_t components);
/* Where PKRU is in it: as in the processors that have MPX and AVX-512 in front of it. */
#define XSAVE_PKRU_AT    2688u
#define XSAVE_PKRU_BYTES 8u

/* Change the rights that protection keys give to user pages. */
void pkru_set(struct cpu *c, uint32_t val);

#endif
