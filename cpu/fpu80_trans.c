/* SPDX-License-Identifier: MIT */
/* Transcendental functions of the x87: SDM Vol. 1, 8.3.6-8.3.10 and the tables of the instruction
 * pages in Vol. 2. Special cases are decided here; the rest goes through MPFR at WORK bits, cut
 * towards zero with a sticky bit, and is rounded like any other result. Intel promises less than
 * one unit in the last place, so processors may differ from us in the last bit.
 *
 * Trigonometric functions reduce their argument with the 66-bit value of pi that processors contain
 * (SDM Vol. 1, 8.3.8), not with pi: far from zero results are those of the hardware, not of
 * mathematics.
 *
 * MPFR keeps a per-thread cache of constants, which cpu_thread_end() frees. */
#include "cpu/fpu80.h"

#include "cpu/cpu.h"
#include "cpu/fpu80_core.h"

#define MPFR_USE_INTMAX_T
#include <mpfr.h>

enum {
    WORK = 256,    /* exceeds 64 + 66 bits of a product with pi; no result lies so close to a tie */
    TRIG_MAX = 63, /* exponents from here on are out of range */
};

static void to_mpfr(mpfr_t v, const struct fp_num *n)
{
    mpfr_set_uj_2exp(v, n->sig, n->exp - 63, MPFR_RNDZ);
    if (n->sign)
        mpfr_neg(v, v, MPFR_RNDZ);
}

/* Operands of the functions that are defined for zeros and infinities as well. */
static void operand_to_mpfr(mpfr_t v, const struct f80_operand *x)
{
    if (x->kind == F80_IS_ZERO)
        mpfr_set_zero(v, x->n.sign ? -1 : 1);
    else if (x->kind == F80_INF)
        mpfr_set_inf(v, x->n.sign ? -1 : 1);
    else
        to_mpfr(v, &x->n);
}

/* Rounds v to the destination; inexact: v was cut towards zero. */
static struct f80 from_mpfr(struct f80_env *e, mpfr_t v, bool inexact)
{
    struct fp_num n = {.sign = mpfr_signbit(v) != 0};
    if (mpfr_inf_p(v))
        return f80_inf(n.sign);
    if (mpfr_zero_p(v))
        return f80_zero(n.sign);
    n.exp = (int32_t)mpfr_get_exp(v) - 1;
    mpfr_abs(v, v, MPFR_RNDZ);
    mpfr_set_exp(v, 64);
    n.sig = mpfr_get_uj(v, MPFR_RNDZ);
    mpfr_frac(v, v, MPFR_RNDZ);
    mpfr_mul_2ui(v, v, 64, MPFR_RNDZ);
    n.lo = mpfr_get_uj(v, MPFR_RNDZ) | (inexact || !mpfr_integer_p(v));
    return f80_pack(e, &n, 64);
}

/* x * ln 2 to more bits than are needed. */
static void times_ln2(mpfr_t x)
{
    mpfr_t ln2;
    mpfr_init2(ln2, WORK);
    mpfr_const_log2(ln2, MPFR_RNDZ);
    mpfr_mul(x, x, ln2, MPFR_RNDZ);
    mpfr_clear(ln2);
}

struct f80 f80_2xm1(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    f80_set_c1(e, false);
    if (f80_odd(&x))
        return f80_nan1(e, &x, a);
    if (x.kind == F80_INF)
        return x.n.sign ? f80_make(0xbfff, F80_INT_BIT) : a;
    if (!f80_denormal(e, x.denormal) || x.kind == F80_IS_ZERO)
        return a;
    if (x.n.exp >=
        0) { /* 1 and -1 are exact, but reported; the rest is undefined: as processors do */
        e->flags |= FP_PE;
        return x.n.sig == F80_INT_BIT && a.se == 0xbfff ? f80_make(0xbffe, F80_INT_BIT) : a;
    }
    mpfr_t v;
    mpfr_init2(v, WORK);
    to_mpfr(v, &x.n);
    times_ln2(v);
    mpfr_expm1(v, v, MPFR_RNDZ);
    struct f80 r = from_mpfr(e, v, true);
    mpfr_clear(v);
    return r;
}

/* y * log2(x) for x > 0, x != 1 and non-zero finite y; v holds log2(x), cut if inexact. Processors
 * report PE (and UE, for denormals) for exact results as well. */
static struct f80 times_log(struct f80_env *e, mpfr_t v, bool inexact, const struct f80_operand *y)
{
    mpfr_t factor;
    mpfr_init2(factor, 64);
    to_mpfr(factor, &y->n);
    inexact |= mpfr_mul(v, v, factor, MPFR_RNDZ) != 0;
    mpfr_clear(factor);
    struct f80 r = from_mpfr(e, v, inexact);
    e->flags |= FP_PE | (r.se & 0x7fff ? 0 : FP_UE);
    return r;
}

/* y * log2(x) where the logarithm is 0 or infinite, or y is. sign: of the logarithm. */
static struct f80 log_special(struct f80_env *e, enum f80_kind log, bool sign,
                              const struct f80_operand *y)
{
    sign ^= y->n.sign;
    if ((log == F80_IS_ZERO && y->kind == F80_INF) || (log == F80_INF && y->kind == F80_IS_ZERO))
        return f80_invalid(e);
    return log == F80_IS_ZERO || y->kind == F80_IS_ZERO ? f80_zero(sign) : f80_inf(sign);
}

struct f80 f80_yl2x(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if (x.n.sign && x.kind != F80_IS_ZERO)
        return f80_invalid(e);
    bool one = x.kind == F80_NUMBER && x.n.exp == 0 && x.n.sig == F80_INT_BIT;
    if ((one && y.kind == F80_INF) || (x.kind != F80_NUMBER && y.kind == F80_IS_ZERO))
        return f80_invalid(e);
    if (x.kind == F80_IS_ZERO && y.kind == F80_NUMBER) { /* takes precedence over DE */
        e->flags |= FP_ZE;
        return f80_inf(!y.n.sign);
    }
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    if (one)
        return f80_zero(y.n.sign);
    if (x.kind != F80_NUMBER)
        return log_special(e, F80_INF, x.kind == F80_IS_ZERO, &y);
    if (y.kind != F80_NUMBER)
        return log_special(e, F80_NUMBER, x.n.exp < 0, &y);
    mpfr_t v, arg;
    mpfr_inits2(WORK, v, arg, (mpfr_ptr)0);
    to_mpfr(arg, &x.n);
    bool inexact = mpfr_log2(v, arg, MPFR_RNDZ) != 0;
    struct f80 r = times_log(e, v, inexact, &y);
    mpfr_clears(v, arg, (mpfr_ptr)0);
    return r;
}

/* v = log2(1 + x); true: cut. */
static bool log2_1p(mpfr_t v, const struct fp_num *x)
{
    mpfr_t arg, sum;
    mpfr_inits2(WORK, arg, sum, (mpfr_ptr)0);
    to_mpfr(arg, x);
    bool inexact = mpfr_add_ui(sum, arg, 1, MPFR_RNDZ) != 0;
    if (!inexact && mpfr_min_prec(sum) == 1) {
        mpfr_set_si(v, mpfr_get_exp(sum) - 1, MPFR_RNDZ);
    } else {
        mpfr_log1p(v, arg, MPFR_RNDZ);
        mpfr_const_log2(sum, MPFR_RNDZ);
        mpfr_div(v, v, sum, MPFR_RNDZ);
        inexact = true;
    }
    mpfr_clears(arg, sum, (mpfr_ptr)0);
    return inexact;
}

struct f80 f80_yl2xp1(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if ((x.kind == F80_IS_ZERO && y.kind == F80_INF) ||
        (x.kind == F80_INF && (y.kind == F80_IS_ZERO || x.n.sign)))
        return f80_invalid(e);
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    if (x.kind != F80_NUMBER || y.kind != F80_NUMBER)
        return log_special(e, x.kind, x.n.sign, &y);
    if (x.n.sign && x.kind == F80_NUMBER && x.n.exp >= 0) { /* undefined; processors do this */
        e->flags |= FP_PE;
        return a;
    }
    mpfr_t v;
    mpfr_init2(v, WORK);
    bool inexact = log2_1p(v, &x.n);
    struct f80 r = times_log(e, v, inexact, &y);
    mpfr_clear(v);
    return r;
}

struct f80 f80_patan(struct f80_env *e, struct f80 a, struct f80 b)
{
    struct f80_operand x = f80_unpack(a), y = f80_unpack(b);
    f80_set_c1(e, false);
    if (f80_odd(&x) || f80_odd(&y))
        return f80_nan2(e, &x, a, &y, b);
    if (!f80_denormal(e, x.denormal || y.denormal))
        return a;
    mpfr_t vx, vy;
    mpfr_inits2(WORK, vx, vy, (mpfr_ptr)0);
    operand_to_mpfr(vx, &x);
    operand_to_mpfr(vy, &y);
    bool inexact = mpfr_atan2(vy, vy, vx, MPFR_RNDZ) != 0;
    struct f80 r = from_mpfr(e, vy, inexact);
    mpfr_clears(vx, vy, (mpfr_ptr)0);
    return r;
}

/* v = x - k * pi/2 for the k that makes it smallest; returns k mod 4. Exact for the 66-bit pi. */
static unsigned reduce(mpfr_t v, const struct fp_num *x)
{
    mpfr_t half_pi, k;
    to_mpfr(v, x);
    if (x->exp < -1) /* below 1/2, hence below pi/4 */
        return 0;
    mpfr_inits2(WORK, half_pi, k, (mpfr_ptr)0);
    /* pi = 0x3243f6a8885a308d3 * 2^-64 */
    mpfr_set_uj_2exp(half_pi, UINT64_C(0x3243f6a8885a308d), -61, MPFR_RNDZ);
    mpfr_set_uj_2exp(k, 3, -65, MPFR_RNDZ);
    mpfr_add(half_pi, half_pi, k, MPFR_RNDZ);
    mpfr_div(k, v, half_pi, MPFR_RNDZ);
    mpfr_rint(k, k, MPFR_RNDN);
    unsigned q = (unsigned)mpfr_get_sj(k, MPFR_RNDZ) & 3;
    mpfr_mul(k, k, half_pi, MPFR_RNDZ);
    mpfr_sub(v, v, k, MPFR_RNDZ);
    mpfr_clears(half_pi, k, (mpfr_ptr)0);
    return q;
}

/* What all trigonometric instructions do alike with zeros excepted: true if *r is the result
 * already. */
static bool trig_special(struct f80_env *e, const struct f80_operand *x, struct f80 a,
                         struct f80 *r)
{
    e->cc &= (uint16_t) ~(F80_C1 | F80_C2);
    *r = a;
    if (f80_odd(x))
        *r = f80_nan1(e, x, a);
    else if (x->kind == F80_INF)
        *r = f80_invalid(e);
    else if (!f80_denormal(e, x->denormal))
        return true;
    else if (x->kind == F80_NUMBER && x->n.exp >= TRIG_MAX)
        e->cc |= F80_C2;
    else
        return false;
    return true;
}

/* Sine of the angle reduced to v plus q right angles. */
static struct f80 sine(struct f80_env *e, mpfr_srcptr v, unsigned q)
{
    mpfr_t s;
    mpfr_init2(s, WORK);
    if (q & 1)
        mpfr_cos(s, v, MPFR_RNDZ);
    else
        mpfr_sin(s, v, MPFR_RNDZ);
    if (q & 2)
        mpfr_neg(s, s, MPFR_RNDZ);
    struct f80 r = from_mpfr(e, s, true);
    mpfr_clear(s);
    return r;
}

static struct f80 f80_one(void)
{
    return f80_make(0x3fff, F80_INT_BIT);
}

struct f80 f80_sincos(struct f80_env *e, struct f80 a, struct f80 *cosine)
{
    struct f80_operand x = f80_unpack(a);
    struct f80 r;
    if (trig_special(e, &x, a, &r))
        return *cosine = r;
    *cosine = f80_one();
    if (x.kind == F80_IS_ZERO)
        return a;
    mpfr_t v;
    mpfr_init2(v, WORK);
    unsigned q = reduce(v, &x.n);
    r = sine(e, v, q);
    *cosine = sine(e, v, q + 1);
    mpfr_clear(v);
    return r;
}

struct f80 f80_sin(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    struct f80 r;
    if (trig_special(e, &x, a, &r) || x.kind == F80_IS_ZERO)
        return r;
    mpfr_t v;
    mpfr_init2(v, WORK);
    unsigned q = reduce(v, &x.n);
    r = sine(e, v, q);
    mpfr_clear(v);
    return r;
}

struct f80 f80_cos(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    struct f80 r;
    if (trig_special(e, &x, a, &r))
        return r;
    if (x.kind == F80_IS_ZERO)
        return f80_one();
    mpfr_t v;
    mpfr_init2(v, WORK);
    unsigned q = reduce(v, &x.n);
    r = sine(e, v, q + 1);
    mpfr_clear(v);
    return r;
}

struct f80 f80_tan(struct f80_env *e, struct f80 a)
{
    struct f80_operand x = f80_unpack(a);
    struct f80 r;
    if (trig_special(e, &x, a, &r) || x.kind == F80_IS_ZERO)
        return r;
    mpfr_t v;
    mpfr_init2(v, WORK);
    unsigned q = reduce(v, &x.n);
    mpfr_tan(v, v, MPFR_RNDZ);
    if (q & 1) { /* tan(v + pi/2) = -1 / tan(v) */
        mpfr_ui_div(v, 1, v, MPFR_RNDZ);
        mpfr_neg(v, v, MPFR_RNDZ);
    }
    r = from_mpfr(e, v, true);
    mpfr_clear(v);
    return r;
}

void cpu_thread_end(void)
{
    mpfr_free_cache();
}
