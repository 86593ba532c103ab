/* SPDX-License-Identifier: MIT */
/* Inner arithmetic of softfp.c and fpu80.c, for those files only: finite non-zero numbers with a
 * normalised 64-bit significand plus 64 bits below it, and the rounding of such numbers to any
 * precision up to 64 bits.
 *
 * Invariant: fp_num.sig has bit 63 set; value = (-1)^sign * (sig + lo/2^64) * 2^(exp - 63). In lo
 * only "zero, below half, half, above half" must be right: results that do not fit are "jammed", a
 * lost non-zero part leaves bit 0 set. Operands always have lo = 0. */
#ifndef CPU_FP_CORE_H
#define CPU_FP_CORE_H

#include "cpu/fp.h"

struct fp_num {
    uint64_t sig;
    uint64_t lo;
    int32_t exp;
    bool sign;
};

struct fp_rounded {
    uint64_t sig;
    bool carry;   /* rounded up to the next power of two: sig is 2^63, exponent one higher */
    bool inexact; /* something was cut off */
    bool up;      /* magnitude was increased */
};

static inline int fp_clz(uint64_t v)
{
    return __builtin_clzll(v);
}

/* v >> n for any n, keeping "something was lost" in bit 0. */
static inline unsigned __int128 fp_shift_jam(unsigned __int128 v, uint32_t n)
{
    if (n == 0)
        return v;
    if (n >= 128)
        return v != 0;
    return v >> n | ((v << (128 - n)) != 0);
}

/* Whether to increase a magnitude that is odd or even, with frac/2^64 of a unit cut off. */
static inline bool fp_round_up(enum fp_rc rc, bool sign, bool odd, uint64_t frac)
{
    const uint64_t half = UINT64_C(1) << 63;
    switch (rc) {
    case FP_RC_NEAREST: return frac > half || (frac == half && odd);
    case FP_RC_DOWN: return sign && frac;
    case FP_RC_UP: return !sign && frac;
    default: return false;
    }
}

/* Rounds sig.lo to a multiple of 2^drop, drop in 0..63. */
static inline struct fp_rounded fp_round(uint64_t sig, uint64_t lo, unsigned drop, bool sign,
                                         enum fp_rc rc)
{
    struct fp_rounded r = {.sig = sig};
    uint64_t frac = drop ? sig << (64 - drop) | (lo != 0) : lo;
    if (!frac)
        return r;
    r.inexact = true;
    r.sig = sig >> drop << drop;
    r.up = fp_round_up(rc, sign, sig >> drop & 1, frac);
    if (r.up) {
        r.sig += UINT64_C(1) << drop;
        r.carry = r.sig == 0;
        if (r.carry)
            r.sig = UINT64_C(1) << 63;
    }
    return r;
}

/* The significand of a number whose exponent is under emin, shifted to emin and rounded there. */
static inline struct fp_rounded fp_round_denormal(const struct fp_num *n, int32_t emin,
                                                  unsigned drop, enum fp_rc rc)
{
    unsigned __int128 v = (unsigned __int128)n->sig << 64 | n->lo;
    v = fp_shift_jam(v, (uint32_t)(emin - n->exp));
    return fp_round((uint64_t)(v >> 64), (uint64_t)v, drop, n->sign, rc);
}

/* Whether an overflow under rc gives infinity (else the largest finite number). */
static inline bool fp_overflow_to_inf(enum fp_rc rc, bool sign)
{
    return rc == FP_RC_NEAREST || rc == (sign ? FP_RC_DOWN : FP_RC_UP);
}

/* (v / 2^127) * 2^exp normalised; v must not be 0. */
static inline struct fp_num fp_normalize128(unsigned __int128 v, int32_t exp, bool sign)
{
    uint64_t hi = (uint64_t)(v >> 64);
    int n = hi ? fp_clz(hi) : 64 + fp_clz((uint64_t)v);
    v <<= n;
    struct fp_num r = {(uint64_t)(v >> 64), (uint64_t)v, exp - n, sign};
    return r;
}

/* v * 2^(exp - 63) for v != 0. */
static inline struct fp_num fp_normalize64(uint64_t v, int32_t exp, bool sign)
{
    int n = fp_clz(v);
    struct fp_num r = {v << n, 0, exp - n, sign};
    return r;
}

/* Sum of two numbers given as 128-bit significands with bit 127 clear, exponents for bit 126.
 * Returns false for an exact zero. Bits shifted out are jammed: right as long as the lower operand
 * either keeps all its bits or is at least four times smaller. */
static inline bool fp_add128(unsigned __int128 va, int32_t ea, bool sa, unsigned __int128 vb,
                             int32_t eb, bool sb, struct fp_num *r)
{
    int32_t exp = ea > eb ? ea : eb;
    va = fp_shift_jam(va, (uint32_t)(exp - ea));
    vb = fp_shift_jam(vb, (uint32_t)(exp - eb));
    unsigned __int128 v = va + vb;
    bool sign = sa;
    if (sa != sb) {
        sign = va > vb ? sa : sb;
        v = va > vb ? va - vb : vb - va;
        if (v == 0)
            return false;
    }
    *r = fp_normalize128(v, exp + 1, sign);
    return true;
}

static inline bool fp_num_add(const struct fp_num *a, const struct fp_num *b, struct fp_num *r)
{
    return fp_add128((unsigned __int128)a->sig << 63, a->exp, a->sign,
                     (unsigned __int128)b->sig << 63, b->exp, b->sign, r);
}

static inline struct fp_num fp_num_mul(const struct fp_num *a, const struct fp_num *b)
{
    unsigned __int128 v = (unsigned __int128)a->sig * b->sig;
    return fp_normalize128(v, a->exp + b->exp + 1, a->sign != b->sign);
}

static inline struct fp_num fp_num_div(const struct fp_num *a, const struct fp_num *b)
{
    int below = a->sig < b->sig;
    unsigned __int128 v = (unsigned __int128)a->sig << (63 + below);
    uint64_t q = (uint64_t)(v / b->sig);
    uint64_t rem = (uint64_t)(v - (unsigned __int128)q * b->sig);
    uint64_t lo = 0;
    if (rem) /* twice the remainder never equals the divisor: q would need a 65th bit exactly */
        lo = rem > b->sig - rem    ? UINT64_C(1) << 63 | 1
             : rem == b->sig - rem ? UINT64_C(1) << 63
                                   : 1;
    struct fp_num r = {q, lo, a->exp - b->exp - below, a->sign != b->sign};
    return r;
}

/* floor(sqrt(v)) of v >= 2^62, one result bit per step. */
static inline uint32_t fp_isqrt64(uint64_t v, uint64_t *rem)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
        if (v >= root + bit) {
            v -= root + bit;
            root = root >> 1 | bit;
        } else {
            root >>= 1;
        }
    }
    *rem = v;
    return (uint32_t)root;
}

/* Square root of a positive number: the upper half of the root digit by digit, the lower half by
 * one division with correction (Zimmermann, "Karatsuba square root"). */
static inline struct fp_num fp_num_sqrt(const struct fp_num *a)
{
    int odd = a->exp & 1;
    unsigned __int128 v = (unsigned __int128)a->sig << (63 + odd);
    uint64_t rem;
    uint64_t s = fp_isqrt64((uint64_t)(v >> 64), &rem);
    unsigned __int128 num = (unsigned __int128)rem << 32 | (uint32_t)(v >> 32);
    uint64_t q = (uint64_t)(num / (2 * s)), u = (uint64_t)(num % (2 * s));
    unsigned __int128 root = ((unsigned __int128)s << 32) + q;
    __int128 r = (__int128)(((unsigned __int128)u << 32) | (uint32_t)v) -
                 (__int128)((unsigned __int128)q * q);
    if (r < 0) {
        root -= 1;
        r += (__int128)(2 * root + 1);
    }
    uint64_t lo = 0;
    if (r)
        lo = (unsigned __int128)r > root ? UINT64_C(1) << 63 | 1 : 1;
    struct fp_num res = {(uint64_t)root, lo, (a->exp - odd) / 2, false};
    return res;
}

/* Rounds the magnitude sig * 2^(exp - 63) to an integer; false if it does not fit 64 bits. sig may
 * be any value with bit 63 set. */
static inline bool fp_num_to_int(const struct fp_num *a, enum fp_rc rc, uint64_t *out,
                                 struct fp_rounded *how)
{
    *how = (struct fp_rounded){0};
    if (a->exp > 63)
        return false;
    uint64_t ip = 0, frac = 1; /* below a quarter: only "not zero" matters */
    if (a->exp == 63) {
        ip = a->sig;
        frac = 0;
    } else if (a->exp >= 0) {
        ip = a->sig >> (63 - a->exp);
        frac = a->sig << (a->exp + 1);
    } else if (a->exp == -1) {
        frac = a->sig;
    }
    how->inexact = frac != 0;
    how->up = fp_round_up(rc, a->sign, ip & 1, frac);
    *out = ip + how->up;
    return true;
}

#endif
