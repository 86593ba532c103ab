/* SPDX-License-Identifier: MIT */
/* SSE arithmetic on binary32 and binary64: see softfp.h. One body serves both widths: functions
 * take a constant struct fmt and are inlined into the public entry points, where it folds away.
 *
 * Fast paths: the host's own float and double give the answer where nothing but PE could be raised
 * and PE is already sticky and masked: round to nearest, operands zero or normal, result clearly
 * normal (or an exact zero sum). Everything else goes through fp_core.h. This file must be compiled
 * with -ffp-contract=off. */
#include "cpu/softfp.h"

#include "cpu/fp_core.h"

#include <string.h>

struct fmt {
    unsigned frac; /* fraction bits stored */
    int32_t emax;  /* largest exponent of a finite number; also the bias */
};

#define F16    ((struct fmt){10, 15})
#define F32    ((struct fmt){23, 127})
#define F64    ((struct fmt){52, 1023})
#define INLINE static inline __attribute__((always_inline))

enum kind { NUMBER, ZERO, INF, QNAN, SNAN };

struct operand {
    struct fp_num n; /* valid for NUMBER; sign always */
    enum kind kind;
    bool denormal; /* and DAZ is off */
};

INLINE uint64_t sign_bit(struct fmt f)
{
    return f.frac == 52 ? UINT64_C(1) << 63 : f.frac == 23 ? UINT64_C(1) << 31 : UINT64_C(1) << 15;
}

INLINE uint64_t exp_mask(struct fmt f)
{
    return (uint64_t)(2 * f.emax + 1) << f.frac;
}

INLINE uint64_t quiet_bit(struct fmt f)
{
    return UINT64_C(1) << (f.frac - 1);
}

INLINE uint64_t indefinite(struct fmt f)
{
    return sign_bit(f) | exp_mask(f) | quiet_bit(f);
}

INLINE bool is_nan(uint64_t a, struct fmt f)
{
    return (a & ~sign_bit(f)) > exp_mask(f);
}

INLINE bool is_snan(uint64_t a, struct fmt f)
{
    return is_nan(a, f) && !(a & quiet_bit(f));
}

INLINE bool is_denormal(uint64_t a, struct fmt f)
{
    uint64_t mag = a & ~sign_bit(f);
    return mag && mag < UINT64_C(1) << f.frac;
}

/* An operand under DAZ: denormals become zeros of their sign. */
INLINE uint64_t apply_daz(const struct fp_env *e, uint64_t a, struct fmt f)
{
    return e->daz && is_denormal(a, f) ? a & sign_bit(f) : a;
}

INLINE struct operand unpack(const struct fp_env *e, uint64_t a, struct fmt f)
{
    struct operand o = {.kind = NUMBER};
    uint64_t man = a & ((UINT64_C(1) << f.frac) - 1);
    int32_t exp = (int32_t)((a & exp_mask(f)) >> f.frac);
    o.n.sign = (a & sign_bit(f)) != 0;
    if (exp == 2 * f.emax + 1) {
        o.kind = man == 0 ? INF : man & quiet_bit(f) ? QNAN : SNAN;
    } else if (exp != 0) {
        o.n.sig = (man | UINT64_C(1) << f.frac) << (63 - f.frac);
        o.n.exp = exp - f.emax;
    } else if (man == 0 || e->daz) {
        o.kind = ZERO;
    } else {
        o.n = fp_normalize64(man, 1 - f.emax + 63 - (int32_t)f.frac, o.n.sign);
        o.denormal = true;
    }
    return o;
}

INLINE uint64_t pack_zero(bool sign, struct fmt f)
{
    return sign ? sign_bit(f) : 0;
}

INLINE uint64_t pack_inf(bool sign, struct fmt f)
{
    return pack_zero(sign, f) | exp_mask(f);
}

INLINE uint64_t pack_overflow(struct fp_env *e, bool sign, bool inexact, enum fp_rc rc,
                              struct fmt f)
{
    bool masked = e->masks & FP_OE;
    e->flags |= FP_OE | (masked || inexact ? FP_PE : 0);
    return fp_overflow_to_inf(rc, sign) ? pack_inf(sign, f) : pack_inf(sign, f) - 1;
}

/* A tiny result. full: as rounded with unbounded exponent, which is what an unmasked underflow
 * handler would be given. */
INLINE uint64_t pack_tiny(struct fp_env *e, const struct fp_num *n, bool full_inexact,
                          enum fp_rc rc, struct fmt f)
{
    bool masked = e->masks & FP_UE;
    if (masked && e->ftz) {
        e->flags |= FP_UE | FP_PE;
        return pack_zero(n->sign, f);
    }
    struct fp_rounded d = fp_round_denormal(n, 1 - f.emax, 63 - f.frac, rc);
    if (!masked)
        e->flags |= FP_UE | (full_inexact ? FP_PE : 0);
    else if (d.inexact)
        e->flags |= FP_UE | FP_PE;
    return pack_zero(n->sign, f) | d.sig >> (63 - f.frac);
}

/* Rounds and encodes; raises OE, UE, PE. */
INLINE uint64_t pack(struct fp_env *e, const struct fp_num *n, enum fp_rc rc, struct fmt f)
{
    struct fp_rounded r = fp_round(n->sig, n->lo, 63 - f.frac, n->sign, rc);
    int32_t exp = n->exp + r.carry;
    if (exp > f.emax)
        return pack_overflow(e, n->sign, r.inexact, rc, f);
    if (exp < 1 - f.emax)
        return pack_tiny(e, n, r.inexact, rc, f);
    if (r.inexact)
        e->flags |= FP_PE;
    /* The integer bit, added to the exponent field, makes the bias right. */
    return pack_zero(n->sign, f) + ((uint64_t)(exp + f.emax - 1) << f.frac) +
           (r.sig >> (63 - f.frac));
}

INLINE uint64_t invalid(struct fp_env *e, struct fmt f)
{
    e->flags |= FP_IE;
    return indefinite(f);
}

INLINE uint64_t nan2(struct fp_env *e, uint64_t a, uint64_t b, struct fmt f)
{
    if (is_snan(a, f) || is_snan(b, f))
        e->flags |= FP_IE;
    return (is_nan(a, f) ? a : b) | quiet_bit(f);
}

/* Sign of an exact zero sum. */
INLINE bool zero_sum_sign(bool sa, bool sb, enum fp_rc rc)
{
    return sa == sb ? sa : rc == FP_RC_DOWN;
}

INLINE uint64_t add(struct fp_env *e, uint64_t a, uint64_t b, bool sub, struct fmt f)
{
    if (is_nan(a, f) || is_nan(b, f))
        return nan2(e, a, b, f);
    struct operand x = unpack(e, a, f), y = unpack(e, b, f);
    y.n.sign ^= sub;
    if (x.kind == INF && y.kind == INF && x.n.sign != y.n.sign)
        return invalid(e, f);
    if (x.denormal || y.denormal)
        e->flags |= FP_DE;
    if (x.kind == INF || y.kind == INF)
        return pack_inf(x.kind == INF ? x.n.sign : y.n.sign, f);
    struct fp_num r = x.kind == ZERO ? y.n : x.n;
    if (x.kind == ZERO && y.kind == ZERO)
        return pack_zero(zero_sum_sign(x.n.sign, y.n.sign, e->rc), f);
    if (x.kind == NUMBER && y.kind == NUMBER && !fp_num_add(&x.n, &y.n, &r))
        return pack_zero(e->rc == FP_RC_DOWN, f);
    return pack(e, &r, e->rc, f);
}

INLINE uint64_t mul(struct fp_env *e, uint64_t a, uint64_t b, struct fmt f)
{
    if (is_nan(a, f) || is_nan(b, f))
        return nan2(e, a, b, f);
    struct operand x = unpack(e, a, f), y = unpack(e, b, f);
    if ((x.kind == INF && y.kind == ZERO) || (x.kind == ZERO && y.kind == INF))
        return invalid(e, f);
    if (x.denormal || y.denormal)
        e->flags |= FP_DE;
    bool sign = x.n.sign != y.n.sign;
    if (x.kind == INF || y.kind == INF)
        return pack_inf(sign, f);
    if (x.kind == ZERO || y.kind == ZERO)
        return pack_zero(sign, f);
    struct fp_num r = fp_num_mul(&x.n, &y.n);
    return pack(e, &r, e->rc, f);
}

INLINE uint64_t divide(struct fp_env *e, uint64_t a, uint64_t b, struct fmt f)
{
    if (is_nan(a, f) || is_nan(b, f))
        return nan2(e, a, b, f);
    struct operand x = unpack(e, a, f), y = unpack(e, b, f);
    bool sign = x.n.sign != y.n.sign;
    if (x.kind == y.kind && (x.kind == INF || x.kind == ZERO))
        return invalid(e, f);
    if (y.kind == ZERO && x.kind == NUMBER) { /* takes precedence over DE */
        e->flags |= FP_ZE;
        return pack_inf(sign, f);
    }
    if (x.denormal || y.denormal)
        e->flags |= FP_DE;
    if (x.kind == INF || y.kind == ZERO)
        return pack_inf(sign, f);
    if (x.kind == ZERO || y.kind == INF)
        return pack_zero(sign, f);
    struct fp_num r = fp_num_div(&x.n, &y.n);
    return pack(e, &r, e->rc, f);
}

INLINE uint64_t square_root(struct fp_env *e, uint64_t a, struct fmt f)
{
    if (is_nan(a, f))
        return nan2(e, a, a, f);
    struct operand x = unpack(e, a, f);
    if (x.kind == ZERO)
        return pack_zero(x.n.sign, f);
    if (x.n.sign)
        return invalid(e, f);
    if (x.kind == INF)
        return pack_inf(false, f);
    if (x.denormal)
        e->flags |= FP_DE;
    struct fp_num r = fp_num_sqrt(&x.n);
    return pack(e, &r, e->rc, f);
}

/* The NaN cases of fma: priority a, b, c; 0 * inf is invalid unless a or b is a NaN, and then gives
 * c's NaN quieted if c is one. */
INLINE uint64_t fma_nan(struct fp_env *e, uint64_t a, uint64_t b, uint64_t c, struct fmt f)
{
    if (is_snan(a, f) || is_snan(b, f) || is_snan(c, f))
        e->flags |= FP_IE;
    return (is_nan(a, f) ? a : is_nan(b, f) ? b : c) | quiet_bit(f);
}

INLINE uint64_t fma_sum(struct fp_env *e, const struct operand *x, const struct operand *y,
                        const struct operand *z, bool sign, struct fmt f)
{
    if (x->kind == ZERO || y->kind == ZERO) {
        if (z->kind == ZERO)
            return pack_zero(zero_sum_sign(sign, z->n.sign, e->rc), f);
        return pack(e, &z->n, e->rc, f);
    }
    /* Significands have at most 53 bits: the product has 106, which leaves 21 below bit 126 - 105.
     */
    unsigned __int128 p = (unsigned __int128)x->n.sig * y->n.sig;
    int32_t ep = x->n.exp + y->n.exp + 1;
    struct fp_num r;
    if (z->kind == ZERO)
        r = fp_normalize128(p, ep, sign);
    else if (!fp_add128(p >> 1, ep, sign, (unsigned __int128)z->n.sig << 63, z->n.exp, z->n.sign,
                        &r))
        return pack_zero(e->rc == FP_RC_DOWN, f);
    return pack(e, &r, e->rc, f);
}

INLINE uint64_t fma_any(struct fp_env *e, const uint64_t v[3], unsigned neg, struct fmt f)
{
    if (is_nan(v[0], f) || is_nan(v[1], f) || is_nan(v[2], f))
        return fma_nan(e, v[0], v[1], v[2], f);
    struct operand x = unpack(e, v[0], f), y = unpack(e, v[1], f), z = unpack(e, v[2], f);
    bool sign = (x.n.sign != y.n.sign) ^ ((neg & FMA_NEG_PRODUCT) != 0);
    z.n.sign ^= (neg & FMA_NEG_C) != 0;
    bool inf = x.kind == INF || y.kind == INF;
    if (inf && (x.kind == ZERO || y.kind == ZERO || (z.kind == INF && z.n.sign != sign)))
        return invalid(e, f);
    if (x.denormal || y.denormal || z.denormal)
        e->flags |= FP_DE;
    if (inf || z.kind == INF)
        return pack_inf(inf ? sign : z.n.sign, f);
    return fma_sum(e, &x, &y, &z, sign, f);
}

/* Order of two values that are not NaNs. */
INLINE enum fp_rel order(uint64_t a, uint64_t b, struct fmt f)
{
    uint64_t s = sign_bit(f);
    if (((a | b) & ~s) == 0 || a == b)
        return FP_EQUAL;
    if ((a ^ b) & s)
        return a & s ? FP_LESS : FP_GREATER;
    return (a < b) != ((a & s) != 0) ? FP_LESS : FP_GREATER;
}

INLINE enum fp_rel compare(struct fp_env *e, uint64_t a, uint64_t b, bool signal, struct fmt f)
{
    if (is_nan(a, f) || is_nan(b, f)) {
        if (signal || is_snan(a, f) || is_snan(b, f))
            e->flags |= FP_IE;
        return FP_UNORD;
    }
    if (!e->daz && (is_denormal(a, f) || is_denormal(b, f)))
        e->flags |= FP_DE;
    return order(apply_daz(e, a, f), apply_daz(e, b, f), f);
}

INLINE uint64_t minmax(struct fp_env *e, uint64_t a, uint64_t b, enum fp_rel keep, struct fmt f)
{
    enum fp_rel rel = compare(e, a, b, true, f);
    return rel == keep ? apply_daz(e, a, f) : apply_daz(e, b, f);
}

/* Bits of imm8[4:0]: which relations make the predicate true (bit = enum fp_rel), and whether quiet
 * NaNs signal (SDM 2A, CMPPD, table 3-1). */
INLINE bool predicate(struct fp_env *e, uint64_t a, uint64_t b, unsigned pred, struct fmt f)
{
    static const uint8_t holds[16] = {0x2, 0x1, 0x3, 0x8, 0xd, 0xe, 0xc, 0x7,
                                      0xa, 0x9, 0xb, 0x0, 0x5, 0x6, 0x4, 0xf};
    static const uint16_t signals = 0x6666; /* LT LE NLT NLE NGE NGT GE GT for imm8[4] = 0 */
    bool signal = ((signals >> (pred & 15)) & 1) != ((pred >> 4) & 1);
    return holds[pred & 15] >> compare(e, a, b, signal, f) & 1;
}

/* Conversion between formats. */
INLINE uint64_t widen_nan(struct fp_env *e, uint64_t a, struct fmt from, struct fmt to)
{
    if (is_snan(a, from))
        e->flags |= FP_IE;
    uint64_t man = a & ((UINT64_C(1) << from.frac) - 1);
    man = to.frac > from.frac ? man << (to.frac - from.frac) : man >> (from.frac - to.frac);
    return pack_inf((a & sign_bit(from)) != 0, to) | quiet_bit(to) | man;
}

INLINE uint64_t convert(struct fp_env *e, uint64_t a, enum fp_rc rc, struct fmt from, struct fmt to)
{
    if (is_nan(a, from))
        return widen_nan(e, a, from, to);
    struct operand x = unpack(e, a, from);
    if (x.kind == INF)
        return pack_inf(x.n.sign, to);
    if (x.kind == ZERO)
        return pack_zero(x.n.sign, to);
    if (x.denormal && from.frac != F16.frac)
        e->flags |= FP_DE;
    return pack(e, &x.n, rc, to);
}

/* Conversion from and to integers. */
INLINE uint64_t from_int(struct fp_env *e, int64_t a, struct fmt f)
{
    if (a == 0)
        return 0;
    uint64_t mag = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    struct fp_num n = fp_normalize64(mag, 63, a < 0);
    return pack(e, &n, e->rc, f);
}

INLINE int64_t to_int(struct fp_env *e, uint64_t a, enum fp_rc rc, unsigned bits, struct fmt f)
{
    const uint64_t limit = UINT64_C(1) << (bits - 1);
    struct operand x = unpack(e, a, f);
    struct fp_rounded how;
    uint64_t mag;
    if (x.kind == ZERO)
        return 0;
    if (x.kind != NUMBER || !fp_num_to_int(&x.n, rc, &mag, &how) || mag > limit - !x.n.sign) {
        e->flags |= FP_IE;
        return (int64_t)(0 - limit);
    }
    if (how.inexact)
        e->flags |= FP_PE;
    return (int64_t)(x.n.sign ? 0 - mag : mag);
}

INLINE uint64_t round_int(struct fp_env *e, uint64_t a, enum fp_rc rc, bool exact, struct fmt f)
{
    if (is_nan(a, f))
        return nan2(e, a, a, f);
    struct operand x = unpack(e, a, f);
    if (x.kind == ZERO)
        return pack_zero(x.n.sign, f);
    if (x.kind == INF || x.n.exp >= (int32_t)f.frac)
        return a;
    struct fp_rounded how;
    uint64_t mag = 0;
    fp_num_to_int(&x.n, rc, &mag, &how);
    if (how.inexact && exact)
        e->flags |= FP_PE;
    if (mag == 0)
        return pack_zero(x.n.sign, f);
    struct fp_num n = fp_normalize64(mag, 63, x.n.sign);
    return pack(e, &n, rc, f);
}

/* Fast paths. */
INLINE bool fast_env(const struct fp_env *e)
{
    return e->rc == FP_RC_NEAREST && (e->sticky & e->masks & FP_PE);
}

/* Exponent field neither 0 nor all ones. */
INLINE bool normal(uint64_t a, struct fmt f)
{
    uint64_t one = UINT64_C(1) << f.frac;
    return ((a + one) & exp_mask(f)) > one;
}

/* Normal and not the smallest binade's first value, which may have been tiny before rounding. */
INLINE bool clearly_normal(uint64_t a, struct fmt f)
{
    return normal(a, f) && (a & ~sign_bit(f)) != UINT64_C(1) << f.frac;
}

INLINE bool normal_or_zero(uint64_t a, struct fmt f)
{
    return normal(a, f) || (a & ~sign_bit(f)) == 0;
}

INLINE float host32(uint32_t a)
{
    float v;
    memcpy(&v, &a, sizeof(v));
    return v;
}

INLINE double host64(uint64_t a)
{
    double v;
    memcpy(&v, &a, sizeof(v));
    return v;
}

INLINE uint32_t bits32(float v)
{
    uint32_t a;
    memcpy(&a, &v, sizeof(a));
    return a;
}

INLINE uint64_t bits64(double v)
{
    uint64_t a;
    memcpy(&a, &v, sizeof(a));
    return a;
}

/* A sum of normal numbers or zeros is exact when it is tiny, so only overflow needs a look: any
 * result with a zero exponent field is right but for FTZ. */
#define DEFINE_OPS(T, P, host, bits, F, C)                                                         \
    T P##_add(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        if (fast_env(e) && normal_or_zero(a, F) && normal_or_zero(b, F)) {                         \
            T r = bits(host(a) + host(b));                                                         \
            if (normal_or_zero(r, F))                                                              \
                return r;                                                                          \
        }                                                                                          \
        return (T)add(e, a, b, false, F);                                                          \
    }                                                                                              \
    T P##_sub(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        if (fast_env(e) && normal_or_zero(a, F) && normal_or_zero(b, F)) {                         \
            T r = bits(host(a) - host(b));                                                         \
            if (normal_or_zero(r, F))                                                              \
                return r;                                                                          \
        }                                                                                          \
        return (T)add(e, a, b, true, F);                                                           \
    }                                                                                              \
    T P##_mul(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        if (fast_env(e) && normal(a, F) && normal(b, F)) {                                         \
            T r = bits(host(a) * host(b));                                                         \
            if (clearly_normal(r, F))                                                              \
                return r;                                                                          \
        }                                                                                          \
        return (T)mul(e, a, b, F);                                                                 \
    }                                                                                              \
    T P##_div(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        if (fast_env(e) && normal(a, F) && normal(b, F)) {                                         \
            T r = bits(host(a) / host(b));                                                         \
            if (clearly_normal(r, F))                                                              \
                return r;                                                                          \
        }                                                                                          \
        return (T)divide(e, a, b, F);                                                              \
    }                                                                                              \
    T P##_sqrt(struct fp_env *e, T a)                                                              \
    {                                                                                              \
        if (fast_env(e) && normal(a, F) && !(a & sign_bit(F)))                                     \
            return bits(__builtin_sqrt##C(host(a)));                                               \
        return (T)square_root(e, a, F);                                                            \
    }                                                                                              \
    T P##_fma(struct fp_env *e, T a, T b, T c, unsigned neg)                                       \
    {                                                                                              \
        const uint64_t v[3] = {a, b, c};                                                           \
        return (T)fma_any(e, v, neg, F);                                                           \
    }                                                                                              \
    T P##_min(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        return (T)minmax(e, a, b, FP_LESS, F);                                                     \
    }                                                                                              \
    T P##_max(struct fp_env *e, T a, T b)                                                          \
    {                                                                                              \
        return (T)minmax(e, a, b, FP_GREATER, F);                                                  \
    }                                                                                              \
    enum fp_rel P##_cmp(struct fp_env *e, T a, T b, bool signal)                                   \
    {                                                                                              \
        return compare(e, a, b, signal, F);                                                        \
    }                                                                                              \
    bool P##_cmp_pred(struct fp_env *e, T a, T b, unsigned pred)                                   \
    {                                                                                              \
        return predicate(e, a, b, pred, F);                                                        \
    }                                                                                              \
    T i32_to_##P(struct fp_env *e, int32_t a)                                                      \
    {                                                                                              \
        return (T)from_int(e, a, F);                                                               \
    }                                                                                              \
    T i64_to_##P(struct fp_env *e, int64_t a)                                                      \
    {                                                                                              \
        return (T)from_int(e, a, F);                                                               \
    }                                                                                              \
    int32_t P##_to_i32(struct fp_env *e, T a, enum fp_rc rc)                                       \
    {                                                                                              \
        return (int32_t)to_int(e, a, rc, 32, F);                                                   \
    }                                                                                              \
    int64_t P##_to_i64(struct fp_env *e, T a, enum fp_rc rc)                                       \
    {                                                                                              \
        return to_int(e, a, rc, 64, F);                                                            \
    }                                                                                              \
    T P##_rint(struct fp_env *e, T a, enum fp_rc rc, bool exact)                                   \
    {                                                                                              \
        return (T)round_int(e, a, rc, exact, F);                                                   \
    }

DEFINE_OPS(uint32_t, f32, host32, bits32, F32, f)
DEFINE_OPS(uint64_t, f64, host64, bits64, F64, )

uint64_t f32_to_f64(struct fp_env *e, uint32_t a)
{
    if (normal_or_zero(a, F32))
        return bits64((double)host32(a));
    return convert(e, a, e->rc, F32, F64);
}

uint32_t f64_to_f32(struct fp_env *e, uint64_t a)
{
    if (fast_env(e) && normal(a, F64)) {
        uint32_t r = bits32((float)host64(a));
        if (clearly_normal(r, F32))
            return r;
    }
    return (uint32_t)convert(e, a, e->rc, F64, F32);
}

uint32_t f16_to_f32(struct fp_env *e, uint16_t a)
{
    struct fp_env plain = {.masks = FP_ALL};
    uint32_t r = (uint32_t)convert(&plain, a, FP_RC_NEAREST, F16, F32);
    e->flags |= plain.flags;
    return r;
}

uint16_t f32_to_f16(struct fp_env *e, uint32_t a, enum fp_rc rc)
{
    bool ftz = e->ftz;
    e->ftz = false;
    uint16_t r = (uint16_t)convert(e, a, rc, F32, F16);
    e->ftz = ftz;
    if (is_denormal(a, F32) && !e->daz) /* even with unmasked underflow and few bits */
        e->flags |= FP_PE;
    return r;
}

/* Cuts a result of the approximations to 12 significant bits. */
static uint32_t cut12(uint32_t r)
{
    return r & ~UINT32_C(0x7ff);
}

uint32_t f32_rcp_approx(uint32_t a)
{
    struct fp_env e = {.masks = FP_ALL, .daz = true, .ftz = true, .sticky = FP_PE};
    uint32_t r = f32_div(&e, UINT32_C(0x3f800000), a);
    return is_nan(a, F32) ? r : cut12(r);
}

uint32_t f32_rsqrt_approx(uint32_t a)
{
    struct fp_env e = {.masks = FP_ALL, .daz = true, .ftz = true, .sticky = FP_PE};
    uint32_t r = f32_div(&e, UINT32_C(0x3f800000), f32_sqrt(&e, a));
    return is_nan(r, F32) ? r : cut12(r);
}
