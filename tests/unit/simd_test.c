/* SPDX-License-Identifier: MIT */
/* What the differential tests can't see of MMX, SSE and bit manipulation: system control bits,
 * features that a model lacks, published test vectors, the error bound of the approximations. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/flags.h"
#include "cpu/insn.h"
#include "tests/unit/fake_machine.h"

#define DATA 0x20000u

static struct fake_machine *m;
static struct cpu *c;

static void set_up(void)
{
    m = fake_machine_create("max");
    fake_machine_enter64(m, 0x10000, 0x18000);
    c = &m->cpu;
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->fpu.mxcsr = 0x1f80;
    c->fpu.cw = 0x37f;
}

static void tear_down(void)
{
    fake_machine_free(m);
}

/* Execute one instruction: true, or false with the exception in c->exc. */
#define RUN(...) run((const uint8_t[15]){__VA_ARGS__})
static bool run(const uint8_t code[15])
{
    struct insn i;
    if (decode(c, &i, code, 15) != DECODE_OK)
        return cpu_raise_ud(c);
    c->run_end = &i + 1;
    return i.fn(c, &i);
}

static void set_xmm(unsigned n, uint64_t hi, uint64_t lo)
{
    c->fpu.xmm[n].q[0] = lo;
    c->fpu.xmm[n].q[1] = hi;
}

static void check_xmm(unsigned n, uint64_t hi, uint64_t lo)
{
    ck_assert_uint_eq(c->fpu.xmm[n].q[1], hi);
    ck_assert_uint_eq(c->fpu.xmm[n].q[0], lo);
}

#define PADDB_XMM   0x66, 0x0f, 0xfc, 0xc1 /* xmm0, xmm1 */
#define PADDB_MMX   0x0f, 0xfc, 0xc1
#define ADDSD       0xf2, 0x0f, 0x58, 0xc1
#define MOVAPS_LOAD 0x0f, 0x28, 0x07 /* xmm0, [rdi] */
#define MOVUPS_LOAD 0x0f, 0x10, 0x07
#define PADDB_LOAD  0x66, 0x0f, 0xfc, 0x07

START_TEST(test_control_bits)
{
    ck_assert(RUN(PADDB_XMM));
    ck_assert(RUN(PADDB_MMX));
    c->cr0 |= CR0_TS;
    ck_assert(!RUN(PADDB_XMM));
    ck_assert_uint_eq(c->exc.vec, VEC_NM);
    ck_assert(!RUN(PADDB_MMX));
    ck_assert_uint_eq(c->exc.vec, VEC_NM);
    c->cr0 |= CR0_EM;
    ck_assert(!RUN(PADDB_XMM));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    ck_assert(!RUN(PADDB_MMX));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    c->cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
    c->cr4 &= ~(uint64_t)CR4_OSFXSR;
    ck_assert(!RUN(PADDB_XMM));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    ck_assert(RUN(PADDB_MMX));
    ck_assert(RUN(0x0f, 0xae, 0xf0)); /* MFENCE needs nothing */
}
END_TEST

START_TEST(test_mmx_state)
{
    c->fpu.top = 5;
    c->fpu.valid = 0;
    c->fpu.st[0] = f80_make(0, 1);
    c->fpu.st[1] = f80_make(0, 0x7f);
    ck_assert(RUN(PADDB_MMX));
    ck_assert_uint_eq(c->fpu.top, 0);
    ck_assert_uint_eq(c->fpu.valid, 0xff);
    ck_assert_uint_eq(c->fpu.st[0].man, 0x80);
    ck_assert_uint_eq(c->fpu.st[0].se, 0xffff);
    ck_assert(RUN(0x0f, 0x77)); /* EMMS */
    ck_assert_uint_eq(c->fpu.valid, 0);
    c->fpu.sw |= FSW_ES | FSW_B | FSW_ZE;
    c->cr0 |= CR0_NE;
    ck_assert(!RUN(PADDB_MMX));
    ck_assert_uint_eq(c->exc.vec, VEC_MF);
}
END_TEST

START_TEST(test_alignment)
{
    for (unsigned k = 0; k < 64; k++)
        m->ram[DATA + k] = (uint8_t)k;
    c->r[RDI] = DATA;
    ck_assert(RUN(MOVAPS_LOAD));
    check_xmm(0, UINT64_C(0x0f0e0d0c0b0a0908), UINT64_C(0x0706050403020100));
    c->r[RDI] = DATA + 8;
    ck_assert(!RUN(MOVAPS_LOAD));
    ck_assert_uint_eq(c->exc.vec, VEC_GP);
    ck_assert(!RUN(PADDB_LOAD));
    ck_assert_uint_eq(c->exc.vec, VEC_GP);
    check_xmm(0, UINT64_C(0x0f0e0d0c0b0a0908), UINT64_C(0x0706050403020100));
    ck_assert(RUN(MOVUPS_LOAD));
    check_xmm(0, UINT64_C(0x1716151413121110), UINT64_C(0x0f0e0d0c0b0a0908));
    ck_assert(RUN(0x66, 0x0f, 0x3a, 0x63, 0x07, 0x00)); /* PCMPISTRI */
}
END_TEST

START_TEST(test_unmasked_exception)
{
    set_xmm(0, 7, UINT64_C(0x7ff0000000000000));
    set_xmm(1, 0, UINT64_C(0xfff0000000000000));
    c->fpu.mxcsr = 0x1f00; /* invalid operation unmasked */
    ck_assert(!RUN(ADDSD));
    ck_assert_uint_eq(c->exc.vec, VEC_XM);
    ck_assert_uint_eq(c->fpu.mxcsr, 0x1f01);
    check_xmm(0, 7, UINT64_C(0x7ff0000000000000));
    c->cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    ck_assert(!RUN(ADDSD));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    c->fpu.mxcsr = 0x1f80;
    ck_assert(RUN(ADDSD));
    check_xmm(0, 7, UINT64_C(0xfff8000000000000));
}
END_TEST

START_TEST(test_mxcsr)
{
    c->r[RDI] = DATA;
    m->ram[DATA] = 0x80;
    m->ram[DATA + 1] = 0x7f;
    ck_assert(RUN(0x0f, 0xae, 0x17)); /* LDMXCSR [rdi] */
    ck_assert_uint_eq(c->fpu.mxcsr, 0x7f80);
    m->ram[DATA + 2] = 1;
    ck_assert(!RUN(0x0f, 0xae, 0x17));
    ck_assert_uint_eq(c->exc.vec, VEC_GP);
    ck_assert_uint_eq(c->fpu.mxcsr, 0x7f80);
}
END_TEST

/* FIPS 197 appendix B: first round; and back. */
START_TEST(test_aes)
{
    static const uint8_t start[16] = {0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b,
                                      0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08};
    static const uint8_t key[16] = {0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1,
                                    0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05};
    static const uint8_t want[16] = {0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b,
                                     0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49};
    memcpy(&c->fpu.xmm[0], start, 16);
    memcpy(&c->fpu.xmm[1], key, 16);
    ck_assert(RUN(0x66, 0x0f, 0x38, 0xdc, 0xc1)); /* AESENC xmm0, xmm1 */
    ck_assert_mem_eq(&c->fpu.xmm[0], want, 16);
    /* AESDECLAST(key) of AESENCLAST is the state before, but for the key addition. */
    memcpy(&c->fpu.xmm[0], start, 16);
    set_xmm(1, 0, 0);
    ck_assert(RUN(0x66, 0x0f, 0x38, 0xdd, 0xc1));
    ck_assert(RUN(0x66, 0x0f, 0x38, 0xdf, 0xc1));
    ck_assert_mem_eq(&c->fpu.xmm[0], start, 16);
}
END_TEST

/* The check value of CRC-32C. */
START_TEST(test_crc32c)
{
    c->r[RAX] = UINT32_MAX;
    for (const char *p = "123456789"; *p != '\0'; p++) {
        c->r[RBX] = (uint8_t)*p;
        ck_assert(RUN(0xf2, 0x0f, 0x38, 0xf0, 0xc3)); /* CRC32 eax, bl */
    }
    ck_assert_uint_eq(c->r[RAX] ^ UINT32_MAX, 0xe3069283);
}
END_TEST

/* (x^63 + 1) squared, carry-less. */
START_TEST(test_carry_less_product)
{
    set_xmm(0, UINT64_C(0x8000000000000001), 5);
    set_xmm(1, UINT64_C(0x8000000000000001), 9);
    ck_assert(RUN(0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x11));
    check_xmm(0, UINT64_C(0x4000000000000000), 1);
}
END_TEST

START_TEST(test_missing_features)
{
    fake_machine_free(m);
    m = fake_machine_create("486");
    fake_machine_enter32(m, 0x10000, 0x18000);
    c = &m->cpu;
    ck_assert(!RUN(PADDB_MMX));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    ck_assert(!RUN(PADDB_XMM));
    ck_assert_uint_eq(c->exc.vec, VEC_UD);
    /* F3 0F BC is BSF there, which leaves the flags of TZCNT to chance but for ZF. */
    c->r[RCX] = 0;
    c->r[RAX] = 77;
    ck_assert(RUN(0xf3, 0x0f, 0xbc, 0xc1));
    ck_assert_uint_eq(c->r[RAX], 77);
    ck_assert(flag_z(c));
}
END_TEST

static float as_float(uint32_t v)
{
    float f;
    memcpy(&f, &v, 4);
    return f;
}

/* SDM: relative error of at most 1.5 * 2^-12. */
START_TEST(test_approximations)
{
    for (uint32_t v = 0x3e800000; v < 0x40800000; v += 0x1357) {
        set_xmm(1, 0, v);
        ck_assert(RUN(0xf3, 0x0f, 0x53, 0xc1)); /* RCPSS */
        double x = (double)as_float(v), r = (double)as_float(c->fpu.xmm[0].d[0]);
        ck_assert_double_le(fabs(r * x - 1), 1.5 / 4096);
        ck_assert(RUN(0xf3, 0x0f, 0x52, 0xc1)); /* RSQRTSS */
        r = (double)as_float(c->fpu.xmm[0].d[0]);
        ck_assert_double_le(fabs(r * sqrt(x) - 1), 1.5 / 4096);
    }
    ck_assert_uint_eq(c->fpu.mxcsr, 0x1f80);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("simd");
    TCase *tc = tcase_create("simd");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_control_bits);
    tcase_add_test(tc, test_mmx_state);
    tcase_add_test(tc, test_alignment);
    tcase_add_test(tc, test_unmasked_exception);
    tcase_add_test(tc, test_mxcsr);
    tcase_add_test(tc, test_aes);
    tcase_add_test(tc, test_crc32c);
    tcase_add_test(tc, test_carry_less_product);
    tcase_add_test(tc, test_missing_features);
    tcase_add_test(tc, test_approximations);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
