/* SPDX-License-Identifier: MIT */
/* x87 exceptions while CR0.NE is clear: FERR#, the wait for the interrupt, IGNNE# (SDM 1 8.7.2 and
 * appendix D). */
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define FADD   0xd8, 0xc0
#define FWAIT  0x9b
#define EMMS   0x0f, 0x77
#define FNSTSW 0xdf, 0xe0
#define FNCLEX 0xdb, 0xe2
#define FNINIT 0xdb, 0xe3

static struct fake_machine *m;
static struct cpu *c;

/* A pending division by zero, and interrupts enabled. */
static void setup(void)
{
    m = world_create(NULL);
    c = &m->cpu;
    c->fpu.cw = 0x37b;
    c->fpu.sw = FSW_ES | FSW_B | FSW_ZE;
    c->fpu.valid = 0xff;
    c->eflags |= EFL_IF;
}

static void teardown(void)
{
    fake_machine_free(m);
}

/* One instruction at CODE. */
static enum cpu_exit run(const uint8_t *code, unsigned n)
{
    code_at(m, CODE, code, n);
    c->r[RIP] = CODE;
    return cpu_step(c);
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* The instruction that was run waits: it has not been executed, and the processor sleeps. */
static void check_waits(void)
{
    ck_assert_uint_eq(c->r[RIP], CODE);
    ck_assert(m->ferr);
    ck_assert_int_eq(cpu_step(c), CPU_EXIT_HALT);
    ck_assert_uint_eq(c->r[RIP], CODE);
}

START_TEST(ne_decides)
{
    c->cr0 |= CR0_NE;
    CODE_AT(m, CODE, FADD);
    step_faults(m, VEC_MF, -1);
    ck_assert(!m->ferr);
    c->cr0 &= ~(uint64_t)CR0_NE;
    RUN(FADD);
    ck_assert_int_eq(at_handler(m), -1);
    check_waits();
}
END_TEST

START_TEST(who_waits)
{
    RUN(FWAIT);
    check_waits();
    c->halted = false;
    RUN(EMMS);
    check_waits();
    c->halted = false;
    RUN(FNSTSW);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    ck_assert_uint_eq(c->r[RAX] & 0xffff, FSW_ES | FSW_B | FSW_ZE);
}
END_TEST

START_TEST(not_available_comes_first)
{
    c->cr0 |= CR0_TS;
    CODE_AT(m, CODE, FADD);
    step_faults(m, VEC_NM, -1);
    ck_assert(!m->ferr);
}
END_TEST

START_TEST(the_interrupt_finds_it_before_the_instruction)
{
    RUN(FADD);
    check_waits();
    m->pending_vector = 0x2d;
    cpu_attend(c, ATT_INTR, 0);
    step(m);
    ck_assert_int_eq(at_handler(m), 0x2d);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE);
    ck_assert(!c->halted);
}
END_TEST

START_TEST(interrupts_disabled_it_waits_for_nmi)
{
    c->eflags &= ~EFL_IF;
    RUN(FADD);
    cpu_attend(c, ATT_INTR, 0);
    check_waits();
    cpu_attend(c, ATT_NMI, 0);
    step(m);
    ck_assert_int_eq(at_handler(m), VEC_NMI);
}
END_TEST

START_TEST(no_single_step_trap_while_it_waits)
{
    c->eflags |= EFL_TF;
    RUN(FADD);
    check_waits();
    m->ignne = true;
    c->halted = false;
    RUN(FADD);
    ck_assert_int_eq(at_handler(m), VEC_DB);
}
END_TEST

START_TEST(ignne_lets_it_run)
{
    m->ignne = true;
    RUN(FADD);
    ck_assert_uint_eq(c->r[RIP], CODE + 2);
    ck_assert(m->ferr);
    RUN(FWAIT);
    ck_assert_uint_eq(c->r[RIP], CODE + 1);
}
END_TEST

/* Whatever clears the exceptions, or masks them. */
START_TEST(ferr_follows_the_exceptions)
{
    static const uint8_t clears[][7] = {
        {FNCLEX},
        {FNINIT},
        {0xd9, 0x35, 0, 0, 4, 0},          /* FNSTENV masks */
        {0xdd, 0x35, 0, 0, 4, 0},          /* FNSAVE initialises */
        {0xd9, 0x2d, 0x80, 0, 4, 0},       /* FLDCW with all masked */
        {0xd9, 0x25, 0x80, 0, 4, 0},       /* FLDENV */
        {0xdd, 0x25, 0x80, 0, 4, 0},       /* FRSTOR */
        {0x0f, 0xae, 0x0d, 0x80, 0, 4, 0}, /* FXRSTOR */
        {0x0f, 0xae, 0x2d, 0xc0, 0, 4, 0}, /* XRSTOR of the initial state */
    };
    c->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    c->r[RAX] = XCR0_X87;
    m->ignne = true;
    for (unsigned k = 0; k < sizeof(clears) / sizeof(clears[0]); k++) {
        memset(m->ram + DATA, 0, 0x400);
        put(m, DATA + 0x80, 2, 0x37f);
        c->fpu.cw = 0x37b;
        c->fpu.sw = FSW_ES | FSW_B | FSW_ZE;
        RUN(FWAIT);
        ck_assert(m->ferr);
        run(clears[k], sizeof(clears[k]));
        ck_assert_msg(!m->ferr, "case %u", k);
        ck_assert(!(c->fpu.sw & FSW_ES));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ferr");
    TCase *t = tcase_create("ferr");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, ne_decides);
    tcase_add_test(t, who_waits);
    tcase_add_test(t, not_available_comes_first);
    tcase_add_test(t, the_interrupt_finds_it_before_the_instruction);
    tcase_add_test(t, interrupts_disabled_it_waits_for_nmi);
    tcase_add_test(t, no_single_step_trap_while_it_waits);
    tcase_add_test(t, ignne_lets_it_run);
    tcase_add_test(t, ferr_follows_the_exceptions);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
