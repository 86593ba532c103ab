/* SPDX-License-Identifier: MIT */
/* -d lockstep-links: blocks run linked and are compared, and a link to the wrong code is found. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jit/code.h"
#include "jit/view.h" /* which says that this is for one host only */
#include "tests/unit/fake_machine.h"
#include "tests/unit/sanitized.h"

#define CODE  0x1010
#define STACK 0x8000
#define TIMES 100000
#define END   26 /* the HLT behind the loop */

static const uint8_t bytes[] = {
    0x39, 0xff,             /* loop: cmp edi, edi */
    0xd9, 0xe8,             /* fld1 */
    0xde, 0xc1,             /* faddp */
    0x75, 0x03,             /* jnz over: never */
    0x40,                   /* inc eax */
    0xeb, 0x01,             /* jmp on */
    0xf4,                   /* over: hlt */
    0x01, 0xc3,             /* on: add ebx, eax */
    0x53,                   /* push ebx */
    0xe8, 0x07, 0,    0, 0, /* call function */
    0x5b,                   /* pop ebx */
    0x49,                   /* dec ecx */
    0x74, 0x02,             /* jz end */
    0xeb, 0xe6,             /* jmp loop */
    0xf4,                   /* end: hlt */
    0x8d, 0x76, 0x01,       /* function: lea esi, [esi+1] */
    0xc3,                   /* ret */
};

static struct fake_machine *m;
static struct jit *j;

static void setup(void)
{
    struct jit_ram ram;
    char err[256] = "";

    m = fake_machine_create(NULL);
    fake_machine_spread(m);
    fake_machine_enter32(m, CODE, STACK);
    ram = (struct jit_ram){.fd = m->ram_fd, .host = m->spread, .pages = FAKE_RAM_BYTES >> 12};
    memcpy(m->spread + (CODE >> 12) * JIT_RAM_STRIDE + (CODE & 0xfff), bytes, sizeof(bytes));
    m->cpu.log_items = LOG_LOCKSTEP_LINKS;
    ck_assert_msg(jit_create(&j, &m->cpu, &ram, &(struct jit_config){0}, err) == 0, "%s", err);
    ck_assert_int_eq(jit_thread_enter(j), 0);
}

static void teardown(void)
{
    jit_thread_leave(j);
    jit_free(j);
    fake_machine_free(m);
}

static enum cpu_exit run(void)
{
    struct cpu *c = &m->cpu;

    c->halted = false;
    c->r[RIP] = CODE;
    c->r[RAX] = c->r[RBX] = c->r[RSI] = 0;
    c->r[RCX] = TIMES;
    c->r[RSP] = STACK;
    c->fpu.valid = 1;
    c->fpu.top = 0;
    c->fpu.cw = 0x37f;
    return cpu_run(c);
}

START_TEST(linked_blocks_are_compared)
{
    ck_assert_int_eq(run(), CPU_EXIT_HALT);
    ck_assert(!jit_failed(j));
    ck_assert_uint_eq(m->cpu.r[RAX], TIMES);
    ck_assert_uint_eq(m->cpu.r[RSI], TIMES);
    ck_assert_uint_ge(jit_stats(j).links, 3);
    ck_assert_uint_lt(jit_stats(j).entries, TIMES);
}
END_TEST

/* Is this code run again and again: not a former translation, nor what the loop's end leads to? */
static bool is_looping(const struct code *x)
{
    return x->block != NULL && x->block->code == x && x->pa != CODE + END;
}

/* The exit number n of those that are linked within the loop. */
static struct code_exit *linked_exit(int n)
{
    for (unsigned k = 0; k < j->ncodes[0]; k++)
        for (unsigned e = 0; e < j->codes[k].nexits; e++) {
            struct code_exit *exit = &j->codes[k].exit[e];
            if (exit->to != NULL && is_looping(&j->codes[k]) && is_looping(exit->to) && n-- == 0)
                return exit;
        }
    return NULL;
}

/* Each link in turn leads to each other block. */
START_TEST(a_wrong_link_is_found)
{
    struct code_exit *exit;
    struct code *wrong;

    run();
    exit = linked_exit(_i / 8);
    wrong = &j->codes[_i % 8];
    ck_assert(_i / 8 > 0 || exit != NULL);
    if (exit == NULL || (unsigned)_i % 8 >= j->ncodes[0] || wrong->block == exit->to->block)
        return;
    backend_link(j, exit, wrong);
    run();
    ck_assert(jit_failed(j));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lockstep_links");
    TCase *tc = tcase_create("lockstep_links");
    SRunner *runner = srunner_create(suite);
    int failed;

    __builtin_cpu_init();
    if (!SANITIZED && __builtin_cpu_supports("bmi2")) {
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, linked_blocks_are_compared);
        tcase_add_loop_test(tc, a_wrong_link_is_found, 0, 8 * 4);
    }
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
