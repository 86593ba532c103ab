/* SPDX-License-Identifier: MIT */
/* A guest that writes video memory in all the ways that are direct, while somebody looks at the
 * screen all the time: what it reads back is right, and nothing that it wrote is missed. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/debug_exit.h"
#include "devices/pc.h"
#include "vmm/display.h"
#include "vmm/vm.h"

#define PASSED 33
#define WIDTH  1024u
#define HEIGHT 768u
#define ROUNDS 24u
#define FACTOR 0x9e3779b1u

struct onlooker {
    struct vm *vm;
    struct display_listener l;
    atomic_bool stop;
    unsigned looks;
};

static void *look(void *arg)
{
    struct onlooker *o = arg;
    struct display_rect r[8];

    while (!atomic_load(&o->stop)) {
        display_refresh(o->vm, &o->l, r, 8);
        o->looks++;
        usleep(1000);
    }
    return NULL;
}

static struct vm *create(enum vm_accel accel)
{
    static const struct debug_exit_cfg debug_exit = {0xf4, 4};
    struct vm_config cfg = {.ram_bytes = UINT64_C(16) << 20,
                            .cpus = 1,
                            .accel = accel,
                            .serial = {"null"},
                            .kernel = GUESTS "/video.bin",
                            .log = stderr};
    char err[VM_ERR_LEN];
    struct vm *vm;

    ck_assert_msg(vm_create(&vm, &cfg, &pc_board, err) == 0, "%s", err);
    vm_lock(vm);
    ck_assert_ptr_nonnull(device_create(vm, &debug_exit_class, &debug_exit));
    vm_unlock(vm);
    return vm;
}

START_TEST(nothing_is_missed)
{
    struct onlooker o = {.vm = create(_i ? ACCEL_BEST : ACCEL_INTERP)};
    struct display_rect r;
    pthread_t thread;
    unsigned wrong = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, look, &o), 0);
    ck_assert_int_eq(vm_run(o.vm), VM_END_DEBUG_EXIT);
    ck_assert_int_eq(vm_exit_code(o.vm), PASSED);
    atomic_store(&o.stop, true);
    pthread_join(thread, NULL);
    display_refresh(o.vm, &o.l, &r, 1);
    ck_assert_uint_eq(o.l.copy.width, WIDTH);
    ck_assert_uint_eq(o.l.copy.height, HEIGHT);
    for (uint32_t n = 0; n < WIDTH * HEIGHT; n++)
        wrong += o.l.copy.pixels[n] != ((n * FACTOR + ROUNDS) & 0xffffff);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(o.looks, 1);
    display_listener_free(&o.l);
    vm_destroy(o.vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screen_vm");
    TCase *tc = tcase_create("screen_vm");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, nothing_is_missed, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
