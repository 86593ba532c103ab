/* SPDX-License-Identifier: MIT */
/* Images of FXSAVE, FXRSTOR, XSAVE, XSAVEOPT and XRSTOR: layout, init optimisation, what is
 * reserved (SDM 1 10.5 and 13.4-13.9; 2A FXSAVE; 2D XRSTOR, XSAVE, XSAVEOPT). */
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

/* The operand is [RDI]. */
#define FXSAVE    0x0f, 0xae, 0x07
#define FXSAVE64  0x48, 0x0f, 0xae, 0x07
#define FXRSTOR   0x0f, 0xae, 0x0f
#define FXRSTOR64 0x48, 0x0f, 0xae, 0x0f
#define XSAVE     0x0f, 0xae, 0x27
#define XSAVE64   0x48, 0x0f, 0xae, 0x27
#define XRSTOR    0x0f, 0xae, 0x2f
#define XSAVEOPT  0x0f, 0xae, 0x37
#define XSAVEC    0x0f, 0xc7, 0x27
#define XGETBV    0x0f, 0x01, 0xd0

/* Offsets in the image */
enum { FCW, FSW = 2, FTW = 4, FOP = 6, FIP = 8, FDP = 16, MXCSR = 24, MXCSR_MASK = 28, ST = 32 };
enum { XMM = 160, UNUSED = 416, XSTATE_BV = 512, XCOMP_BV = 520, RESERVED = 528, END = 576 };

static struct fake_machine *m;
static struct cpu *c;

/* 64-bit code at level 0; x87 and SSE enabled for XSAVE, and requested. */
static void setup(void)
{
    m = world_create64();
    c = &m->cpu;
    c->cr4 |= CR4_OSXSAVE;
    c->xcr0 = XCR0_X87 | XCR0_SSE;
    c->r[RAX] = c->r[RDX] = UINT32_MAX;
    c->r[RDI] = DATA;
    c->fpu = (struct fpu){.cw = 0x37f, .mxcsr = 0x1f80};
    memset(m->ram + DATA, 0xcc, 0x400);
}

static void teardown(void)
{
    fake_machine_free(m);
}

#define RUN(...) RUN_AT_0(m, __VA_ARGS__)

static uint64_t at(unsigned off, unsigned n)
{
    return get(m, DATA + off, n);
}

static void fill_state(void)
{
    c->fpu.cw = 0x27f;
    c->fpu.sw = FSW_C1;
    c->fpu.top = 6;
    c->fpu.valid = 0xc0;
    c->fpu.st[6] = f80_make(0x3fff, UINT64_C(0x8000000000000001));
    c->fpu.st[7] = f80_make(0xc000, UINT64_C(0x8000000000000002));
    c->fpu.st[0] = f80_make(1, 3);
    c->fpu.fop = 0x123;
    c->fpu.fip = UINT64_C(0x1122334455667788);
    c->fpu.fdp = UINT64_C(0x99aabbccddeeff00);
    c->fpu.fcs = 0x1234;
    c->fpu.fds = 0x5678;
    c->fpu.mxcsr = 0x1fa5;
    for (unsigned k = 0; k < 16; k++)
        c->fpu.xmm[k].q[0] = c->fpu.xmm[k].q[1] = k + 1;
}

static void check_x87_image(void)
{
    ck_assert_uint_eq(at(FCW, 2), 0x27f);
    ck_assert_uint_eq(at(FSW, 2), FSW_C1 | 6 << 11);
    ck_assert_uint_eq(at(FTW, 1), 0xc0); /* one bit for each physical register */
    ck_assert_uint_eq(at(FOP, 2), 0x123);
    ck_assert_uint_eq(at(ST, 8), UINT64_C(0x8000000000000001)); /* ST0 is R6 */
    ck_assert_uint_eq(at(ST + 8, 2), 0x3fff);
    ck_assert_uint_eq(at(ST + 16, 8), UINT64_C(0x8000000000000002));
    ck_assert_uint_eq(at(ST + 32, 8), 3);
}

START_TEST(fxsave_layout)
{
    fill_state();
    ck_assert_int_eq(RUN(FXSAVE), -1);
    check_x87_image();
    ck_assert_uint_eq(at(FIP, 4), 0x55667788);
    ck_assert_uint_eq(at(FIP + 4, 2), 0x1234);
    ck_assert_uint_eq(at(FDP, 4), 0xddeeff00);
    ck_assert_uint_eq(at(FDP + 4, 2), 0x5678);
    ck_assert_uint_eq(at(MXCSR, 4), 0x1fa5);
    ck_assert_uint_eq(at(MXCSR_MASK, 4), 0xffff);
    for (unsigned k = 0; k < 16; k++)
        ck_assert_uint_eq(at(XMM + 16 * k, 8), k + 1);
    for (unsigned k = UNUSED; k < 512; k++)
        ck_assert_uint_eq(at(k, 1), 0xcc);
    ck_assert_int_eq(RUN(FXSAVE64), -1);
    ck_assert_uint_eq(at(FIP, 8), c->fpu.fip);
    ck_assert_uint_eq(at(FDP, 8), c->fpu.fdp);
}
END_TEST

START_TEST(fxrstor_reads_what_fxsave_wrote)
{
    fill_state();
    struct fpu was = c->fpu;
    RUN(FXSAVE64);
    c->fpu = (struct fpu){.cw = 0x37f, .mxcsr = 0x1f80};
    ck_assert_int_eq(RUN(FXRSTOR64), -1);
    ck_assert_uint_eq(c->fpu.cw, was.cw);
    ck_assert_uint_eq(c->fpu.sw, was.sw);
    ck_assert_uint_eq(c->fpu.top, was.top);
    ck_assert_uint_eq(c->fpu.valid, was.valid);
    ck_assert_uint_eq(c->fpu.fip, was.fip);
    ck_assert_uint_eq(c->fpu.fdp, was.fdp);
    ck_assert_uint_eq(c->fpu.mxcsr, was.mxcsr);
    ck_assert(memcmp(c->fpu.xmm, was.xmm, sizeof(was.xmm)) == 0);
    for (unsigned k = 0; k < 8; k++) {
        ck_assert_uint_eq(c->fpu.st[k].man, was.st[k].man);
        ck_assert_uint_eq(c->fpu.st[k].se, was.st[k].se);
    }
}
END_TEST

START_TEST(fx_faults)
{
    c->r[RDI] = DATA + 8;
    ck_assert_int_eq(RUN(FXSAVE), VEC_GP);
    ck_assert_int_eq(RUN(FXRSTOR), VEC_GP);
    c->r[RDI] = DATA;
    memset(m->ram + DATA, 0, 512);
    put(m, DATA + MXCSR, 4, 0x10000);
    ck_assert_int_eq(RUN(FXRSTOR), VEC_GP);
    c->cr4 &= ~(uint64_t)CR4_OSFXSR; /* then MXCSR is not part of it */
    ck_assert_int_eq(RUN(FXRSTOR), -1);
    ck_assert_uint_eq(c->fpu.mxcsr, 0x1f80);
    c->cr0 |= CR0_TS;
    ck_assert_int_eq(RUN(FXSAVE), VEC_NM);
    c->cr0 ^= CR0_TS | CR0_EM;
    ck_assert_int_eq(RUN(FXRSTOR), VEC_NM);
}
END_TEST

/* XMM8-15 exist in 64-bit code only, for images too. */
START_TEST(legacy_code_has_eight_registers)
{
    fill_state();
    fake_machine_enter32(m, CODE, STACK0);
    c->cr0 &= ~(uint64_t)CR0_PG;
    c->efer = 0;
    cpu_update_mode(c);
    ck_assert_int_eq(RUN(FXSAVE), -1);
    ck_assert_uint_eq(at(XMM + 7 * 16, 8), 8);
    ck_assert_uint_eq(at(XMM + 8 * 16, 8), UINT64_C(0xcccccccccccccccc));
    ck_assert_int_eq(RUN(FXRSTOR), -1);
    ck_assert_uint_eq(c->fpu.xmm[8].q[0], 9);
}
END_TEST

START_TEST(xsave_writes_what_is_requested)
{
    fill_state();
    put(m, DATA + XSTATE_BV, 8, 0);
    c->r[RAX] = XCR0_X87;
    c->r[RDX] = 0;
    ck_assert_int_eq(RUN(XSAVE64), -1);
    check_x87_image();
    ck_assert_uint_eq(at(FIP, 8), c->fpu.fip);
    ck_assert_uint_eq(at(MXCSR, 4), 0xcccccccc);
    ck_assert_uint_eq(at(XMM, 8), UINT64_C(0xcccccccccccccccc));
    ck_assert_uint_eq(at(XSTATE_BV, 8), XCR0_X87);
    ck_assert_uint_eq(at(XCOMP_BV, 8), UINT64_C(0xcccccccccccccccc)); /* left alone */
    ck_assert_uint_eq(at(END, 8), UINT64_C(0xcccccccccccccccc));
    c->r[RAX] = XCR0_SSE;
    ck_assert_int_eq(RUN(XSAVE), -1);
    ck_assert_uint_eq(at(MXCSR, 4), 0x1fa5);
    ck_assert_uint_eq(at(MXCSR_MASK, 4), 0xffff);
    ck_assert_uint_eq(at(XMM + 15 * 16, 8), 16);
    ck_assert_uint_eq(at(XSTATE_BV, 8), XCR0_X87 | XCR0_SSE); /* the other bit stays */
}
END_TEST

/* XSTATE_BV tells which components are not in their initial state, as XGETBV 1 does. XSAVE writes
 * them all, XSAVEOPT only those. */
START_TEST(initial_components_are_told)
{
    put(m, DATA + XSTATE_BV, 8, 3);
    ck_assert_int_eq(RUN(XSAVE), -1);
    ck_assert_uint_eq(at(XSTATE_BV, 8), 0);
    ck_assert_uint_eq(at(FCW, 2), 0x37f);
    ck_assert_uint_eq(at(XMM, 8), 0);

    memset(m->ram + DATA, 0xcc, 512);
    put(m, DATA + XSTATE_BV, 8, 3);
    ck_assert_int_eq(RUN(XSAVEOPT), -1);
    ck_assert_uint_eq(at(XSTATE_BV, 8), 0);
    ck_assert_uint_eq(at(FCW, 2), 0xcccc);
    ck_assert_uint_eq(at(XMM, 8), UINT64_C(0xcccccccccccccccc));
    c->r[RCX] = 1;
    c->r[RDX] = c->r[RAX] = UINT32_MAX;
    ck_assert_int_eq(RUN(XGETBV), -1);
    ck_assert_uint_eq(c->r[RAX], 0);
    ck_assert_uint_eq(c->r[RDX], 0);

    c->r[RAX] = c->r[RDX] = UINT32_MAX;
    c->fpu.xmm[15].q[1] = 1;
    ck_assert_int_eq(RUN(XSAVEOPT), -1);
    ck_assert_uint_eq(at(XSTATE_BV, 8), XCR0_SSE);
    ck_assert_uint_eq(at(FCW, 2), 0xcccc);
    ck_assert_uint_eq(at(XMM + 15 * 16 + 8, 8), 1);
    c->fpu.xmm[15].q[1] = 0;
}
END_TEST

/* Each part of the x87 state makes it differ from the initial one. */
START_TEST(x87_in_use)
{
    for (unsigned k = 0; k < 9; k++) {
        c->fpu = (struct fpu){.cw = 0x37f, .mxcsr = 0x1f80};
        switch (k) {
        case 0: c->fpu.cw = 0x27f; break;
        case 1: c->fpu.sw = FSW_C0; break;
        case 2: c->fpu.top = 1; break;
        case 3: c->fpu.valid = 1; break;
        case 4: c->fpu.st[3].man = 1; break;
        case 5: c->fpu.st[3].se = 1; break;
        case 6: c->fpu.fip = 1; break;
        case 7: c->fpu.fdp = 1; break;
        default: c->fpu.fop = 1; break;
        }
        put(m, DATA + XSTATE_BV, 8, 0);
        RUN(XSAVEOPT);
        ck_assert_msg(at(XSTATE_BV, 8) == XCR0_X87, "case %u", k);
    }
}
END_TEST

START_TEST(xrstor_initialises_what_the_image_lacks)
{
    fill_state();
    memset(m->ram + DATA, 0, END);
    put(m, DATA + MXCSR, 4, 0x1f81);
    ck_assert_int_eq(RUN(XRSTOR), -1);
    ck_assert_uint_eq(c->fpu.cw, 0x37f);
    ck_assert_uint_eq(c->fpu.sw, 0);
    ck_assert_uint_eq(c->fpu.top, 0);
    ck_assert_uint_eq(c->fpu.valid, 0);
    ck_assert_uint_eq(c->fpu.st[6].man, 0);
    ck_assert_uint_eq(c->fpu.fip, 0);
    ck_assert_uint_eq(c->fpu.xmm[15].q[0], 0);
    ck_assert_uint_eq(c->fpu.mxcsr, 0x1f81); /* comes from the image all the same */
    fill_state();
    c->r[RAX] = XCR0_X87;
    ck_assert_int_eq(RUN(XRSTOR), -1);
    ck_assert_uint_eq(c->fpu.cw, 0x37f);
    ck_assert_uint_eq(c->fpu.mxcsr, 0x1fa5);
    ck_assert_uint_eq(c->fpu.xmm[15].q[0], 16);
}
END_TEST

START_TEST(xrstor_reads_what_xsave_wrote)
{
    fill_state();
    struct fpu was = c->fpu;
    memset(m->ram + DATA + XSTATE_BV, 0, 64);
    RUN(XSAVE);
    c->fpu = (struct fpu){.cw = 0x37f, .mxcsr = 0x1f80};
    ck_assert_int_eq(RUN(XRSTOR), -1);
    ck_assert_uint_eq(c->fpu.cw, was.cw);
    ck_assert_uint_eq(c->fpu.top, was.top);
    ck_assert_uint_eq(c->fpu.mxcsr, was.mxcsr);
    ck_assert(memcmp(c->fpu.xmm, was.xmm, sizeof(was.xmm)) == 0);
}
END_TEST

START_TEST(xrstor_refuses)
{
    static const struct {
        unsigned off, n;
        uint64_t val;
    } bad[] = {
        {XSTATE_BV, 8, 4}, /* not in XCR0 */
        {XSTATE_BV, 8, UINT64_C(1) << 63},
        {XCOMP_BV, 8, 1},                 /* the standard form has it clear */
        {XCOMP_BV, 8, UINT64_C(1) << 63}, /* the compacted form is not offered */
        {RESERVED, 8, 1},
        {MXCSR, 4, 0x10000},
    };
    for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        memset(m->ram + DATA, 0, END);
        ck_assert_int_eq(RUN(XRSTOR), -1);
        put(m, DATA + bad[k].off, bad[k].n, bad[k].val);
        ck_assert_msg(RUN(XRSTOR) == VEC_GP, "case %u", k);
    }
    memset(m->ram + DATA, 0, END);
    put(m, DATA + RESERVED + 8, 8, 1); /* XRSTOR checks 16 bytes of the header */
    ck_assert_int_eq(RUN(XRSTOR), -1);
    put(m, DATA + MXCSR, 4, 0x10000); /* not looked at for x87 state alone */
    c->r[RAX] = XCR0_X87;
    ck_assert_int_eq(RUN(XRSTOR), -1);
}
END_TEST

START_TEST(xsave_needs)
{
    c->r[RDI] = DATA + 32;
    ck_assert_int_eq(RUN(XSAVE), VEC_GP);
    ck_assert_int_eq(RUN(XSAVEOPT), VEC_GP);
    ck_assert_int_eq(RUN(XRSTOR), VEC_GP);
    c->r[RDI] = DATA;
    c->cr0 |= CR0_TS;
    ck_assert_int_eq(RUN(XSAVE), VEC_NM);
    ck_assert_int_eq(RUN(XRSTOR), VEC_NM);
    c->cr4 &= ~(uint64_t)CR4_OSXSAVE;
    ck_assert_int_eq(RUN(XSAVE), VEC_UD);
    ck_assert_int_eq(RUN(XRSTOR), VEC_UD);
    ck_assert_int_eq(RUN(XGETBV), VEC_UD);
    c->cr4 |= CR4_OSXSAVE;
    c->cr0 &= ~(uint64_t)CR0_TS;
    ck_assert_int_eq(RUN(XSAVEC), VEC_UD);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xsave");
    TCase *t = tcase_create("xsave");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fxsave_layout);
    tcase_add_test(t, fxrstor_reads_what_fxsave_wrote);
    tcase_add_test(t, fx_faults);
    tcase_add_test(t, legacy_code_has_eight_registers);
    tcase_add_test(t, xsave_writes_what_is_requested);
    tcase_add_test(t, initial_components_are_told);
    tcase_add_test(t, x87_in_use);
    tcase_add_test(t, xrstor_initialises_what_the_image_lacks);
    tcase_add_test(t, xrstor_reads_what_xsave_wrote);
    tcase_add_test(t, xrstor_refuses);
    tcase_add_test(t, xsave_needs);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
