/* SPDX-License-Identifier: MIT */
/* Arithmetic on 80-bit extended numbers: see fpu80.h. Follows SDM Vol. 1 chapters 4.8 and 8.5 and
 * the instruction pages of Vol. 2; where those are silent (order of exceptions, partial remainders,
 * results of unmasked underflow), what Intel processors do, as tests/diff/fp_diff.c shows. */
#include "cpu/fpu80.h"

#include "cpu/fpu80_core.h"

struct f80 f80_nan1(struct f80_env *e, const struct f80_operand *x, struct f80 a)
{
    if (x->kind == F80_UNSUPPORTED)
        return f80_invalid(e);
    if (x->kind == F80_SNAN)
        e->flags |= FP_IE;
    return f80_make(a.se, a.man | F80_QUIET_BIT);
}

struct f80 f80_nan2(struct f80_env *e, const struct f80_operand *x, struct f80 a,
                    const struct f80_operand *y, struct f80 b)
{
    if (x->kind == F80_UNSUPPORTED || y->kind == F80_UNSUPPORTED)
        return f80_invalid(e);
    if (x->kind == F80_SNAN || y->kind == F80_SNAN)
        e->flags |= FP_IE;
    bool first = f80_odd(x);
    if (f80_odd(x) && f80_odd(y)) {
        if (x->kind != y->kind)
            first = x->kind == F80_QNAN;
        else if (a.man != b.man)
            first = a.man > b.man;
        else
            first = !x->n.sign;
    }
    struct f80 r = first ? a : b;
    r.man |= F80_QUIET_BIT;
    return r;
}

/* Only FSCALE gets so far out of range that even the wrapped exponent does not fit: then the
 * unmasked response is an infinity (below, a zero), whatever the rounding mode. */
static struct f80 pack_overflow(struct f80_env *e, const struct fp_num *n,
                                const struct fp_rounded *r, int32_t exp, unsigned prec)
{
    e->flags |= FP_OE;
    if (!(e->masks & FP_OE)) {
        exp -= F80_WRAP;
        if (exp <= F80_EMAX) {
            f80_set_c1(e, r->up);
            e->flags |= r->inexact ? FP_PE : 0;
            return f80_make((uint16_t)(exp + F80_EMAX + (n->sign ? 0x8000 : 0)), r->sig);
        }
    }
    e->flags |= FP_PE;
    bool inf = !(e->masks & FP_OE) || fp_overflow_to_inf(e->rc, n->sign);
    f80_set_c1(e, inf);
    if (inf)
        return f80_inf(n->sign);
    return f80_make(n->sign ? 0xfffe : 0x7ffe, ~UINT64_C(0) << (64 - prec));
}

static struct f80 pack_tiny(struct f80_env *e, const struct fp_num *n, const struct fp_rounded *r,
                            int32_t exp, unsigned prec)
{
    if (!(e->masks & FP_UE)) {
        exp += F80_WRAP;
        e->flags |= FP_UE;
        if (exp >= F80_EMIN) {
            f80_set_c1(e, r->up);
            e->flags |= r->inexact ? FP_PE : 0;
            return f80_make((uint16_t)(exp + F80_EMAX + (n->sign ? 0x8000 : 0)), r->sig);
        }
        e->flags |= FP_PE;
        return f80_zero(n->sign);
    }
    struct fp_rounded d = fp_round_denormal(n, F80_EMIN, 64 - prec, e->rc);
    f80_set_c1(e, d.up);
    if (d.inexact)
        e->flags |= FP_UE | FP_PE;
    return f80_make((uint16_t)((d.sig >> 63) | (n->sign ? 0x8000 : 0)), d.sig);
}

struct f80 f80_pack(struct f80_env *e, const struct fp_num *n, unsigned prec)
{
    struct fp_rounded r = fp_round(n->sig, n->lo, 64 - prec, n->sign, e->rc);
    int32_t exp = n->exp + r.carry;
    if (exp > F80_EMAX)
        return pack_overflow(e, n, &r, exp, prec);
    if (exp < F80_EMIN)
        return pack_tiny(e, n, &r, exp, prec);
    f80_set_c1(e, r.up);
    if (r.inexact)
        e->flags |= FP_PE;
    return f80_make((uint16_t)(exp + F80_EMAX + (n->sign ? 0x8000 : 0)), r.sig);
}

static unsigned precision(const struct f80_env *e)
{
    return e->pc == F80_PC_24 ? 24 : e->pc == F80_PC_53 ? 53 : 64;
}

static struct f80 sum(struct f80_env *e, struct f80 a, struct f80 b, bool sub)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    y.n.sign ^= sub;
    if (x.kind == F80_INF && y.kind == F80_INF && x.n.sign != y.n.sign)
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    if (x.kind == F80_INF || y.kind == F80_INF)
        return f80_inf(x.kind == F80_INF ? x.n.sign : y.n.sign);
    struct fp_num r = x.kind == F80_IS_ZERO ? y.n : x.n;
    if (x.kind == F80_IS_ZERO && y.kind == F80_IS_ZERO)
        return f80_zero(x.n.sign == y.n.sign ? x.n.sign : e->rc == FP_RC_DOWN);
    if (x.kind == F80_NUMBER && y.kind == F80_NUMBER && !fp_num_add(&x.n, &y.n, &r))
        return f80_zero(e->rc == FP_RC_DOWN);
    return f80_pack(e, &r, precision(e));
}

struct f80 f80_add(struct f80_env *e, struct f80 a, struct f80 b)
{
    return sum(e, a, b, false);
}

struct f80 f80_sub(struct f80_env *e, struct f80 a, struct f80 b)
{
    return sum(e, a, b, true);
}

struct f80 f80_mul(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if ((x.kind == F80_INF && y.kind == F80_IS_ZERO) ||
        (x.kind == F80_IS_ZERO && y.kind == F80_INF))
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    bool sign = x.n.sign != y.n.sign;
    if (x.kind == F80_INF || y.kind == F80_INF)
        return f80_inf(sign);
    if (x.kind == F80_IS_ZERO || y.kind == F80_IS_ZERO)
        return f80_zero(sign);
    struct fp_num r = fp_num_mul(&x.n, &y.n);
    return f80_pack(e, &r, precision(e));
}

struct f80 f80_div(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    bool sign = x.n.sign != y.n.sign;
    if (x.kind == y.kind && x.kind != F80_NUMBER)
        return f80_invalid(e);
    if (y.kind == F80_IS_ZERO && x.kind == F80_NUMBER) { /* takes precedence over DE */
        e->flags |= FP_ZE;
        return f80_inf(sign);
    }
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    if (x.kind == F80_INF || y.kind == F80_IS_ZERO)
        return f80_inf(sign);
    if (x.kind == F80_IS_ZERO || y.kind == F80_INF)
        return f80_zero(sign);
    struct fp_num r = fp_num_div(&x.n, &y.n);
    return f80_pack(e, &r, precision(e));
}

struct f80 f80_sqrt(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    f80_set_c1(e, false);
    if (f80_odd(&x))
        return f80_nan1(e, &x, a);
    if (x.kind == F80_IS_ZERO)
        return a;
    if (x.n.sign)
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal) || x.kind == F80_INF)
        return a;
    struct fp_num r = fp_num_sqrt(&x.n);
    return f80_pack(e, &r, precision(e));
}

/* Condition codes of a complete remainder. */
static void set_quotient(struct f80_env *e, unsigned q)
{
    e->cc = (uint16_t)((q & 4 ? F80_C0 : 0) | (q & 2 ? F80_C3 : 0) | (q & 1 ? F80_C1 : 0));
}

/* The remainder of two numbers whose exponents differ by d >= -1; nearest if asked. The remainder
 * is exact, but may be denormal. */
static struct f80 rem_finish(struct f80_env *e, const struct fp_num *a, const struct fp_num *b,
                             int32_t d, bool nearest)
{
    unsigned __int128 num = (unsigned __int128)a->sig << (d < 0 ? 0 : d);
    unsigned __int128 den = (unsigned __int128)b->sig << (d < 0 ? 1 : 0);
    unsigned __int128 q = num / den, r = num - q * den;
    bool sign = a->sign;
    if (nearest && (r > den - r || (r == den - r && (q & 1)))) {
        r = den - r;
        q++;
        sign = !sign;
    }
    struct f80 result = f80_zero(a->sign);
    if (r) {
        struct fp_num n = fp_normalize128(r, (d < 0 ? a->exp : b->exp) + 64, sign);
        result = f80_pack(e, &n, 64);
    }
    set_quotient(e, (unsigned)q & 7);
    return result;
}

/* One step of a reduction over 2^63 or more: subtracts a multiple of b that brings the exponent
 * down by n, 32..63, chosen as Intel processors do (SDM: "implementation-dependent"). */
static struct f80 rem_partial(struct f80_env *e, const struct fp_num *a, const struct fp_num *b,
                              int32_t d)
{
    int32_t n = 32 | (d & 31);
    unsigned __int128 num = (unsigned __int128)a->sig << n;
    unsigned __int128 r = num % b->sig;
    e->cc = F80_C2;
    if (!r)
        return f80_zero(a->sign);
    struct fp_num res = fp_normalize128(r, b->exp + d - n + 64, a->sign);
    return f80_pack(e, &res, 64);
}

/* An operand as a result: a pseudo-denormal gets the exponent that its value has. */
static struct f80 canonical(struct f80 a)
{
    if (!(a.se & 0x7fff) && a.man & F80_INT_BIT)
        a.se++;
    return a;
}

struct f80 f80_rem(struct f80_env *e, struct f80 a, struct f80 b, bool nearest)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    e->cc &= (uint16_t) ~(F80_C1 | F80_C2);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if (x.kind == F80_INF || y.kind == F80_IS_ZERO)
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    int32_t d = x.n.exp - y.n.exp;
    if (x.kind == F80_IS_ZERO || y.kind == F80_INF || d < -1 || (d < 0 && !nearest)) {
        bool same = x.kind == F80_IS_ZERO || y.kind == F80_INF; /* else an unmasked UE can occur */
        struct f80 r = same ? canonical(a) : f80_pack(e, &x.n, 64);
        set_quotient(e, 0);
        return r;
    }
    if (d >= 64)
        return rem_partial(e, &x.n, &y.n, d);
    return rem_finish(e, &x.n, &y.n, d, nearest);
}

struct f80 f80_rndint(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    f80_set_c1(e, false);
    if (f80_odd(&x))
        return f80_nan1(e, &x, a);
    if (!f80_denormal(e, x.denormal) || x.kind != F80_NUMBER || x.n.exp >= 63)
        return a;
    struct fp_rounded how;
    uint64_t mag = 0;
    fp_num_to_int(&x.n, e->rc, &mag, &how);
    f80_set_c1(e, how.up);
    if (how.inexact)
        e->flags |= FP_PE;
    if (!mag)
        return f80_zero(x.n.sign);
    struct fp_num n = fp_normalize64(mag, 63, x.n.sign);
    return f80_pack_exact(&n);
}

/* trunc(b), limited to what certainly overflows or underflows. */
static int32_t scale_amount(const struct f80_operand *y)
{
    struct fp_rounded how;
    uint64_t mag = 0;
    if (y->kind == F80_IS_ZERO)
        return 0;
    if (!fp_num_to_int(&y->n, FP_RC_ZERO, &mag, &how) || mag > 0x20000)
        mag = 0x20000;
    return y->n.sign ? -(int32_t)mag : (int32_t)mag;
}

struct f80 f80_scale(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if (y.kind == F80_INF && x.kind == (y.n.sign ? F80_INF : F80_IS_ZERO))
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal || y.denormal) || x.kind != F80_NUMBER || y.kind == F80_IS_ZERO)
        return canonical(a);
    if (y.kind == F80_INF)
        return y.n.sign ? f80_zero(x.n.sign) : f80_inf(x.n.sign);
    x.n.exp += scale_amount(&y);
    return f80_pack(e, &x.n, 64);
}

struct f80 f80_xtract(struct f80_env *e, struct f80 a, struct f80 *exponent)
{
    struct f80_operand x = f80_unpack(a);
    f80_set_c1(e, false);
    if (f80_odd(&x))
        return *exponent = f80_nan1(e, &x, a);
    if (x.kind == F80_IS_ZERO) {
        e->flags |= FP_ZE;
        *exponent = f80_inf(true);
        return a;
    }
    *exponent = f80_inf(false);
    if (!f80_denormal(e, x.denormal) || x.kind == F80_INF)
        return a;
    *exponent = f80_from_i64(x.n.exp);
    x.n.exp = 0;
    return f80_pack_exact(&x.n);
}

static enum fp_rel compare_magnitude(const struct f80_operand *x, const struct f80_operand *y)
{
    if (x->kind != y->kind) /* F80_IS_ZERO < F80_NUMBER < F80_INF */
        return x->kind == F80_IS_ZERO || y->kind == F80_INF ? FP_LESS : FP_GREATER;
    if (x->kind != F80_NUMBER)
        return FP_EQUAL;
    if (x->n.exp != y->n.exp)
        return x->n.exp < y->n.exp ? FP_LESS : FP_GREATER;
    return x->n.sig == y->n.sig ? FP_EQUAL : x->n.sig < y->n.sig ? FP_LESS : FP_GREATER;
}

enum fp_rel f80_cmp(struct f80_env *e, struct f80 a, struct f80 b, bool quiet)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y)) {
        if (!quiet || x.kind > F80_QNAN || y.kind > F80_QNAN)
            e->flags |= FP_IE;
        return FP_UNORD;
    }
    f80_denormal(e, x.denormal || y.denormal);
    if (x.kind == F80_IS_ZERO && y.kind == F80_IS_ZERO)
        return FP_EQUAL;
    if (x.n.sign != y.n.sign)
        return x.n.sign ? FP_LESS : FP_GREATER;
    return x.n.sign ? compare_magnitude(&y, &x) : compare_magnitude(&x, &y);
}

uint16_t f80_rel_cc(enum fp_rel rel)
{
    switch (rel) {
    case FP_LESS: return F80_C0;
    case FP_EQUAL: return F80_C3;
    case FP_GREATER: return 0;
    default: return F80_C3 | F80_C2 | F80_C0;
    }
}

uint16_t f80_xam(struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    uint16_t c1 = x.n.sign ? F80_C1 : 0;
    switch (x.kind) {
    case F80_UNSUPPORTED: return c1;
    case F80_QNAN:
    case F80_SNAN: return c1 | F80_C0;
    case F80_INF: return c1 | F80_C2 | F80_C0;
    case F80_IS_ZERO: return c1 | F80_C3;
    default: return c1 | F80_C2 | (x.denormal ? F80_C3 : 0);
    }
}

struct f80 f80_constant(enum f80_const k, enum fp_rc rc)
{
    /* 64 bits, whether what follows is more than half a unit, and the exponent. */
    static const struct {
        uint64_t man;
        uint16_t se;
        bool inexact, above_half;
    } table[] = {
        [F80_ONE] = {UINT64_C(0x8000000000000000), 0x3fff, false, false},
        [F80_L2T] = {UINT64_C(0xd49a784bcd1b8afe), 0x4000, true, false},
        [F80_L2E] = {UINT64_C(0xb8aa3b295c17f0bb), 0x3fff, true, true},
        [F80_PI] = {UINT64_C(0xc90fdaa22168c234), 0x4000, true, true},
        [F80_LG2] = {UINT64_C(0x9a209a84fbcff798), 0x3ffd, true, true},
        [F80_LN2] = {UINT64_C(0xb17217f7d1cf79ab), 0x3ffe, true, true},
        [F80_ZERO] = {0, 0, false, false},
    };
    bool up = rc == FP_RC_UP ? table[k].inexact : rc == FP_RC_NEAREST && table[k].above_half;
    return f80_make(table[k].se, table[k].man + up);
}
