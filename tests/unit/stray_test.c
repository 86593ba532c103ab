/* SPDX-License-Identifier: MIT */
/* -d lockstep finds translated code that writes where the interpreter does not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jit/code.h"
#include "jit/view.h" /* which says that this is for one host only */
#include "tests/unit/fake_machine.h"
#include "tests/unit/sanitized.h"

#define CODE  0x1010
#define STACK 0x8000
#define NEAR  0x9000
#define FAR   0xa010

static const uint8_t bytes[] = {
    0x89, 0x03, /* loop: mov [ebx], eax */
    0x89, 0x06, /* mov [esi], eax */
    0x40,       /* inc eax */
    0x90,       /* nop */
    0x39, 0xc8, /* cmp eax, ecx */
    0x75, 0xf6, /* jnz loop */
    0xf4,       /* hlt */
};
enum { STORE_NEAR, STORE_FAR, INC, NOP };

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
    m->cpu.log_items = LOG_LOCKSTEP;
    ck_assert_msg(jit_create(&j, &m->cpu, &ram, &(struct jit_config){0}, err) == 0, "%s", err);
    ck_assert_int_eq(jit_thread_enter(j), 0);
}

static void teardown(void)
{
    jit_thread_leave(j);
    jit_free(j);
    fake_machine_free(m);
}

static void run(uint32_t far, unsigned times)
{
    struct cpu *c = &m->cpu;

    c->halted = false;
    c->r[RIP] = CODE;
    c->r[RAX] = 0;
    c->r[RCX] = times;
    c->r[RBX] = NEAR;
    c->r[RSI] = far;
    cpu_run(c);
}

/* To a page of its own, to that of the other store, to its line. */
static const struct {
    uint32_t far;
    bool seen_at_once;
} places[] = {{FAR, false}, {NEAR + 0x800, false}, {NEAR + 0x20, true}};

START_TEST(what_both_write_is_no_difference)
{
    run(places[_i].far, 5000);
    ck_assert(!jit_failed(j));
    ck_assert_uint_eq(m->cpu.r[RAX], 5000);
}
END_TEST

/* The interpreter leaves one store out. */
START_TEST(stray_writes_are_found)
{
    struct block *b;

    run(places[_i].far, 1);
    m->cpu.r[RIP] = CODE;
    b = block_peek(&m->cpu);
    ck_assert_ptr_nonnull(b);
    b->insn[STORE_FAR].fn = b->insn[NOP].fn;
    run(places[_i].far, 2);
    ck_assert_int_eq(jit_failed(j), places[_i].seen_at_once);
    if (!places[_i].seen_at_once)
        run(places[_i].far, 5000);
    ck_assert(jit_failed(j));
    ck_assert_uint_lt(m->cpu.r[RAX], 20);
}
END_TEST

int main(void)
{
    if (SANITIZED || !__builtin_cpu_supports("bmi2"))
        return EXIT_SUCCESS;
    Suite *s = suite_create("stray");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, what_both_write_is_no_difference, 0, 3);
    tcase_add_loop_test(tc, stray_writes_are_found, 0, 3);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
