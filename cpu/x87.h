/* SPDX-License-Identifier: MIT */
/* The x87 register stack and its exception protocol (SDM 1 chapter 8), for the x87 handlers. */
#ifndef CPU_X87_H
#define CPU_X87_H

#include "cpu/ops.h"

static inline unsigned x87_phys(const struct cpu *c, unsigned n)
{
    return (c->fpu.top + n) & 7;
}

static inline bool x87_empty(const struct cpu *c, unsigned n)
{
    return !(c->fpu.valid >> x87_phys(c, n) & 1);
}

static inline struct f80 x87_get(const struct cpu *c, unsigned n)
{
    return c->fpu.st[x87_phys(c, n)];
}

static inline void x87_set(struct cpu *c, unsigned n, struct f80 v)
{
    unsigned p = x87_phys(c, n);
    c->fpu.st[p] = v;
    c->fpu.valid |= (uint8_t)(1u << p);
}

static inline void x87_pop(struct cpu *c)
{
    c->fpu.valid &= (uint8_t) ~(1u << c->fpu.top);
    c->fpu.top = (c->fpu.top + 1) & 7;
}

/* ST(i) of the instruction. */
static inline unsigned x87_sti(const struct insn *i)
{
    return i->modrm & 7;
}

/* The status word with TOP in place. */
static inline uint16_t x87_status(const struct cpu *c)
{
    return (uint16_t)((c->fpu.sw & ~FSW_TOP) | (unsigned)c->fpu.top << 11);
}

static inline struct f80_env x87_env(const struct cpu *c)
{
    return f80_env_load(c->fpu.cw, c->fpu.sw);
}

static inline void x87_done(struct cpu *c, const struct f80_env *e)
{
    c->fpu.sw = f80_env_status(e, c->fpu.sw);
}

/* An unmasked exception is pending before an instruction that waits. With CR0.NE clear FERR#
 * reports it, and the instruction waits for the interrupt (SDM 1 8.7.2); true: IGNNE# lets it run.
 */
bool x87_report(struct cpu *c);

/* What may have cleared the exceptions has been executed: FERR# follows. */
static inline void x87_release_ferr(struct cpu *c)
{
    if (c->ferr && !(c->fpu.sw & FSW_ES)) {
        c->ferr = false;
        ferr_set(c, false);
    }
}

/* Every x87 instruction but the non-waiting control ones: #NM where the unit is not available, #MF
 * or FERR# where an unmasked exception is pending. */
bool x87_begin(struct cpu *c);

/* #NM only: FNINIT, FNCLEX, FNSTSW, FNSTCW, FNSTENV, FNSAVE. */
bool x87_available(struct cpu *c);

/* Remember the instruction (and its memory operand) for FSTENV; after the last fault that would
 * restart it. */
void x87_note(struct cpu *c, const struct insn *i);

/* A stack fault: IE and SF, C1 tells overflow from underflow. True where it is masked, and the
 * caller goes on with the indefinite value. */
bool x87_stack_fault(struct cpu *c, bool overflow);

/* Push v, or take a stack overflow (masked: the indefinite value is pushed). */
void x87_push(struct cpu *c, struct f80 v);

/* FNINIT's state. */
void x87_init(struct cpu *c);

#endif
