/* SPDX-License-Identifier: MIT */
/* cpu/softfp.c and cpu/fpu80*.c on every host: golden cases from the SDM's tables, and checksums
 * over pseudo-random operands that tie the results of other hosts to those that fp_diff compared
 * with an Intel processor. */
#include "cpu/fpu80.h"
#include "cpu/softfp.h"

#include <check.h>
#include <stdlib.h>

enum { MXCSR = 0x1f80, DAZ = 0x40, FTZ = 0x8000, DOWN = 0x2000, UP = 0x4000, ZERO = 0x6000 };
#define U64(v) UINT64_C(v)

struct f64_case {
    uint64_t (*op)(struct fp_env *e, uint64_t a, uint64_t b);
    uint64_t a, b, result;
    uint32_t mxcsr, flags; /* flags: raised */
};

static const struct f64_case f64_cases[] = {
    /* 1 + 2^-53: a tie, under each rounding mode */
    {f64_add, U64(0x3ff0000000000000), U64(0x3ca0000000000000), U64(0x3ff0000000000000), MXCSR,
     FP_PE},
    {f64_add, U64(0x3ff0000000000000), U64(0x3ca0000000000000), U64(0x3ff0000000000001), MXCSR | UP,
     FP_PE},
    {f64_sub, U64(0x3ff0000000000000), U64(0x3c90000000000000), U64(0x3ff0000000000000), MXCSR,
     FP_PE},
    {f64_sub, U64(0x3ff0000000000000), U64(0x3c90000000000000), U64(0x3fefffffffffffff),
     MXCSR | ZERO, FP_PE},
    /* signs of zero sums */
    {f64_add, U64(0x3ff0000000000000), U64(0xbff0000000000000), 0, MXCSR, 0},
    {f64_add, U64(0x3ff0000000000000), U64(0xbff0000000000000), U64(0x8000000000000000),
     MXCSR | DOWN, 0},
    {f64_add, U64(0x8000000000000000), U64(0x8000000000000000), U64(0x8000000000000000), MXCSR, 0},
    /* NaNs: the first operand wins, quieted; SNaN is invalid */
    {f64_add, U64(0x7ff8000000000001), U64(0xfff0000000000002), U64(0x7ff8000000000001), MXCSR,
     FP_IE},
    {f64_mul, U64(0x7ff0000000000001), U64(0x7ff8000000000002), U64(0x7ff8000000000001), MXCSR,
     FP_IE},
    {f64_mul, U64(0x0000000000000001), U64(0xfff8000000000002), U64(0xfff8000000000002), MXCSR, 0},
    {f64_sub, U64(0x7ff0000000000000), U64(0x7ff0000000000000), F64_INDEFINITE, MXCSR, FP_IE},
    {f64_mul, U64(0x7ff0000000000000), 0, F64_INDEFINITE, MXCSR, FP_IE},
    {f64_div, 0, U64(0x8000000000000000), F64_INDEFINITE, MXCSR, FP_IE},
    /* divide by zero hides a denormal operand */
    {f64_div, 1, U64(0x8000000000000000), U64(0xfff0000000000000), MXCSR, FP_ZE},
    {f64_div, 1, U64(0x8000000000000000), F64_INDEFINITE, MXCSR | DAZ, FP_IE},
    /* overflow */
    {f64_mul, U64(0x7fefffffffffffff), U64(0x4000000000000000), U64(0x7ff0000000000000), MXCSR,
     FP_OE | FP_PE},
    {f64_mul, U64(0xffefffffffffffff), U64(0x4000000000000000), U64(0xffefffffffffffff), MXCSR | UP,
     FP_OE | FP_PE},
    /* underflow: exact denormals raise nothing while masked, tininess is judged after rounding */
    {f64_mul, U64(0x0010000000000000), U64(0x3fe0000000000000), U64(0x0008000000000000), MXCSR, 0},
    {f64_mul, U64(0x0010000000000000), U64(0x3fe0000000000000), 0, MXCSR | FTZ, FP_UE | FP_PE},
    {f64_mul, U64(0x0010000000000000), U64(0x3fe0000000000000), U64(0x0008000000000000),
     (MXCSR | FTZ) & ~0x800u, FP_UE},
    {f64_mul, U64(0x001fffffffffffff), U64(0x3fe0000000000000), U64(0x0010000000000000), MXCSR,
     FP_UE | FP_PE},
    {f64_mul, U64(0x0010000000000001), U64(0x3feffffffffffffe), U64(0x0010000000000000), MXCSR,
     FP_PE},
    /* denormal operands */
    {f64_add, 1, 1, 2, MXCSR, FP_DE},
    {f64_add, 1, 1, 0, MXCSR | DAZ, 0},
    {f64_div, U64(0x3ff0000000000000), U64(0x4008000000000000), U64(0x3fd5555555555555), MXCSR,
     FP_PE},
    /* the second operand of min and max wins ties and NaNs */
    {f64_min, 0, U64(0x8000000000000000), U64(0x8000000000000000), MXCSR, 0},
    {f64_max, U64(0x7ff8000000000000), U64(0x3ff0000000000000), U64(0x3ff0000000000000), MXCSR,
     FP_IE},
    {f64_min, U64(0x3ff0000000000000), U64(0x7ff0000000000001), U64(0x7ff0000000000001), MXCSR,
     FP_IE},
    {f64_max, U64(0xbff0000000000000), U64(0xc000000000000000), U64(0xbff0000000000000), MXCSR, 0},
};

START_TEST(f64_golden)
{
    const struct f64_case *t = &f64_cases[_i];
    struct fp_env e = fp_env_load(t->mxcsr);
    ck_assert_uint_eq(t->op(&e, t->a, t->b), t->result);
    ck_assert_uint_eq(e.flags, t->flags);
}
END_TEST

START_TEST(fast_path_agrees)
{
    /* The same sums with and without PE already set take the two paths. */
    uint64_t x = U64(0x3ff123456789abcd);
    for (int k = 0; k < 2000; k++) {
        struct fp_env slow = fp_env_load(MXCSR), fast = fp_env_load(MXCSR | FP_PE);
        uint64_t y = x * U64(0x9e3779b97f4a7c15);
        ck_assert_uint_eq(f64_add(&slow, x, y), f64_add(&fast, x, y));
        ck_assert_uint_eq(f64_sub(&slow, x, y), f64_sub(&fast, x, y));
        ck_assert_uint_eq(f64_mul(&slow, x, y), f64_mul(&fast, x, y));
        ck_assert_uint_eq(f64_div(&slow, x, y), f64_div(&fast, x, y));
        ck_assert_uint_eq(f64_sqrt(&slow, y), f64_sqrt(&fast, y));
        ck_assert_uint_eq(f32_mul(&slow, (uint32_t)x, (uint32_t)y),
                          f32_mul(&fast, (uint32_t)x, (uint32_t)y));
        ck_assert_uint_eq(f64_to_f32(&slow, y), f64_to_f32(&fast, y));
        ck_assert_uint_eq(slow.flags | FP_PE, fast.flags | FP_PE);
        x = y ^ x >> 9;
    }
}
END_TEST

START_TEST(integers)
{
    struct fp_env e = fp_env_load(MXCSR);
    ck_assert_int_eq(f64_to_i32(&e, U64(0x4004000000000000), FP_RC_NEAREST), 2); /* 2.5 */
    ck_assert_int_eq(f64_to_i32(&e, U64(0x400c000000000000), FP_RC_NEAREST), 4); /* 3.5 */
    ck_assert_int_eq(f64_to_i32(&e, U64(0xc004000000000000), FP_RC_ZERO), -2);
    ck_assert_uint_eq(e.flags, FP_PE);
    ck_assert_int_eq(f64_to_i32(&e, U64(0xc1e0000000000000), FP_RC_ZERO), INT32_MIN);
    ck_assert_uint_eq(e.flags, FP_PE);
    ck_assert_int_eq(f64_to_i32(&e, U64(0x41e0000000000000), FP_RC_ZERO), INT32_MIN);
    ck_assert_uint_eq(e.flags, FP_PE | FP_IE);
    e = fp_env_load(MXCSR);
    ck_assert_int_eq(f64_to_i64(&e, F64_INDEFINITE, FP_RC_ZERO), INT64_MIN);
    ck_assert_uint_eq(e.flags, FP_IE);
    e = fp_env_load(MXCSR);
    ck_assert_int_eq(f32_to_i32(&e, 1, FP_RC_UP), 1); /* denormal: PE, no DE */
    ck_assert_uint_eq(e.flags, FP_PE);
    ck_assert_uint_eq(i64_to_f32(&e, INT64_MAX), 0x5f000000);
    ck_assert_uint_eq(i32_to_f64(&e, -7), U64(0xc01c000000000000));
    ck_assert_uint_eq(f64_rint(&e, U64(0xbfe0000000000000), FP_RC_NEAREST, false),
                      U64(0x8000000000000000));
}
END_TEST

START_TEST(compares)
{
    struct fp_env e = fp_env_load(MXCSR);
    const uint64_t one = U64(0x3ff0000000000000), qnan = F64_INDEFINITE;
    ck_assert_int_eq(f64_cmp(&e, 0, U64(0x8000000000000000), true), FP_EQUAL);
    ck_assert_int_eq(f64_cmp(&e, one | U64(1) << 63, one, true), FP_LESS);
    ck_assert_int_eq(f64_cmp(&e, qnan, one, false), FP_UNORD);
    ck_assert_uint_eq(e.flags, 0);
    ck_assert_int_eq(f64_cmp(&e, one, qnan, true), FP_UNORD);
    ck_assert_uint_eq(e.flags, FP_IE);
    ck_assert(!f64_cmp_pred(&e, one, one, 1)); /* LT */
    ck_assert(f64_cmp_pred(&e, one, one, 2));  /* LE */
    ck_assert(f64_cmp_pred(&e, one, qnan, 4)); /* NEQ */
    ck_assert(f64_cmp_pred(&e, one, qnan, 3)); /* UNORD */
}
END_TEST

START_TEST(formats)
{
    struct fp_env e = fp_env_load(MXCSR);
    ck_assert_uint_eq(f32_to_f64(&e, 1), U64(0x36a0000000000000));
    ck_assert_uint_eq(e.flags, FP_DE);
    ck_assert_uint_eq(f32_to_f64(&e, 0xff800001), U64(0xfff8000020000000));
    ck_assert_uint_eq(e.flags, FP_DE | FP_IE);
    e = fp_env_load(MXCSR);
    ck_assert_uint_eq(f64_to_f32(&e, U64(0x36a0000000000000)), 1);
    ck_assert_uint_eq(e.flags, 0);
    ck_assert_uint_eq(f32_to_f16(&e, 0x477fefff, FP_RC_NEAREST), 0x7bff);
    ck_assert_uint_eq(f32_to_f16(&e, 0x477ff000, FP_RC_NEAREST), 0x7c00);
    ck_assert_uint_eq(f16_to_f32(&e, 0x0001), 0x33800000);
}
END_TEST

START_TEST(unmasked)
{
    /* Lane 0 has a denormal operand, which is unmasked: lane 1's overflow is not reported. */
    uint32_t mxcsr = MXCSR & ~0x100u;
    struct fp_env e = fp_env_load(mxcsr);
    f32_mul(&e, 1, 0x3f800000);
    f32_mul(&e, 0x7f7fffff, 0x7f7fffff);
    ck_assert(!fp_env_commit(&e, &mxcsr));
    ck_assert_uint_eq(mxcsr, (MXCSR & ~0x100u) | FP_DE);
    /* A flag that was set before does not fault again. */
    e = fp_env_load(mxcsr);
    f32_mul(&e, 0x3f800000, 0x3f800000);
    ck_assert(fp_env_commit(&e, &mxcsr));
}
END_TEST

static struct f80 f80(unsigned se, uint64_t man)
{
    return f80_make((uint16_t)se, man);
}

#define ck_f80(r, se_, man_)                                                                       \
    do {                                                                                           \
        struct f80 r_ = (r);                                                                       \
        ck_assert_uint_eq(r_.se, se_);                                                             \
        ck_assert_uint_eq(r_.man, U64(man_));                                                      \
    } while (0)

START_TEST(f80_nans)
{
    /* SDM Vol. 1, table 4-7 */
    struct f80_env e = f80_env_load(0x37f, 0);
    struct f80 q1 = f80(0x7fff, U64(0xc000000000000001)), q2 = f80(0xffff, U64(0xc000000000000002));
    struct f80 s1 = f80(0x7fff, U64(0x8000000000000005)), s2 = f80(0xffff, U64(0xa000000000000000));
    struct f80 one = f80_constant(F80_ONE, FP_RC_NEAREST);
    ck_f80(f80_add(&e, q1, q2), 0xffff, 0xc000000000000002);
    ck_f80(f80_add(&e, q1, one), 0x7fff, 0xc000000000000001);
    ck_assert_uint_eq(e.flags, 0);
    ck_f80(f80_add(&e, s2, q1), 0x7fff, 0xc000000000000001);
    ck_assert_uint_eq(e.flags, FP_IE);
    ck_f80(f80_mul(&e, s1, s2), 0xffff, 0xe000000000000000);
    ck_f80(f80_div(&e, one, s1), 0x7fff, 0xc000000000000005);
    /* unsupported encodings: unnormal, pseudo-infinity */
    e = f80_env_load(0x37f, 0);
    ck_f80(f80_add(&e, f80(0x3fff, 1), q1), 0xffff, 0xc000000000000000);
    ck_f80(f80_sqrt(&e, f80(0x7fff, 0)), 0xffff, 0xc000000000000000);
    ck_assert_uint_eq(e.flags, FP_IE);
}
END_TEST

START_TEST(f80_precision)
{
    static const uint64_t third[] = {U64(0xaaaaab0000000000), U64(0xaaaaaaaaaaaaaaab),
                                     U64(0xaaaaaaaaaaaaa800), U64(0xaaaaaaaaaaaaaaab)};
    for (unsigned pc = 0; pc < 4; pc++) {
        struct f80_env e = f80_env_load((uint16_t)(0x7f | pc << 8), F80_C3);
        struct f80 r = f80_div(&e, f80_from_i64(1), f80_from_i64(3));
        ck_assert_uint_eq(r.man, third[pc]);
        ck_assert_uint_eq(r.se, 0x3ffd);
        ck_assert_uint_eq(e.flags, FP_PE);
        ck_assert_uint_eq(e.cc, F80_C3 | (pc == F80_PC_53 ? 0 : F80_C1));
    }
}
END_TEST

START_TEST(f80_unmasked)
{
    struct f80 max = f80(0x7ffe, ~U64(0)), min = f80(1, U64(1) << 63);
    struct f80_env e = f80_env_load(0x37f & ~FP_OE, 0);
    ck_f80(f80_add(&e, max, max), 0x7fff - 0x6000, 0xffffffffffffffff);
    ck_assert_uint_eq(e.flags, FP_OE);
    ck_assert_uint_eq(f80_env_status(&e, 0), 0x8088);
    ck_assert(!f80_env_void(&e));
    e = f80_env_load(0x37f & ~FP_UE, 0);
    ck_f80(f80_mul(&e, min, f80(0x3ffe, U64(1) << 63)), 0x6000, 0x8000000000000000);
    ck_assert_uint_eq(e.flags, FP_UE);
    e = f80_env_load(0x37f & ~FP_OE, 0);
    f80_to_f32(&e, max);
    ck_assert(f80_env_void_store(&e));
    ck_assert_uint_eq(e.flags, FP_OE);
    e = f80_env_load(0x37f & ~FP_DE, 0);
    f80_mul(&e, f80(0, 1), max);
    ck_assert(f80_env_void(&e));
    ck_assert_uint_eq(e.flags, FP_DE);
}
END_TEST

START_TEST(f80_remainder)
{
    struct f80_env e = f80_env_load(0x37f, 0);
    ck_f80(f80_rem(&e, f80_from_i64(17), f80_from_i64(5), false), 0x4000, 0x8000000000000000);
    ck_assert_uint_eq(e.cc, F80_C3 | F80_C1); /* quotient 3 */
    ck_f80(f80_rem(&e, f80_from_i64(18), f80_from_i64(5), true), 0xc000, 0x8000000000000000);
    ck_assert_uint_eq(e.cc, F80_C0); /* quotient 4 */
    f80_rem(&e, f80(0x3fff + 64, U64(1) << 63), f80_from_i64(3), false);
    ck_assert_uint_eq(e.cc & F80_C2, 0);
    f80_rem(&e, f80(0x3fff + 66, U64(1) << 63), f80_from_i64(3), false);
    ck_assert_uint_eq(e.cc & F80_C2, F80_C2);
    ck_assert_uint_eq(e.flags, 0);
}
END_TEST

START_TEST(f80_conversions)
{
    struct f80_env e = f80_env_load(0x37f, 0);
    uint8_t bcd[10];
    ck_f80(f80_from_f32(&e, 0x7f800001), 0x7fff, 0xc000010000000000);
    ck_assert_uint_eq(e.flags, FP_IE);
    e = f80_env_load(0x37f, 0);
    ck_f80(f80_from_f64(&e, 1), 0x3bcd, 0x8000000000000000);
    ck_assert_uint_eq(e.flags, FP_DE);
    ck_assert_int_eq(f80_to_int(&e, f80_from_i64(-32768), 16, false), -32768);
    ck_assert_int_eq(f80_to_int(&e, f80(0xbfff, U64(0xc000000000000000)), 32, true), -1);
    ck_assert_int_eq(f80_to_int(&e, f80(0xbfff, U64(0xc000000000000000)), 32, false), -2);
    ck_assert_uint_eq(e.flags, FP_DE | FP_PE);
    ck_assert_int_eq(f80_to_int(&e, f80_from_i64(32768), 16, false), -32768);
    ck_assert_uint_eq(e.flags, FP_DE | FP_PE | FP_IE);
    f80_to_bcd(&e, f80_from_i64(-1234567890123456), bcd);
    ck_assert_uint_eq(bcd[0], 0x56);
    ck_assert_uint_eq(bcd[7], 0x12);
    ck_assert_uint_eq(bcd[9], 0x80);
    ck_assert_int_eq(f80_to_int(&e, f80_from_bcd(bcd), 64, false), -1234567890123456);
    f80_to_bcd(&e, f80_from_i64(1000000000000000000), bcd);
    ck_assert_uint_eq(bcd[9], 0xff);
    ck_assert_uint_eq(bcd[7], 0xc0);
}
END_TEST

START_TEST(f80_examine)
{
    ck_assert_uint_eq(f80_xam(f80(0x8000, 0)), F80_C3 | F80_C1);
    ck_assert_uint_eq(f80_xam(f80(0x3fff, U64(1) << 63)), F80_C2);
    ck_assert_uint_eq(f80_xam(f80(0, 1)), F80_C3 | F80_C2);
    ck_assert_uint_eq(f80_xam(f80(0xffff, U64(1) << 63)), F80_C2 | F80_C1 | F80_C0);
    ck_assert_uint_eq(f80_xam(f80(0x7fff, U64(3) << 62)), F80_C0);
    ck_assert_uint_eq(f80_xam(f80(0x3fff, 1)), 0);
}
END_TEST

START_TEST(f80_transcendental)
{
    struct f80_env e = f80_env_load(0x37f, 0);
    struct f80 one = f80_from_i64(1), two = f80_from_i64(2), r, cosine;
    ck_f80(f80_sin(&e, one), 0x3ffe, 0xd76aa47848677021);
    ck_f80(f80_cos(&e, one), 0x3ffe, 0x8a51407da8345c92);
    ck_f80(f80_tan(&e, one), 0x3fff, 0xc75922e5f71d2dc5);
    ck_f80(f80_patan(&e, one, one), 0x3ffe, 0xc90fdaa22168c235);
    ck_f80(f80_yl2x(&e, f80_from_i64(10), one), 0x4000, 0xd49a784bcd1b8afe);
    ck_f80(f80_yl2x(&e, two, f80_from_i64(5)), 0x4001, 0xa000000000000000);
    ck_f80(f80_2xm1(&e, f80(0x3ffe, U64(1) << 63)), 0x3ffd, 0xd413cccfe7799211);
    ck_assert_uint_eq(e.flags, FP_PE);
    /* The sine of the 64-bit pi: what is left of it in the 66-bit pi, negated. */
    r = f80_sincos(&e, f80_constant(F80_PI, FP_RC_NEAREST), &cosine);
    ck_f80(r, 0xbfbf, 0x8000000000000000);
    ck_f80(cosine, 0xbfff, 0x8000000000000000);
    ck_assert_uint_eq(e.cc & F80_C2, 0);
    ck_f80(f80_sin(&e, f80(0x3fff + 63, U64(1) << 63)), 0x403e, 0x8000000000000000);
    ck_assert_uint_eq(e.cc & F80_C2, F80_C2);
    e = f80_env_load(0x37f, 0);
    ck_f80(f80_yl2x(&e, f80_zero(false), one), 0xffff, 0x8000000000000000);
    ck_assert_uint_eq(e.flags, FP_ZE);
}
END_TEST

/* A number with an exponent that often leads to the corners. */
static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * U64(0x2545f4914f6cdd1d);
}

static uint64_t mix(uint64_t sum, uint64_t v)
{
    return (sum ^ v) * U64(0x100000001b3) ^ sum >> 29;
}

static struct f80 next_f80(uint64_t *seed)
{
    static const uint16_t exps[] = {0, 1, 0x2000, 0x3ffe, 0x3fff, 0x4030, 0x5fff, 0x7ffe};
    uint64_t v = next(seed), man = next(seed);
    if (v & 1)
        man = man >> (v >> 8 & 63) << (v >> 8 & 63);
    return f80((unsigned)(exps[v >> 20 & 7] + (v >> 30 & 3)) | (v >> 40 & 0x8000), man | U64(1)
                                                                                             << 63);
}

START_TEST(f80_checksum)
{
    uint64_t seed = 42, sum = 0;
    for (unsigned k = 0; k < 20000; k++) {
        struct f80_env e = f80_env_load((uint16_t)(0x7f | (k & 15) << 8), 0);
        struct f80 a = next_f80(&seed), b = next_f80(&seed), c;
        struct f80 r[] = {f80_add(&e, a, b),   f80_sub(&e, a, b),        f80_mul(&e, a, b),
                          f80_div(&e, a, b),   f80_sqrt(&e, f80_abs(a)), f80_rem(&e, a, b, k & 1),
                          f80_scale(&e, a, b), f80_rndint(&e, a),        f80_xtract(&e, a, &c)};
        for (unsigned n = 0; n < sizeof(r) / sizeof(r[0]); n++)
            sum = mix(mix(sum, r[n].man), r[n].se);
        sum = mix(sum, f80_to_f64(&e, a));
        sum = mix(sum, f80_to_f32(&e, b));
        sum = mix(sum, e.flags | (uint64_t)e.cc << 8);
    }
    ck_assert_uint_eq(sum, U64(0xeee41bccbb02d005));
}
END_TEST

START_TEST(ieee_checksum)
{
    uint64_t seed = 43, sum = 0;
    for (unsigned k = 0; k < 20000; k++) {
        struct fp_env e = fp_env_load(MXCSR | (k & 3) << 13 | (k & 4 ? FTZ : 0) |
                                      (k & 8 ? DAZ : 0) | (k & 16 ? FP_PE : 0));
        uint64_t a = next(&seed), b = next(&seed), c = next(&seed);
        if (k & 32)
            b = (b & ~(U64(0x7ff) << 52)) | (a & U64(0x7ff) << 52);
        if (k & 64)
            a &= ~(U64(0x7fe) << 52);
        uint64_t r[] = {
            f64_add(&e, a, b),          f64_sub(&e, a, b),         f64_mul(&e, a, b),
            f64_div(&e, a, b),          f64_sqrt(&e, a),           f64_fma(&e, a, b, c, 0),
            f64_to_f32(&e, a),          f64_min(&e, a, b),         f64_rint(&e, c, e.rc, true),
            i64_to_f64(&e, (int64_t)c), i64_to_f32(&e, (int64_t)c)};
        uint32_t x = (uint32_t)(a >> 32), y = (uint32_t)(b >> 32), z = (uint32_t)(c >> 32);
        uint32_t s[] = {f32_add(&e, x, y), f32_mul(&e, x, y),       f32_div(&e, x, y),
                        f32_sqrt(&e, x),   f32_fma(&e, x, y, z, 3), f32_to_f16(&e, x, e.rc)};
        for (unsigned n = 0; n < sizeof(r) / sizeof(r[0]); n++)
            sum = mix(sum, r[n]);
        for (unsigned n = 0; n < sizeof(s) / sizeof(s[0]); n++)
            sum = mix(sum, s[n]);
        sum = mix(sum, (uint64_t)f64_to_i64(&e, c, e.rc) ^ e.flags);
    }
    ck_assert_uint_eq(sum, U64(0xf44aee768f42a612));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("softfp");
    TCase *sse = tcase_create("sse"), *x87 = tcase_create("x87");
    tcase_add_loop_test(sse, f64_golden, 0, sizeof(f64_cases) / sizeof(f64_cases[0]));
    tcase_add_test(sse, fast_path_agrees);
    tcase_add_test(sse, integers);
    tcase_add_test(sse, compares);
    tcase_add_test(sse, formats);
    tcase_add_test(sse, unmasked);
    tcase_add_test(sse, ieee_checksum);
    tcase_add_test(x87, f80_nans);
    tcase_add_test(x87, f80_precision);
    tcase_add_test(x87, f80_unmasked);
    tcase_add_test(x87, f80_remainder);
    tcase_add_test(x87, f80_conversions);
    tcase_add_test(x87, f80_examine);
    tcase_add_test(x87, f80_transcendental);
    tcase_add_test(x87, f80_checksum);
    suite_add_tcase(suite, sse);
    suite_add_tcase(suite, x87);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
