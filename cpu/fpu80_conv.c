/* SPDX-License-Identifier: MIT */
/* Conversions between the 80-bit format and the memory formats of the x87: binary32, binary64,
 * integers, packed BCD. SDM Vol. 1, 4.2 and 8.1.2; Vol. 2 FLD, FST, FIST, FISTTP, FBLD, FBSTP. */
#include "cpu/fpu80.h"

#include "cpu/fpu80_core.h"

#include <string.h>

struct fmt {
    unsigned frac;
    int32_t emax;
};

#define F32 ((struct fmt){23, 127})
#define F64 ((struct fmt){52, 1023})

/* Widening is exact for every encoding; *denormal tells what the 80-bit format cannot. */
static struct f80 widen(uint64_t a, struct fmt f, bool *denormal)
{
    uint16_t sign = a >> (f.frac == 52 ? 63 : 31) & 1 ? 0x8000 : 0;
    int32_t exp = (int32_t)(a >> f.frac) & (2 * f.emax + 1);
    uint64_t man = a << (63 - f.frac) & ~F80_INT_BIT;
    *denormal = exp == 0 && man;
    if (exp == 2 * f.emax + 1)
        return f80_make(sign | 0x7fff, man | F80_INT_BIT);
    if (exp)
        return f80_make((uint16_t)(sign | (exp - f.emax + F80_EMAX)), man | F80_INT_BIT);
    if (!man)
        return f80_make(sign, 0);
    struct fp_num n = fp_normalize64(man, 1 - f.emax, sign);
    return f80_pack_exact(&n);
}

static struct f80 load(struct f80_env *e, uint64_t a, struct fmt f)
{
    bool denormal;
    struct f80 r = widen(a, f, &denormal);
    f80_set_c1(e, false);
    if (denormal)
        e->flags |= FP_DE;
    if (f80_unpack(r).kind == F80_SNAN) {
        e->flags |= FP_IE;
        r.man |= F80_QUIET_BIT;
    }
    return r;
}

struct f80 f80_from_f32(struct f80_env *e, uint32_t a)
{
    return load(e, a, F32);
}

struct f80 f80_from_f64(struct f80_env *e, uint64_t a)
{
    return load(e, a, F64);
}

struct f80 f80_operand_f32(struct f80_env *e, uint32_t a)
{
    return widen(a, F32, &e->den_src);
}

struct f80 f80_operand_f64(struct f80_env *e, uint64_t a)
{
    return widen(a, F64, &e->den_src);
}

struct f80 f80_from_i64(int64_t a)
{
    if (a == 0)
        return f80_zero(false);
    struct fp_num n = fp_normalize64(a < 0 ? 0 - (uint64_t)a : (uint64_t)a, 63, a < 0);
    return f80_pack_exact(&n);
}

struct f80 f80_from_bcd(const uint8_t bcd[10])
{
    uint64_t v = 0;
    bool sign = bcd[9] & 0x80;
    for (int k = 8; k >= 0; k--)
        v = v * 100 + (uint64_t)(bcd[k] >> 4) * 10 + (bcd[k] & 15);
    if (!v)
        return f80_zero(sign);
    struct fp_num n = fp_normalize64(v, 63, sign);
    return f80_pack_exact(&n);
}

/* Unmasked overflow and underflow store nothing and do not report PE. */
static uint64_t store_overflow(struct f80_env *e, bool sign, uint64_t inf)
{
    e->flags |= FP_OE;
    if (!(e->masks & FP_OE))
        return inf;
    e->flags |= FP_PE;
    bool to_inf = fp_overflow_to_inf(e->rc, sign);
    f80_set_c1(e, to_inf);
    return to_inf ? inf : inf - 1;
}

static uint64_t store_tiny(struct f80_env *e, const struct fp_num *n, struct fmt f)
{
    if (!(e->masks & FP_UE)) {
        e->flags |= FP_UE;
        return 0;
    }
    struct fp_rounded d = fp_round_denormal(n, 1 - f.emax, 63 - f.frac, e->rc);
    f80_set_c1(e, d.up);
    if (d.inexact)
        e->flags |= FP_UE | FP_PE;
    return d.sig >> (63 - f.frac);
}

static uint64_t store(struct f80_env *e, struct f80 a, struct fmt f)
{
    struct f80_operand x = f80_unpack(a);
    uint64_t sign = x.n.sign ? UINT64_C(1) << (f.frac == 52 ? 63 : 31) : 0;
    uint64_t inf = (uint64_t)(2 * f.emax + 1) << f.frac;
    f80_set_c1(e, false);
    if (f80_odd(&x)) {
        struct f80 r = f80_nan1(e, &x, a);
        uint64_t neg = r.se >> 15 ? UINT64_C(1) << (f.frac == 52 ? 63 : 31) : 0;
        return neg | inf | (r.man & ~F80_INT_BIT) >> (63 - f.frac);
    }
    if (x.kind == F80_INF)
        return sign | inf;
    if (x.kind == F80_IS_ZERO)
        return sign;
    struct fp_rounded r = fp_round(x.n.sig, 0, 63 - f.frac, x.n.sign, e->rc);
    int32_t exp = x.n.exp + r.carry;
    if (exp > f.emax)
        return sign | store_overflow(e, x.n.sign, inf);
    if (exp < 1 - f.emax)
        return sign | store_tiny(e, &x.n, f);
    f80_set_c1(e, r.up);
    if (r.inexact)
        e->flags |= FP_PE;
    return sign + ((uint64_t)(exp + f.emax - 1) << f.frac) + (r.sig >> (63 - f.frac));
}

uint32_t f80_to_f32(struct f80_env *e, struct f80 a)
{
    return (uint32_t)store(e, a, F32);
}

uint64_t f80_to_f64(struct f80_env *e, struct f80 a)
{
    return store(e, a, F64);
}

/* The magnitude of a rounded to an integer <= limit (limit - 1 for positive numbers if asymmetric);
 * raises PE and sets C1. false: IE raised. */
static bool to_magnitude(struct f80_env *e, const struct f80_operand *x, enum fp_rc rc,
                         uint64_t limit, uint64_t *mag)
{
    struct fp_rounded how;
    *mag = 0;
    f80_set_c1(e, false);
    if (x->kind == F80_IS_ZERO)
        return true;
    if (x->kind != F80_NUMBER || !fp_num_to_int(&x->n, rc, mag, &how) || *mag > limit) {
        e->flags |= FP_IE;
        return false;
    }
    f80_set_c1(e, how.up);
    if (how.inexact)
        e->flags |= FP_PE;
    return true;
}

int64_t f80_to_int(struct f80_env *e, struct f80 a, unsigned n, bool trunc)
{
    struct f80_operand x = f80_unpack(a);
    const uint64_t limit = UINT64_C(1) << (n - 1);
    uint64_t mag;
    if (!to_magnitude(e, &x, trunc ? FP_RC_ZERO : e->rc, limit - !x.n.sign, &mag))
        return (int64_t)(0 - limit);
    return (int64_t)(x.n.sign ? 0 - mag : mag);
}

void f80_to_bcd(struct f80_env *e, struct f80 a, uint8_t bcd[10])
{
    static const uint8_t indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    struct f80_operand x = f80_unpack(a);
    uint64_t mag;
    if (!to_magnitude(e, &x, e->rc, UINT64_C(999999999999999999), &mag)) {
        memcpy(bcd, indefinite, sizeof(indefinite));
        return;
    }
    for (int k = 0; k < 9; k++) {
        bcd[k] = (uint8_t)(mag % 10 | mag / 10 % 10 << 4);
        mag /= 100;
    }
    bcd[9] = x.n.sign ? 0x80 : 0;
}
