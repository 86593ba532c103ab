/* SPDX-License-Identifier: MIT */
/* SYSCALL, SYSRET, SYSENTER and SYSEXIT: checks, segments, flags (SDM 2B, operation sections). */
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define SYSCALL  0x0f, 0x05
#define SYSRET   0x0f, 0x07
#define SYSRETQ  0x48, 0x0f, 0x07
#define SYSENTER 0x0f, 0x34
#define SYSEXIT  0x0f, 0x35
#define SYSEXITQ 0x48, 0x0f, 0x35

#define ENTRY         UINT64_C(0xffffffff80001000)
#define NON_CANONICAL UINT64_C(0x0000800000000000)
#define FLAT          0xffffffffu
#define DATA_DPL0     0xc093u
#define DATA_DPL3     0xc0f3u

static struct fake_machine *m;
static struct cpu *c;

/* 64-bit code at level 0, all MSRs set; the descriptors that the selectors name do not exist. */
static void setup(void)
{
    m = world_create64();
    c = &m->cpu;
    c->efer |= EFER_SCE;
    c->msr.star = UINT64_C(0x0123004000000000);
    c->msr.lstar = ENTRY;
    c->msr.fmask = EFL_IF | EFL_DF | EFL_TF | EFL_CF;
    c->msr.sysenter_cs = 0x43;
    c->msr.sysenter_eip = ENTRY;
    c->msr.sysenter_esp = ENTRY + 0x2000;
}

static void teardown(void)
{
    fake_machine_free(m);
}

/* Code of another size at a level, still in long mode or (0) in 32-bit protected mode. */
static void go(unsigned cpl, uint16_t code_attr, bool lma)
{
    if (!lma) {
        c->cr0 &= ~(uint64_t)CR0_PG;
        c->efer &= ~(uint64_t)(EFER_LMA | EFER_LME);
        for (unsigned v = 0; v < 64; v++)
            set_gate32(m, v, gate(SEL_CODE0, HANDLER + 16 * v, 0x8e, 0));
        put(m, TSS + 4, 4, STACK0 - 0x1000);
        put(m, TSS + 8, 2, SEL_DATA0);
    }
    go_to_level(m, cpl);
    c->seg[SEG_CS].attr = (uint16_t)(code_attr | cpl << SEG_DPL_SHIFT);
    c->mode = 0;
    cpu_update_mode(c);
}
#define CODE_64 0xa09b
#define CODE_32 0xc09b

static int run(const uint8_t *code, unsigned n)
{
    code_at(m, CODE, code, n);
    c->r[RIP] = CODE;
    step(m);
    return at_handler(m);
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void check_segments(uint16_t cs, uint16_t ss, unsigned cpl, bool is64)
{
    const struct seg *code = &c->seg[SEG_CS], *stack = &c->seg[SEG_SS];
    ck_assert_uint_eq(code->sel, cs);
    ck_assert_uint_eq(code->base, 0);
    ck_assert_uint_eq(code->limit, FLAT);
    ck_assert_uint_eq(code->attr, (is64 ? 0xa09bu : 0xc09bu) | cpl << SEG_DPL_SHIFT);
    ck_assert_uint_eq(stack->sel, ss);
    ck_assert_uint_eq(stack->base, 0);
    ck_assert_uint_eq(stack->limit, FLAT);
    ck_assert_uint_eq(stack->attr, cpl == 0 ? DATA_DPL0 : DATA_DPL3);
    ck_assert_uint_eq(c->cpl, cpl);
    ck_assert_uint_eq((c->mode & MODE_64) != 0, is64);
}

START_TEST(syscall_enters)
{
    go(3, CODE_64, true);
    c->eflags |= EFL_IF | EFL_DF | EFL_AC | EFL_RF;
    flags_set_arith(c, EFL_CF | EFL_ZF);
    ck_assert_int_eq(RUN(SYSCALL), -1);
    ck_assert_uint_eq(c->r[RIP], ENTRY);
    ck_assert_uint_eq(c->r[RCX], CODE + 2);
    ck_assert_uint_eq(c->r[R11], EFL_FIXED | EFL_IF | EFL_DF | EFL_AC | EFL_CF | EFL_ZF);
    ck_assert_uint_eq(eflags_get(c), EFL_FIXED | EFL_AC | EFL_ZF);
    ck_assert_uint_eq(c->r[RSP], STACK3);
    check_segments(0x40, 0x48, 0, true);
}
END_TEST

START_TEST(syscall_needs_sce_and_64_bit_code)
{
    c->efer &= ~(uint64_t)EFER_SCE;
    ck_assert_int_eq(RUN(SYSCALL), VEC_UD);
    ck_assert_int_eq(RUN(SYSRETQ), VEC_UD);
    c->efer |= EFER_SCE;
    go(3, CODE_32, true);
    ck_assert_int_eq(RUN(SYSCALL), VEC_UD);
    go(0, CODE_32, true);
    ck_assert_int_eq(RUN(SYSRET), VEC_UD);
    go(0, CODE_32, false);
    ck_assert_int_eq(RUN(SYSCALL), VEC_UD);
    ck_assert_int_eq(RUN(SYSRET), VEC_UD);
}
END_TEST

START_TEST(sysret)
{
    c->r[RCX] = 0x7fffffffffff;
    c->r[R11] = UINT64_MAX;
    ck_assert_int_eq(RUN(SYSRETQ), -1);
    ck_assert_uint_eq(c->r[RIP], 0x7fffffffffff);
    ck_assert_uint_eq(eflags_get(c), 0x3c7fd7); /* neither RF nor VM, no reserved bit */
    check_segments(0x133, 0x12b, 3, true);
}
END_TEST

START_TEST(sysret_to_32_bit_code)
{
    c->r[RCX] = UINT64_C(0xffff800012345678);
    c->r[R11] = 0;
    ck_assert_int_eq(RUN(SYSRET), -1);
    ck_assert_uint_eq(c->r[RIP], 0x12345678);
    ck_assert_uint_eq(eflags_get(c), EFL_FIXED);
    check_segments(0x123, 0x12b, 3, false);
}
END_TEST

START_TEST(sysret_refuses)
{
    c->r[RCX] = NON_CANONICAL;
    ck_assert_int_eq(RUN(SYSRETQ), VEC_GP);
    ck_assert_uint_eq(c->cpl, 0); /* the fault is taken before the level changes */
    go(3, CODE_64, true);
    c->r[RCX] = CODE;
    ck_assert_int_eq(RUN(SYSRETQ), VEC_GP);
}
END_TEST

START_TEST(sysenter)
{
    static const struct {
        uint16_t attr;
        bool lma;
    } from[] = {{CODE_64, true}, {CODE_32, true}, {CODE_32, false}};
    for (unsigned k = 0; k < 3; k++) {
        uint64_t mask = from[k].lma ? UINT64_MAX : UINT32_MAX;
        go(3, from[k].attr, from[k].lma);
        c->eflags |= EFL_IF | EFL_DF;
        ck_assert_int_eq(RUN(SYSENTER), -1);
        ck_assert_uint_eq(c->r[RIP], ENTRY & mask);
        ck_assert_uint_eq(c->r[RSP], (ENTRY + 0x2000) & mask);
        ck_assert_uint_eq(c->eflags & (EFL_IF | EFL_VM | EFL_DF), EFL_DF);
        check_segments(0x40, 0x48, 0, from[k].lma);
    }
}
END_TEST

START_TEST(sysenter_from_v86)
{
    go(3, CODE_32, false);
    c->eflags |= EFL_VM | EFL_IF;
    c->seg[SEG_CS].limit = 0xffff;
    c->seg[SEG_CS].attr = 0xf3;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = CODE;
    c->mode = 0;
    cpu_update_mode(c);
    CODE_AT(m, CODE, SYSENTER);
    c->r[RIP] = 0;
    step(m);
    ck_assert_int_eq(at_handler(m), -1);
    ck_assert_uint_eq(c->r[RIP], ENTRY & UINT32_MAX);
    ck_assert(!(c->eflags & (EFL_VM | EFL_IF)));
    check_segments(0x40, 0x48, 0, false);
}
END_TEST

START_TEST(sysexit)
{
    go(0, CODE_64, true);
    c->r[RCX] = 0x12345000;
    c->r[RDX] = 0x7fffffffffff;
    ck_assert_int_eq(RUN(SYSEXITQ), -1);
    ck_assert_uint_eq(c->r[RIP], 0x7fffffffffff);
    ck_assert_uint_eq(c->r[RSP], 0x12345000);
    check_segments(0x63, 0x6b, 3, true);

    go(0, CODE_64, true);
    c->r[RCX] = UINT64_C(0x112345000);
    c->r[RDX] = UINT64_C(0x1abcdef00);
    ck_assert_int_eq(RUN(SYSEXIT), -1);
    ck_assert_uint_eq(c->r[RIP], 0xabcdef00);
    ck_assert_uint_eq(c->r[RSP], 0x12345000);
    check_segments(0x53, 0x5b, 3, false);

    go(0, CODE_32, false);
    ck_assert_int_eq(RUN(SYSEXIT), -1);
    check_segments(0x53, 0x5b, 3, false);
}
END_TEST

START_TEST(sysenter_and_sysexit_refuse)
{
    for (unsigned k = 0; k < 2; k++) { /* the selector's RPL does not make it good */
        c->msr.sysenter_cs = 3 * k;
        go(3, CODE_64, true);
        ck_assert_int_eq(RUN(SYSENTER), VEC_GP);
        go(0, CODE_64, true);
        ck_assert_int_eq(RUN(SYSEXIT), VEC_GP);
    }
    c->msr.sysenter_cs = 0x40;
    go(3, CODE_64, true);
    ck_assert_int_eq(RUN(SYSEXIT), VEC_GP);
    go(0, CODE_64, true);
    c->r[RCX] = NON_CANONICAL;
    c->r[RDX] = 0;
    ck_assert_int_eq(RUN(SYSEXITQ), VEC_GP);
    c->r[RCX] = 0;
    c->r[RDX] = NON_CANONICAL;
    ck_assert_int_eq(RUN(SYSEXITQ), VEC_GP);
}
END_TEST

/* In real mode both are #GP: there are no levels to go to. */
START_TEST(not_in_real_mode)
{
    fake_machine_free(m);
    m = fake_machine_create(NULL);
    c = &m->cpu;
    c->msr.sysenter_cs = 0x40;
    c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = 0;
    c->r[RSP] = 0x8000;
    cpu_update_mode(c);
    for (unsigned k = 0; k < 2; k++) {
        put(m, VEC_GP * 4, 4, 0x12345678);
        CODE_AT(m, 0x1000, 0x0f, (uint8_t)(0x34 + k));
        c->seg[SEG_CS].base = c->seg[SEG_CS].desc_base = 0;
        c->r[RIP] = 0x1000;
        cpu_update_mode(c);
        step(m);
        ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x1234);
        ck_assert_uint_eq(c->r[RIP], 0x5678);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("syscall");
    TCase *t = tcase_create("syscall");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, syscall_enters);
    tcase_add_test(t, syscall_needs_sce_and_64_bit_code);
    tcase_add_test(t, sysret);
    tcase_add_test(t, sysret_to_32_bit_code);
    tcase_add_test(t, sysret_refuses);
    tcase_add_test(t, sysenter);
    tcase_add_test(t, sysenter_from_v86);
    tcase_add_test(t, sysexit);
    tcase_add_test(t, sysenter_and_sysexit_refuse);
    tcase_add_test(t, not_in_real_mode);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
