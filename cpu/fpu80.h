/* SPDX-License-Identifier: MIT */
/* The arithmetic of the x87 FPU: 80-bit double extended numbers (SDM Vol. 1, 4.2, 4.8, chapter 8).
 * Register stack, tag word, stack faults and the pending-exception protocol belong to the caller.
 *
 * Every operation adds the exceptions that it detects to env->flags and rewrites C1 in env->cc
 * (1: the result was rounded up). C0, C2 and C3 change only where a function says so. Use:
 *     struct f80_env e = f80_env_load(fcw, fsw);
 *     struct f80 r = f80_add(&e, st0, sti);
 *     fsw = f80_env_status(&e, fsw);          sets exceptions, condition codes, ES and B
 *     if (!f80_env_void(&e)) write r (and pop);
 *
 * Masked responses are those of SDM 8.5. Unmasked overflow or underflow delivers the result with
 * its exponent moved by 24576. An unmasked invalid, denormal or divide exception leaves no result
 * (f80_env_void), and nothing detected later is reported; compares write the condition codes all
 * the same, and loads of denormals complete (f80_env_void_load). Stores to memory (f80_to_*)
 * additionally store nothing after unmasked overflow or underflow: they report that by
 * f80_env_void_store.
 *
 * Unsupported encodings (unnormal, pseudo-NaN, pseudo-infinity) are invalid operands;
 * pseudo-denormals are denormals. */
#ifndef CPU_FPU80_H
#define CPU_FPU80_H

#include "cpu/fp.h"

struct f80 {
    uint64_t man; /* explicit integer bit 63 */
    uint16_t se;  /* sign bit 15, biased exponent 14:0 */
};

enum { F80_C0 = 0x0100, F80_C1 = 0x0200, F80_C2 = 0x0400, F80_C3 = 0x4000, F80_CC = 0x4700 };
enum f80_pc {
    F80_PC_24,
    F80_PC_RESERVED,
    F80_PC_53,
    F80_PC_64
}; /* FCW[9:8]; reserved acts as 64 */

struct f80_env {
    uint8_t rc;    /* enum fp_rc */
    uint8_t pc;    /* enum f80_pc */
    uint8_t masks; /* FP_* bits: masked exceptions */
    uint8_t flags; /* FP_* bits raised since f80_env_load() */
    uint16_t cc;   /* F80_C* bits as in the status word */
    bool den_src;  /* f80_operand_*() saw a denormal: the operation reports DE */
};

static inline struct f80_env f80_env_load(uint16_t fcw, uint16_t fsw)
{
    struct f80_env e = {
        .rc = (fcw >> 10) & 3,
        .pc = (fcw >> 8) & 3,
        .masks = fcw & FP_ALL,
        .cc = fsw & F80_CC,
    };
    return e;
}

/* The status word fsw after the operation: exceptions added, condition codes replaced, ES and B set
 * if an exception raised now is unmasked (they stay set if they were). */
static inline uint16_t f80_env_status(const struct f80_env *e, uint16_t fsw)
{
    fsw = (uint16_t)((fsw & ~F80_CC) | e->cc | e->flags);
    if (e->flags & ~e->masks & FP_ALL)
        fsw |= 0x8080;
    return fsw;
}

/* The destination register must not be written, nor the stack popped or pushed. */
static inline bool f80_env_void(const struct f80_env *e)
{
    return (e->flags & ~e->masks & FP_PRE) != 0;
}

/* FLD m32fp or m64fp must not push: there, an unmasked DE does not stop the instruction. */
static inline bool f80_env_void_load(const struct f80_env *e)
{
    return (e->flags & ~e->masks & FP_IE) != 0;
}

/* The destination memory must not be written, nor the stack popped. */
static inline bool f80_env_void_store(const struct f80_env *e)
{
    return (e->flags & ~e->masks & (FP_PRE | FP_OE | FP_UE)) != 0;
}

static inline struct f80 f80_make(uint16_t se, uint64_t man)
{
    struct f80 r = {.man = man, .se = se};
    return r;
}

static inline struct f80 f80_indefinite(void)
{
    return f80_make(0xffff, UINT64_C(0xc000000000000000));
}

static inline struct f80 f80_zero(bool sign)
{
    return f80_make(sign ? 0x8000 : 0, 0);
}

/* FCHS and FABS: any encoding, no exceptions; the handler clears C1. */
static inline struct f80 f80_chs(struct f80 a)
{
    return f80_make(a.se ^ 0x8000, a.man);
}

static inline struct f80 f80_abs(struct f80 a)
{
    return f80_make(a.se & 0x7fff, a.man);
}

/* Arithmetic under precision and rounding control. FSUBR and FDIVR: swap the operands. */
struct f80 f80_add(struct f80_env *e, struct f80 a, struct f80 b);
struct f80 f80_sub(struct f80_env *e, struct f80 a, struct f80 b);
struct f80 f80_mul(struct f80_env *e, struct f80 a, struct f80 b);
struct f80 f80_div(struct f80_env *e, struct f80 a, struct f80 b);
struct f80 f80_sqrt(struct f80_env *e, struct f80 a);

/* FPREM (truncating) and FPREM1 (nearest): ST0 = a, ST1 = b. Sets C2 if the reduction is partial,
 * else C0, C3, C1 = quotient bits 2, 1, 0. */
struct f80 f80_rem(struct f80_env *e, struct f80 a, struct f80 b, bool nearest);

struct f80 f80_rndint(struct f80_env *e, struct f80 a);
struct f80 f80_scale(struct f80_env *e, struct f80 a, struct f80 b); /* a * 2^trunc(b): ST0, ST1 */

/* FXTRACT: *exponent replaces ST0, then the significand (returned) is pushed. */
struct f80 f80_xtract(struct f80_env *e, struct f80 a, struct f80 *exponent);

/* Relation of a to b; quiet: FUCOM*, where quiet NaNs do not raise IE. Clears C1, leaves C0/C2/C3:
 * FCOM maps the relation with f80_rel_cc(), FCOMI to EFLAGS, even after unmasked exceptions. */
enum fp_rel f80_cmp(struct f80_env *e, struct f80 a, struct f80 b, bool quiet);
uint16_t f80_rel_cc(enum fp_rel rel); /* C3, C2, C0 of FCOM and FTST */

/* C3, C2, C1, C0 of FXAM for a register that is not empty (the caller knows: empty is C3|C0, C1
 * sign).*/
uint16_t f80_xam(struct f80 a);

/* Loads. FLD m80 is a plain copy without exceptions; m32 and m64 make signalling NaNs quiet (IE)
 * and report DE; integers and BCD are always exact. */
struct f80 f80_from_f32(struct f80_env *e, uint32_t a);
struct f80 f80_from_f64(struct f80_env *e, uint64_t a);
struct f80 f80_from_i64(int64_t a); /* FILD m16/m32/m64: sign-extend first */
struct f80 f80_from_bcd(const uint8_t bcd[10]);

/* The m32 or m64 operand of an arithmetic or compare instruction (FADD m32fp ...): widened exactly,
 * signalling NaNs included; exceptions come from the operation that follows on the same env. */
struct f80 f80_operand_f32(struct f80_env *e, uint32_t a);
struct f80 f80_operand_f64(struct f80_env *e, uint64_t a);

/* Stores. FSTP m80 is a plain copy. Integers: n is the width in bits (16, 32, 64); trunc is FISTTP;
 * invalid gives the indefinite integer, -2^(n-1). FBSTP's indefinite is ff ff c0 00 ... 00. */
uint32_t f80_to_f32(struct f80_env *e, struct f80 a);
uint64_t f80_to_f64(struct f80_env *e, struct f80 a);
int64_t f80_to_int(struct f80_env *e, struct f80 a, unsigned n, bool trunc);
void f80_to_bcd(struct f80_env *e, struct f80 a, uint8_t bcd[10]);

/* FLD1 ... FLDZ in opcode order D9 E8 .. D9 EE, under rounding control (SDM: FLD1/FLDL2T/...). */
enum f80_const { F80_ONE, F80_L2T, F80_L2E, F80_PI, F80_LG2, F80_LN2, F80_ZERO };
struct f80 f80_constant(enum f80_const k, enum fp_rc rc);

/* Transcendentals (fpu80_trans.c): always 64 bits, correctly rounded in the current rounding mode.
 * The trigonometric ones set C2 and return the operand for |a| >= 2^63, else clear C2. Where the
 * instruction pushes (FPTAN: 1.0, FSINCOS: cosine) the caller does, unless C2 is set. */
struct f80 f80_2xm1(struct f80_env *e, struct f80 a);
struct f80 f80_yl2x(struct f80_env *e, struct f80 x, struct f80 y);   /* ST1 = y * log2(ST0 = x) */
struct f80 f80_yl2xp1(struct f80_env *e, struct f80 x, struct f80 y); /* y * log2(x + 1) */
struct f80 f80_patan(struct f80_env *e, struct f80 x,
                     struct f80 y); /* ST1 = atan2(y = ST1, x = ST0) */
struct f80 f80_sin(struct f80_env *e, struct f80 a);
struct f80 f80_cos(struct f80_env *e, struct f80 a);
struct f80 f80_tan(struct f80_env *e,
                   struct f80 a); /* FPTAN pushes 1.0; for a NaN, the NaN again */
struct f80 f80_sincos(struct f80_env *e, struct f80 a, struct f80 *cosine);

#endif
