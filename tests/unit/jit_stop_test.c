/* SPDX-License-Identifier: MIT */
/* Another thread can stop the processor in any loop that translated code does not leave by itself,
 * by whatever jumps the loop is made. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jit/config.h"
#include "jit/jit.h"
#include "jit/view.h" /* which says that this is for one host only */
#include "tests/unit/fake_machine.h"
#include "tests/unit/sanitized.h"

#define CODE  0x1010
#define STACK 0x8000

/* At CODE, with EAX = CODE. */
static const struct {
    const char *what;
    uint8_t code[16];
    int32_t far_offset; /* not 0: what put_far() writes */
} loops[] = {
    {"jmp short to itself", {0xeb, 0xfe}, 0},
    {"jnz back", {0x83, 0xc3, 0x02, 0x83, 0xcb, 0x01, 0x75, 0xf8}, 0},
    {"jmp eax", {0xff, 0xe0}, 0},
    {"push eax; ret", {0x50, 0xc3}, 0},
    {"pop ecx; call eax", {0x59, 0xff, 0xd0}, 0},
    {"pop ecx; call back", {0x59, 0xe8, 0xfa, 0xff, 0xff, 0xff}, 0},
    {"push eax; pop ecx; jmp [esp-4]", {0x50, 0x59, 0xff, 0x64, 0x24, 0xfc}, 0},
    {"jmp to another page, which jumps back", {0}, 0x1000},
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
    ck_assert_msg(jit_create(&j, &m->cpu, &ram, &(struct jit_config){0}, err) == 0, "%s", err);
    ck_assert_int_eq(jit_thread_enter(j), 0);
}

static void teardown(void)
{
    jit_thread_leave(j);
    jit_free(j);
    fake_machine_free(m);
}

static void put(uint32_t at, const void *p, size_t n)
{
    memcpy(m->spread + (at >> 12) * JIT_RAM_STRIDE + (at & 0xfff), p, n);
}

/* Code on both pages that jumps to the other one. */
static void put_far(int32_t offset)
{
    uint8_t jump[5] = {0xe9};
    int32_t to = offset - 5;

    memcpy(jump + 1, &to, 4);
    put(CODE, jump, sizeof(jump));
    to = -offset - 5;
    memcpy(jump + 1, &to, 4);
    put(CODE + (uint32_t)offset, jump, sizeof(jump));
}

static void *stop(void *arg)
{
    struct timespec t = {.tv_nsec = 20000000};

    nanosleep(&t, NULL);
    cpu_attend(arg, ATT_EXIT, 0);
    return NULL;
}

START_TEST(stops)
{
    pthread_t thread;

    put(CODE, loops[_i].code, sizeof(loops[_i].code));
    if (loops[_i].far_offset != 0)
        put_far(loops[_i].far_offset);
    m->cpu.r[RAX] = CODE;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop, &m->cpu), 0);
    cpu_run(&m->cpu); /* and comes back */
    pthread_join(thread, NULL);
    ck_assert_uint_gt(jit_stats(j).blocks, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jit_stop");
    TCase *tc = tcase_create("jit_stop");
    SRunner *runner = srunner_create(suite);
    int failed;

    __builtin_cpu_init();
    if (!SANITIZED && __builtin_cpu_supports("bmi2")) {
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, stops, 0, sizeof(loops) / sizeof(loops[0]));
    }
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
