/* SPDX-License-Identifier: MIT */
/* x87 arithmetic, compares and transcendentals (SDM 2A, F...). The numbers are computed by fpu80.c;
 * here are the operands, the register stack and the exceptions. */
#include "cpu/x87.h"

#include "cpu/rehearsal.h"

bool x87_available(struct cpu *c)
{
    if (c->cr0 & (CR0_EM | CR0_TS))
        return cpu_raise(c, VEC_NM, 0);
    return true;
}

/* FERR# is asserted as late as this, as processors since the P6 do in most cases (SDM 1 D.3.4). */
bool x87_report(struct cpu *c)
{
    if (c->cr0 & CR0_NE)
        return cpu_raise(c, VEC_MF, 0);
    if (rehearsal_refuses(c))
        return false;
    if (!c->ferr) {
        c->ferr = true;
        ferr_set(c, true);
    }
    if (ignne_asserted(c))
        return true;
    c->exc = (struct pending_exc){.freeze = true};
    return false;
}

bool x87_begin(struct cpu *c)
{
    return x87_available(c) && (!(c->fpu.sw & FSW_ES) || x87_report(c));
}

void x87_note(struct cpu *c, const struct insn *i)
{
    c->fpu.fop = (uint16_t)((i->opc & 7u) << 8 | i->modrm);
    c->fpu.fip = (c->r[RIP] - i->len) & c->la_mask;
    c->fpu.fcs = c->seg[SEG_CS].sel;
    if (i->mem) {
        c->fpu.fdp = ea(c, i);
        c->fpu.fds = c->seg[i->seg].sel;
    }
}

bool x87_stack_fault(struct cpu *c, bool overflow)
{
    c->fpu.sw = (uint16_t)((c->fpu.sw & ~FSW_C1) | FSW_IE | FSW_SF | (overflow ? FSW_C1 : 0));
    if (c->fpu.cw & FSW_IE)
        return true;
    c->fpu.sw |= FSW_ES | FSW_B;
    return false;
}

void x87_push(struct cpu *c, struct f80 v)
{
    if (!x87_empty(c, 7)) {
        if (!x87_stack_fault(c, true))
            return;
        v = f80_indefinite();
    }
    c->fpu.top = (c->fpu.top - 1) & 7;
    x87_set(c, 0, v);
}

void x87_init(struct cpu *c)
{
    c->fpu.cw = 0x37f;
    c->fpu.sw = 0;
    c->fpu.top = 0;
    c->fpu.valid = 0;
    c->fpu.fop = c->fpu.fcs = c->fpu.fds = 0;
    c->fpu.fip = c->fpu.fdp = 0;
}

/* -- Operands ---------------------------------------------------------------------------------- */

enum source { SRC_ST, SRC_ST0, SRC_M32, SRC_M64, SRC_I16, SRC_I32 };

/* The second operand of an arithmetic instruction. *empty: its register is. False: fault. */
static bool load_source(struct cpu *c, const struct insn *i, enum source src, struct f80_env *e,
                        struct f80 *v, bool *empty)
{
    uint64_t raw;
    *empty = false;
    if (src == SRC_ST || src == SRC_ST0) {
        unsigned n = src == SRC_ST ? x87_sti(i) : 0;
        *empty = x87_empty(c, n);
        *v = x87_get(c, n);
        return true;
    }
    unsigned w = src == SRC_M64 ? 3 : src == SRC_I16 ? 1 : 2;
    if (!mem_load(c, i, w, &raw))
        return false;
    switch (src) {
    case SRC_M32: *v = f80_operand_f32(e, (uint32_t)raw); break;
    case SRC_M64: *v = f80_operand_f64(e, raw); break;
    default: *v = f80_from_i64(sign_extend(raw, w)); break;
    }
    return true;
}

/* -- Two-operand arithmetic -------------------------------------------------------------------- */

typedef struct f80 (*binary_fn)(struct f80_env *e, struct f80 a, struct f80 b);

static struct f80 subr(struct f80_env *e, struct f80 a, struct f80 b)
{
    return f80_sub(e, b, a);
}

static struct f80 divr(struct f80_env *e, struct f80 a, struct f80 b)
{
    return f80_div(e, b, a);
}

/* ST(dst) = fn(ST(dst), v), then pop where asked. */
static void arith_into(struct cpu *c, struct f80_env *e, unsigned dst, struct f80 v, bool v_empty,
                       binary_fn fn, bool pops)
{
    if (v_empty || x87_empty(c, dst)) {
        if (!x87_stack_fault(c, false))
            return;
        x87_set(c, dst, f80_indefinite());
    } else {
        struct f80 res = fn(e, x87_get(c, dst), v);
        x87_done(c, e);
        if (f80_env_void(e))
            return;
        x87_set(c, dst, res);
    }
    if (pops)
        x87_pop(c);
}

/* ST(0) = ST(0) op source; from SRC_ST0: ST(i) = ST(i) op ST(0). */
static bool arith(struct cpu *c, const struct insn *i, enum source src, binary_fn fn, bool pops)
{
    struct f80 v;
    bool empty;
    if (!x87_begin(c))
        return false;
    struct f80_env e = x87_env(c);
    if (!load_source(c, i, src, &e, &v, &empty))
        return false;
    x87_note(c, i);
    arith_into(c, &e, src == SRC_ST0 ? x87_sti(i) : 0, v, empty, fn, pops);
    return true;
}

#define ARITH(name, fn)                                                                            \
    OP_NONE(name##_st0)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_ST, fn, false);                                                     \
    }                                                                                              \
    OP_NONE(name##_m32)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_M32, fn, false);                                                    \
    }                                                                                              \
    OP_NONE(name##_m64)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_M64, fn, false);                                                    \
    }                                                                                              \
    OP_NONE(name##_i16)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_I16, fn, false);                                                    \
    }                                                                                              \
    OP_NONE(name##_i32)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_I32, fn, false);                                                    \
    }                                                                                              \
    OP_NONE(name##_sti)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_ST0, fn, false);                                                    \
    }                                                                                              \
    OP_NONE(name##_pop)                                                                            \
    {                                                                                              \
        return arith(c, i, SRC_ST0, fn, true);                                                     \
    }
ARITH(fadd, f80_add)
ARITH(fmul, f80_mul)
ARITH(fsub, f80_sub)
ARITH(fsubr, subr)
ARITH(fdiv, f80_div)
ARITH(fdivr, divr)

/* -- Compares ---------------------------------------------------------------------------------- */

/* Where a compare's result goes. */
enum compare_to { TO_STATUS, TO_EFLAGS };

static void set_relation(struct cpu *c, enum compare_to to, enum fp_rel rel)
{
    if (to == TO_STATUS) {
        c->fpu.sw = (uint16_t)((c->fpu.sw & ~(FSW_C0 | FSW_C2 | FSW_C3)) | f80_rel_cc(rel));
        return;
    }
    uint32_t fl = rel == FP_UNORD   ? EFL_ZF | EFL_PF | EFL_CF
                  : rel == FP_LESS  ? EFL_CF
                  : rel == FP_EQUAL ? EFL_ZF
                                    : 0;
    flags_set_arith(c, fl);
}

static bool compare(struct cpu *c, const struct insn *i, enum source src, bool quiet,
                    enum compare_to to, unsigned pops)
{
    struct f80 v;
    bool empty;
    if (!x87_begin(c))
        return false;
    struct f80_env e = x87_env(c);
    if (!load_source(c, i, src, &e, &v, &empty))
        return false;
    x87_note(c, i);
    if (empty || x87_empty(c, 0)) {
        bool masked = x87_stack_fault(c, false);
        set_relation(c, to, FP_UNORD);
        if (!masked)
            return true;
    } else {
        uint16_t cc = e.cc;
        enum fp_rel rel = f80_cmp(&e, x87_get(c, 0), v, quiet);
        if (to == TO_EFLAGS)
            e.cc = cc; /* FCOMI leaves C1 alone but for a stack fault */
        x87_done(c, &e);
        set_relation(c, to, rel);
        if (f80_env_void(&e))
            return true;
    }
    while (pops-- > 0)
        x87_pop(c);
    return true;
}

#define COMPARE(name, src, quiet, to, pops)                                                        \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return compare(c, i, src, quiet, to, pops);                                                \
    }
COMPARE(fcom_st, SRC_ST, false, TO_STATUS, 0)
COMPARE(fcom_m32, SRC_M32, false, TO_STATUS, 0)
COMPARE(fcom_m64, SRC_M64, false, TO_STATUS, 0)
COMPARE(fcom_i16, SRC_I16, false, TO_STATUS, 0)
COMPARE(fcom_i32, SRC_I32, false, TO_STATUS, 0)
COMPARE(fcomp_st, SRC_ST, false, TO_STATUS, 1)
COMPARE(fcomp_m32, SRC_M32, false, TO_STATUS, 1)
COMPARE(fcomp_m64, SRC_M64, false, TO_STATUS, 1)
COMPARE(fcomp_i16, SRC_I16, false, TO_STATUS, 1)
COMPARE(fcomp_i32, SRC_I32, false, TO_STATUS, 1)
COMPARE(fcompp, SRC_ST, false, TO_STATUS, 2)
COMPARE(fucom, SRC_ST, true, TO_STATUS, 0)
COMPARE(fucomp, SRC_ST, true, TO_STATUS, 1)
COMPARE(fucompp, SRC_ST, true, TO_STATUS, 2)
COMPARE(fcomi, SRC_ST, false, TO_EFLAGS, 0)
COMPARE(fcomip, SRC_ST, false, TO_EFLAGS, 1)
COMPARE(fucomi, SRC_ST, true, TO_EFLAGS, 0)
COMPARE(fucomip, SRC_ST, true, TO_EFLAGS, 1)

OP_NONE(ftst)
{
    if (!x87_begin(c))
        return false;
    struct f80_env e = x87_env(c);
    x87_note(c, i);
    if (x87_empty(c, 0)) {
        x87_stack_fault(c, false);
        set_relation(c, TO_STATUS, FP_UNORD);
        return true;
    }
    enum fp_rel rel = f80_cmp(&e, x87_get(c, 0), f80_zero(false), false);
    x87_done(c, &e);
    set_relation(c, TO_STATUS, rel);
    return true;
}

OP_NONE(fxam)
{
    if (!x87_begin(c))
        return false;
    x87_note(c, i);
    struct f80 v = x87_get(c, 0);
    uint16_t cc = f80_xam(v);
    if (x87_empty(c, 0))
        cc = (uint16_t)(FSW_C3 | FSW_C0 | (v.se & 0x8000 ? FSW_C1 : 0));
    c->fpu.sw = (uint16_t)((c->fpu.sw & ~F80_CC) | cc);
    return true;
}

/* -- One operand: ST(0) = fn(ST(0)) ------------------------------------------------------------ */

typedef struct f80 (*unary_fn)(struct f80_env *e, struct f80 a);

static bool unary(struct cpu *c, const struct insn *i, unary_fn fn)
{
    if (!x87_begin(c))
        return false;
    struct f80_env e = x87_env(c);
    x87_note(c, i);
    if (x87_empty(c, 0)) {
        if (x87_stack_fault(c, false))
            x87_set(c, 0, f80_indefinite());
        return true;
    }
    struct f80 res = fn(&e, x87_get(c, 0));
    x87_done(c, &e);
    if (!f80_env_void(&e))
        x87_set(c, 0, res);
    return true;
}

/* Sign changes raise nothing and clear C1. */
static struct f80 do_fchs(struct f80_env *e, struct f80 a)
{
    e->cc &= (uint16_t)~F80_C1;
    return f80_chs(a);
}

static struct f80 do_fabs(struct f80_env *e, struct f80 a)
{
    e->cc &= (uint16_t)~F80_C1;
    return f80_abs(a);
}

#define UNARY(name, fn)                                                                            \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return unary(c, i, fn);                                                                    \
    }
UNARY(fchs, do_fchs)
UNARY(fabs, do_fabs)
UNARY(fsqrt, f80_sqrt)
UNARY(frndint, f80_rndint)
UNARY(f2xm1, f80_2xm1)

/* C2 tells of an operand out of range, so that it is clear after a stack fault. */
static bool circular(struct cpu *c, const struct insn *i, unary_fn fn)
{
    if (!x87_begin(c))
        return false;
    c->fpu.sw &= (uint16_t)~FSW_C2;
    return unary(c, i, fn);
}

OP_NONE(fsin)
{
    return circular(c, i, f80_sin);
}
OP_NONE(fcos)
{
    return circular(c, i, f80_cos);
}

/* -- Two stack operands, result in ST(0) or in ST(1) with a pop -------------------------------- */

static bool stack_binary(struct cpu *c, const struct insn *i, binary_fn fn, bool pops)
{
    if (!x87_begin(c))
        return false;
    struct f80_env e = x87_env(c);
    x87_note(c, i);
    struct f80 res = f80_indefinite();
    if (x87_empty(c, 0) || x87_empty(c, 1)) {
        if (!x87_stack_fault(c, false))
            return true;
    } else {
        res = fn(&e, x87_get(c, 0), x87_get(c, 1));
        x87_done(c, &e);
        if (f80_env_void(&e))
            return true;
    }
    if (pops)
        x87_pop(c);
    x87_set(c, 0, res);
    return true;
}

static struct f80 rem_truncating(struct f80_env *e, struct f80 a, struct f80 b)
{
    return f80_rem(e, a, b, false);
}

static struct f80 rem_nearest(struct f80_env *e, struct f80 a, struct f80 b)
{
    return f80_rem(e, a, b, true);
}

#define STACK_BINARY(name, fn, pops)                                                               \
    OP_NONE(name)                                                                                  \
    {                                                                                              \
        return stack_binary(c, i, fn, pops);                                                       \
    }

/* C2 tells of a partial remainder, so that it is clear after a stack fault, too. */
static bool remainder_op(struct cpu *c, const struct insn *i, binary_fn fn)
{
    if (!x87_begin(c))
        return false;
    c->fpu.sw &= (uint16_t)~FSW_C2;
    return stack_binary(c, i, fn, false);
}

OP_NONE(fprem)
{
    return remainder_op(c, i, rem_truncating);
}
OP_NONE(fprem1)
{
    return remainder_op(c, i, rem_nearest);
}
STACK_BINARY(fscale, f80_scale, false)
STACK_BINARY(fyl2x, f80_yl2x, true)
STACK_BINARY(fyl2xp1, f80_yl2xp1, true)
STACK_BINARY(fpatan, f80_patan, true)

/* -- One operand, two results: the first replaces ST(0), the second is pushed ------------------ */

/* Computes both; returns what is pushed. */
typedef struct f80 (*pair_fn)(struct f80_env *e, struct f80 a, struct f80 *replaced);

static struct f80 pair_xtract(struct f80_env *e, struct f80 a, struct f80 *replaced)
{
    return f80_xtract(e, a, replaced);
}

static struct f80 pair_sincos(struct f80_env *e, struct f80 a, struct f80 *replaced)
{
    struct f80 cosine;
    *replaced = f80_sincos(e, a, &cosine);
    return cosine;
}

static struct f80 pair_tan(struct f80_env *e, struct f80 a, struct f80 *replaced)
{
    *replaced = f80_tan(e, a);
    bool nan = (replaced->se & 0x7fff) == 0x7fff && replaced->man << 1 != 0;
    return nan ? *replaced : f80_constant(F80_ONE, FP_RC_NEAREST);
}

static bool pair(struct cpu *c, const struct insn *i, pair_fn fn, bool may_be_partial)
{
    if (!x87_begin(c))
        return false;
    if (may_be_partial)
        c->fpu.sw &= (uint16_t)~FSW_C2;
    struct f80_env e = x87_env(c);
    x87_note(c, i);
    struct f80 first = f80_indefinite(), second = first;
    bool under = x87_empty(c, 0);
    if (under || !x87_empty(c, 7)) {
        if (!x87_stack_fault(c, !under))
            return true;
    } else {
        second = fn(&e, x87_get(c, 0), &first);
        x87_done(c, &e);
        if (f80_env_void(&e) || (may_be_partial && c->fpu.sw & FSW_C2))
            return true;
    }
    x87_set(c, 0, first);
    c->fpu.top = (c->fpu.top - 1) & 7;
    x87_set(c, 0, second);
    return true;
}

OP_NONE(fxtract)
{
    return pair(c, i, pair_xtract, false);
}
OP_NONE(fsincos)
{
    return pair(c, i, pair_sincos, true);
}
OP_NONE(fptan)
{
    return pair(c, i, pair_tan, true);
}
