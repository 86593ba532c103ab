/* SPDX-License-Identifier: MIT */
/* Shared by fpu80*.c only: decoding, NaN selection and encoding of 80-bit numbers. */
#ifndef CPU_FPU80_CORE_H
#define CPU_FPU80_CORE_H

#include "cpu/fp_core.h"
#include "cpu/fpu80.h"

#define F80_INT_BIT   (UINT64_C(1) << 63)
#define F80_QUIET_BIT (UINT64_C(1) << 62)

enum {
    F80_EMAX = 16383, /* also the bias */
    F80_EMIN = -16382,
    F80_WRAP = 24576 /* exponent adjustment of unmasked overflow and underflow */
};

enum f80_kind { F80_NUMBER, F80_IS_ZERO, F80_INF, F80_QNAN, F80_SNAN, F80_UNSUPPORTED };

struct f80_operand {
    struct fp_num n; /* valid for F80_NUMBER; sign always */
    enum f80_kind kind;
    bool denormal;
};

static inline struct f80_operand f80_unpack(struct f80 a)
{
    struct f80_operand o = {.kind = F80_NUMBER};
    int32_t exp = a.se & 0x7fff;
    o.n.sign = a.se >> 15;
    if (exp == 0) {
        o.kind = a.man ? F80_NUMBER : F80_IS_ZERO;
        o.denormal = a.man != 0;
        if (a.man)
            o.n = fp_normalize64(a.man, F80_EMIN, o.n.sign);
    } else if (!(a.man & F80_INT_BIT)) {
        o.kind = F80_UNSUPPORTED;
    } else if (exp == 0x7fff) {
        o.kind = a.man == F80_INT_BIT ? F80_INF : a.man & F80_QUIET_BIT ? F80_QNAN : F80_SNAN;
    } else {
        o.n.sig = a.man;
        o.n.exp = exp - F80_EMAX;
    }
    return o;
}

static inline void f80_set_c1(struct f80_env *e, bool up)
{
    e->cc = (uint16_t)((e->cc & ~F80_C1) | (up ? F80_C1 : 0));
}

static inline struct f80 f80_inf(bool sign)
{
    return f80_make(sign ? 0xffff : 0x7fff, F80_INT_BIT);
}

static inline struct f80 f80_invalid(struct f80_env *e)
{
    e->flags |= FP_IE;
    return f80_indefinite();
}

/* Reports DE; false: it is unmasked, stop. */
static inline bool f80_denormal(struct f80_env *e, bool denormal)
{
    if (denormal || e->den_src)
        e->flags |= FP_DE;
    return !(e->flags & ~e->masks & FP_DE);
}

/* Not a number in the widest sense: NaN or unsupported encoding. */
static inline bool f80_odd(const struct f80_operand *x)
{
    return x->kind >= F80_QNAN;
}

struct f80 f80_nan1(struct f80_env *e, const struct f80_operand *x, struct f80 a);

/* The NaN result of two operands of which one at least is f80_odd(). SDM Vol. 1, table 4-7. */
struct f80 f80_nan2(struct f80_env *e, const struct f80_operand *x, struct f80 a,
                    const struct f80_operand *y, struct f80 b);

/* Rounds to prec bits and encodes; raises OE, UE, PE and sets C1. */
struct f80 f80_pack(struct f80_env *e, const struct fp_num *n, unsigned prec);

/* Encodes a number that is known to be exact and normal. */
static inline struct f80 f80_pack_exact(const struct fp_num *n)
{
    return f80_make((uint16_t)(n->exp + F80_EMAX + (n->sign ? 0x8000 : 0)), n->sig);
}

#endif
