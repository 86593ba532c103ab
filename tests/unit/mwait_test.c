/* SPDX-License-Identifier: MIT */
/* MONITOR and MWAIT: what they check, what ends the wait (SDM 2B; 3A 9.10.4). */
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "tests/unit/protected.h"

#define MONITOR 0x0f, 0x01, 0xc8
#define MWAIT   0x0f, 0x01, 0xc9

static struct fake_machine *m;
static struct cpu *c;

static void setup(void)
{
    m = world_create("max");
    c = &m->cpu;
    c->eflags |= EFL_IF;
    c->r[RAX] = DATA;
}

static void teardown(void)
{
    fake_machine_free(m);
}

/* MONITOR, then MWAIT; true where the processor waits after it. */
static bool waits(void)
{
    CODE_AT(m, CODE, MONITOR, MWAIT);
    c->r[RIP] = CODE;
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 3);
    step(m);
    ck_assert_uint_eq(c->r[RIP], CODE + 6);
    return c->halted;
}

START_TEST(an_interrupt_ends_it)
{
    ck_assert(waits());
    ck_assert_int_eq(cpu_step(c), CPU_EXIT_HALT);
    m->pending_vector = 0x20;
    cpu_attend(c, ATT_INTR, 0);
    step(m);
    ck_assert_int_eq(at_handler(m), 0x20);
    ck_assert_uint_eq(get(m, c->r[RSP], 4), CODE + 6);
}
END_TEST

START_TEST(a_write_by_another_agent_ends_it)
{
    ck_assert(waits());
    put(m, DATA, 1, 1);
    ck_assert(!c->halted);
}
END_TEST

START_TEST(but_not_hlt)
{
    ck_assert(waits());
    put(m, DATA, 1, 1);
    CODE_AT(m, CODE, 0xf4);
    c->r[RIP] = CODE;
    step(m);
    put(m, DATA, 1, 1);
    ck_assert(c->halted);
}
END_TEST

/* What happens between the two counts, too. */
START_TEST(it_does_not_wait_for_the_past)
{
    CODE_AT(m, CODE, MONITOR, MWAIT);
    CODE_AT(m, HANDLER + 16 * 0x20, 0xcf);
    step(m);
    put(m, DATA, 1, 1);
    step(m);
    ck_assert(!c->halted);
    c->r[RIP] = CODE;
    step(m);
    m->pending_vector = 0x20;
    cpu_attend(c, ATT_INTR, 0);
    step(m); /* to the handler and back */
    ck_assert_uint_eq(c->r[RIP], CODE + 3);
    step(m);
    ck_assert(!c->halted);
    c->r[RIP] = CODE + 3; /* without MONITOR */
    step(m);
    ck_assert(!c->halted);
    c->eflags &= ~EFL_IF;
    ck_assert(!waits());
}
END_TEST

START_TEST(checks)
{
    static const uint8_t code[][3] = {{MONITOR}, {MWAIT}};
    for (unsigned k = 0; k < 2; k++) {
        code_at(m, CODE, code[k], 3);
        go_to_level(m, 0);
        c->r[RCX] = 1;
        step_faults(m, VEC_GP, 0);
        c->r[RCX] = 0;
        go_to_level(m, 3);
        step(m);
        ck_assert_int_eq(at_handler(m), VEC_UD);
    }
    go_to_level(m, 0);
    force_seg(m, SEG_DS, SEL_RODATA);
    c->r[RAX] = 0x1000; /* beyond the limit */
    code_at(m, CODE, code[0], 3);
    step_faults(m, VEC_GP, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mwait");
    TCase *t = tcase_create("mwait");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_interrupt_ends_it);
    tcase_add_test(t, a_write_by_another_agent_ends_it);
    tcase_add_test(t, but_not_hlt);
    tcase_add_test(t, it_does_not_wait_for_the_past);
    tcase_add_test(t, checks);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
