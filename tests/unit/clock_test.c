/* SPDX-License-Identifier: MIT */
/* Virtual time, the timer queue, and how late timers are. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

static struct vm *vm;

static void setup(void)
{
    vm = fake_vm(NULL);
}

static void teardown(void)
{
    vm_destroy(vm);
}

#define TIMERS 200
static struct timer timers[TIMERS];
static uint64_t last_due, fired;

static void count(void *opaque)
{
    (void)opaque;
    fired++;
}

/* Without the I/O thread: the queue alone, against a plain array. */
START_TEST(queue_at_random)
{
    uint64_t want[TIMERS];

    srand(3);
    vm_lock(vm);
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], count, &timers[i]);
        want[i] = TIMER_IDLE;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % TIMERS;
        uint64_t min = TIMER_IDLE;
        bool same = true;

        want[i] = rand() % 3 == 0 ? TIMER_IDLE : (uint64_t)rand() % 1000;
        if (want[i] == TIMER_IDLE)
            timer_cancel(vm, &timers[i]);
        else
            timer_arm(vm, &timers[i], want[i]);
        for (unsigned k = 0; k < TIMERS; k++) {
            same = same && timers[k].due_ns == want[k];
            min = want[k] < min ? want[k] : min;
        }
        ck_assert(same);
        if (min != TIMER_IDLE)
            ck_assert_uint_eq(vm->clock.heap[0]->due_ns, min);
        else
            ck_assert_uint_eq(vm->clock.count, 0);
    }
    vm_unlock(vm);
}
END_TEST

static void go_on_at_once(void *opaque)
{
    fired++;
    usleep(10); /* so that it is later */
    timer_arm(vm, opaque, clock_now(vm));
}

/* What sets itself off again is left to the next round, before which others have the lock. */
START_TEST(one_round)
{
    vm_lock(vm);
    timer_init(&timers[0], go_on_at_once, &timers[0]);
    timer_arm(vm, &timers[0], 0);
    clock_start(vm);
    fired = 0;
    ck_assert(!clock_fire(vm, 64));
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(clock_wait_ns(vm), 0);
    clock_fire(vm, 64);
    ck_assert_uint_eq(fired, 2);
    clock_stop(vm);
    timer_cancel(vm, &timers[0]);
    vm_unlock(vm);
}
END_TEST

START_TEST(stands_still)
{
    uint64_t a, b;

    ck_assert_uint_eq(clock_now(vm), 0);
    usleep(2000);
    ck_assert_uint_eq(clock_now(vm), 0);
    clock_start(vm);
    usleep(2000);
    clock_stop(vm);
    a = clock_now(vm);
    ck_assert_uint_ge(a, 2000000);
    usleep(5000);
    ck_assert_uint_eq(clock_now(vm), a);
    clock_start(vm);
    b = clock_now(vm);
    ck_assert_uint_ge(b, a);
    ck_assert_uint_lt(b, a + 5000000);
}
END_TEST

START_TEST(muldiv)
{
    ck_assert_uint_eq(clock_muldiv(UINT64_C(1) << 60, 1193182, 1000000000),
                      UINT64_C(1375645186709806));
    ck_assert_uint_eq(clock_muldiv(999, 1, 1000), 0);
}
END_TEST

static void periodic(void *opaque)
{
    struct timer *t = opaque;

    ck_assert_uint_ge(clock_now(vm), last_due);
    fired++;
    last_due += 4000000;
    timer_arm(vm, t, last_due);
}

/* 250 Hz for 0.4 s: no tick may be lost. */
START_TEST(periodic_keeps_up)
{
    struct timer t;

    timer_init(&t, periodic, &t);
    fired = 0;
    vm_lock(vm);
    clock_start(vm);
    last_due = clock_now(vm) + 1000000;
    timer_arm(vm, &t, last_due);
    vm_unlock(vm);
    ck_assert_int_eq(io_start(vm), 0);
    usleep(400000);
    io_stop(vm);
    vm_lock(vm);
    timer_cancel(vm, &t);
    vm_unlock(vm);
    ck_assert_uint_ge(fired, 95);
}
END_TEST

static uint64_t one_shot_late;
static atomic_bool one_shot_fired;

static void one_shot(void *opaque)
{
    one_shot_late = clock_now(vm) - *(uint64_t *)opaque;
    atomic_store(&one_shot_fired, true);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Arming from another thread wakes the I/O thread; the median must be far below a millisecond even
 * on a busy host. */
START_TEST(latency)
{
    uint64_t due, late[100];
    struct timer t;

    timer_init(&t, one_shot, &due);
    clock_start(vm);
    ck_assert_int_eq(io_start(vm), 0);
    for (unsigned i = 0; i < 100; i++) {
        atomic_store(&one_shot_fired, false);
        vm_lock(vm);
        due = clock_now(vm) + 300000;
        timer_arm(vm, &t, due);
        vm_unlock(vm);
        while (!atomic_load(&one_shot_fired))
            usleep(100);
        late[i] = one_shot_late;
    }
    io_stop(vm);
    qsort(late, 100, sizeof(late[0]), by_value);
    printf("timer latency: median %u us, 90%% %u us\n", (unsigned)(late[50] / 1000),
           (unsigned)(late[90] / 1000));
    ck_assert_uint_lt(late[50], 2000000);
}
END_TEST

/* A timer that is always due must not keep other users of the lock out. */
static void always_due(void *opaque)
{
    fired++;
    timer_arm(vm, opaque, 1);
}

START_TEST(storm_leaves_room)
{
    struct timer t;

    timer_init(&t, always_due, &t);
    vm_lock(vm);
    clock_start(vm);
    timer_arm(vm, &t, 1);
    vm_unlock(vm);
    ck_assert_int_eq(io_start(vm), 0);
    for (uint64_t seen = 0; seen < 10000;) {
        vm_lock(vm);
        seen = fired;
        vm_unlock(vm);
    }
    io_stop(vm);
    vm_lock(vm);
    timer_cancel(vm, &t);
    vm_unlock(vm);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("clock");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, queue_at_random);
    tcase_add_test(t, one_round);
    tcase_add_test(t, stands_still);
    tcase_add_test(t, muldiv);
    tcase_add_test(t, periodic_keeps_up);
    tcase_add_test(t, latency);
    tcase_add_test(t, storm_leaves_room);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
