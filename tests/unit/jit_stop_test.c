/* SPDX-License-Identifier: MIT */
/* Another thread can stop the processor in any loop that translated code does not leave by itself,
 * by whatever jumps the loop is made. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
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
    {"two blocks: jz forward, jmp back", {0x83, 0xc3, 0x02, 0x74, 0x00, 0xeb, 0xf9}, 0},
    {"a block with x87, one without", {0xd9, 0xee, 0xdd, 0xd8, 0x74, 0x01, 0x90, 0xeb, 0xf7}, 0},
    {"a block with SSE, one without", {0x0f, 0x57, 0xc0, 0x74, 0x01, 0x90, 0xeb, 0xf8}, 0},
    {"call of a ret", {0xe8, 0x02, 0x00, 0x00, 0x00, 0xeb, 0xf9, 0xc3}, 0},
    {"call of a ret that pops", {0x51, 0xe8, 2, 0, 0, 0, 0xeb, 0xf8, 0xc2, 4, 0}, 0},
    {"loop to itself", {0x41, 0x41, 0xe2, 0xfc}, 0},
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
    m->cpu.cr0 &= ~(CR0_EM | CR0_TS);
    m->cpu.cr4 |= CR4_OSFXSR;
    m->cpu.fpu.valid = 0;
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

static void foreign(int sig)
{
    (void)sig;
}

/* Which may be executing translated code when this one ends, whatever handler was there before. */
START_TEST(handlers_stay_for_another_machine)
{
    struct sigaction now, other = {.sa_handler = foreign};

    jit_thread_leave(j);
    sigaction(SIGSEGV, &other, NULL);
    ck_assert_int_eq(jit_thread_enter(j), 0);
    jit_thread_leave(j);
    sigaction(SIGSEGV, NULL, &now);
    ck_assert(now.sa_handler != foreign);
    ck_assert_int_eq(jit_thread_enter(j), 0);
}
END_TEST

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

/* Each loop is to be stopped so many times, at times that are hardly related to it. */
#define STOPS 100

static atomic_uint runs; /* how often the loop was entered */

static void *stop(void *arg)
{
    uint32_t seed = 1;

    for (unsigned n = 1; n <= STOPS; n++) {
        while (atomic_load(&runs) < n)
            sched_yield();
        seed = seed * 1664525 + 1013904223;
        nanosleep(&(struct timespec){.tv_nsec = n == 1 ? 20000000 : seed >> 14}, NULL);
        for (volatile unsigned k = seed >> 8 & 1023; k > 0; k--)
            ;
        cpu_attend(arg, ATT_EXIT, 0);
    }
    return NULL;
}

START_TEST(stops)
{
    pthread_t thread;

    atomic_store(&runs, 0);

    put(CODE, loops[_i].code, sizeof(loops[_i].code));
    if (loops[_i].far_offset != 0)
        put_far(loops[_i].far_offset);
    m->cpu.r[RAX] = CODE;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop, &m->cpu), 0);
    for (unsigned n = 1; n <= STOPS; n++) {
        atomic_store(&runs, n);
        ck_assert_int_eq(cpu_run(&m->cpu), CPU_EXIT_ATTENTION); /* it comes back */
        cpu_attend(&m->cpu, 0, ATT_EXIT);
    }
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
        tcase_set_timeout(tc, 60); /* of a busy host */
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, handlers_stay_for_another_machine);
        tcase_add_loop_test(tc, stops, 0, sizeof(loops) / sizeof(loops[0]));
    }
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
