/* SPDX-License-Identifier: MIT */
/* High precision event timers: counter, one-shot and periodic timers, legacy routes, levels. Time
 * is the test's own: the clock stands, and is set on between calls. */
#include <check.h>
#include <stdlib.h>

#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define CONFIG  0x010
#define STATUS  0x020
#define COUNTER 0x0f0
#define T(n)    (0x100 + 0x20 * (n))

static struct vm *vm;
static struct cpu *c;

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},  {&ioapic_class, NULL},
                                            {&isa_class, NULL},  {&pit_class, NULL},
                                            {&hpet_class, NULL}, {NULL, NULL}};
    static const struct board board = {"hpet", rows};

    vm = fake_vm(&board);
    c = fake_cpu_of(vm);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint64_t get(uint32_t reg, unsigned n)
{
    return phys_read(c, HPET_BASE + reg, n);
}

static void put(uint32_t reg, unsigned n, uint64_t val)
{
    phys_write(c, HPET_BASE + reg, n, val);
}

/* Let time pass; timers fire in order. */
static void pass(uint64_t ns)
{
    struct clock *k = &vm->clock;
    uint64_t until = atomic_load(&k->stopped) + ns;

    while (k->count > 0 && k->heap[0]->due_ns <= until) {
        struct timer *t = k->heap[0];

        if (t->due_ns > atomic_load(&k->stopped))
            atomic_store(&k->stopped, t->due_ns);
        timer_cancel(vm, t);
        t->fire(t->opaque);
    }
    atomic_store(&k->stopped, until);
}

/* Requests at the PIC since the last call. */
static unsigned pic_requests(void)
{
    unsigned irr;

    bus_port_out(vm, 0x20, 1, 0x0a);
    bus_port_out(vm, 0xa0, 1, 0x0a);
    irr = bus_port_in(vm, 0x20, 1) | bus_port_in(vm, 0xa0, 1) << 8;
    bus_port_out(vm, 0x20, 1, 0x11); /* ICW1 forgets edges */
    bus_port_out(vm, 0x21, 1, 0x20);
    bus_port_out(vm, 0x21, 1, 0x04);
    bus_port_out(vm, 0x21, 1, 0x01);
    bus_port_out(vm, 0xa0, 1, 0x11);
    bus_port_out(vm, 0xa1, 1, 0x28);
    bus_port_out(vm, 0xa1, 1, 0x02);
    bus_port_out(vm, 0xa1, 1, 0x01);
    return irr & ~4u;
}

START_TEST(counter)
{
    ck_assert_uint_eq(get(0, 8), UINT64_C(0x009896808086a201));
    ck_assert_uint_eq(get(T(0), 8), UINT64_C(0x0000000400000030));
    pass(1000);
    ck_assert_uint_eq(get(COUNTER, 8), 0);
    put(CONFIG, 4, 1);
    pass(1000);
    ck_assert_uint_eq(get(COUNTER, 4), 100);
    put(CONFIG, 4, 0);
    pass(1000);
    ck_assert_uint_eq(get(COUNTER, 8), 100);
    put(COUNTER + 4, 4, 7);
    put(CONFIG, 8, 1);
    pass(50);
    ck_assert_uint_eq(get(COUNTER, 8), UINT64_C(0x700000069));
    ck_assert_uint_eq(get(COUNTER + 4, 4), 7);
    put(0, 8, 0);
    ck_assert_uint_eq(get(4, 4), 10000000);
}
END_TEST

START_TEST(one_shot_legacy)
{
    pic_requests();
    put(CONFIG, 4, 3);
    put(T(0), 4, 0x104);
    ck_assert_uint_eq(get(T(0), 4), 0x134);
    put(T(0) + 8, 4, 500);
    pass(4990);
    ck_assert_uint_eq(pic_requests(), 0);
    pass(20);
    ck_assert_uint_eq(pic_requests(), 1);
    pass(1000000);
    ck_assert_uint_eq(pic_requests(), 0);
    put(T(0) + 8, 4, 10); /* long past: at once */
    pass(0);
    ck_assert_uint_eq(pic_requests(), 1);
    put(T(1), 4, 0x104);
    put(T(1) + 8, 4, get(COUNTER, 4) + 100);
    pass(1000);
    ck_assert_uint_eq(pic_requests(), 0x100);
}
END_TEST

/* As Linux sets one up: value with VAL_SET, then the period. */
START_TEST(periodic)
{
    unsigned n = 0;

    put(CONFIG, 4, 3);
    pass(12340);
    put(T(0), 4, 0x14c);
    put(T(0) + 8, 4, get(COUNTER, 4) + 100000);
    ck_assert_uint_eq(get(T(0), 4), 0x13c);
    put(T(0) + 8, 4, 100000);
    pic_requests();
    for (unsigned k = 0; k < 1000; k++) {
        pass(100000);
        n += pic_requests() & 1;
    }
    ck_assert_uint_eq(n, 100);
    put(T(0) + 8, 4, 1); /* a period of 10 ns is held back */
    n = 0;
    for (unsigned k = 0; k < 100; k++) {
        pass(10000);
        n += pic_requests() & 1;
    }
    ck_assert_uint_le(n, 51);
}
END_TEST

/* A timer that is disabled goes on counting periods, but wakes nobody for them. */
START_TEST(silent)
{
    uint64_t from = get(COUNTER, 8);

    put(CONFIG, 4, 3);
    put(T(0), 4, 0x14c);
    put(T(0) + 8, 4, from + 100000);
    put(T(0) + 8, 4, 100000);
    pass(1500000);
    put(T(0), 4, 0x108); /* in the second period */
    ck_assert_uint_gt(vm->clock.heap[0]->due_ns, atomic_load(&vm->clock.stopped) + 1000000);
    ck_assert_uint_eq(get(T(0) + 8, 4), from + 200000);
    pass(60000000000);
    ck_assert_uint_eq(get(T(0) + 8, 4), (uint32_t)(from + 6000200000));
    pic_requests();
    put(T(0), 4, 0x10c);
    pass(490000);
    ck_assert_uint_eq(pic_requests(), 0);
    pass(20000);
    ck_assert_uint_eq(pic_requests(), 1);
    put(T(1), 4, 0x100); /* one shot, long over when it is enabled */
    put(T(1) + 8, 4, get(COUNTER, 4) + 1000);
    pass(1000000);
    pic_requests();
    put(T(1), 4, 0x104);
    pass(1000000);
    ck_assert_uint_eq(pic_requests() & 0x100, 0);
}
END_TEST

START_TEST(wraps_at_32_bits)
{
    put(COUNTER, 8, 0xffffff00);
    put(T(0), 4, 0x104);
    put(T(0) + 8, 8, 0x1100000100); /* only the low half counts */
    ck_assert_uint_eq(get(T(0) + 8, 8), 0x100);
    put(CONFIG, 4, 3);
    pic_requests();
    pass(5000);
    ck_assert_uint_eq(pic_requests(), 0);
    pass(200);
    ck_assert_uint_eq(pic_requests(), 1);
}
END_TEST

START_TEST(levels_through_the_io_apic)
{
    phys_write(c, 0xfec00000, 4, 0x14); /* input 2 by level, unmasked */
    phys_write(c, 0xfec00010, 4, 0x8040);
    put(T(2), 4, 0x406); /* route 2 */
    put(T(2) + 8, 8, 100);
    put(CONFIG, 4, 1);
    pass(1000);
    ck_assert_uint_eq(get(STATUS, 4), 4);
    ck_assert_uint_eq(phys_read(c, 0xfec00010, 4), 0xc040);
    put(STATUS, 4, 4);
    ck_assert_uint_eq(get(STATUS, 4), 0);
    phys_write(c, 0xfec00040, 4, 0x40);
    ck_assert_uint_eq(phys_read(c, 0xfec00010, 4), 0x8040);
}
END_TEST

START_TEST(pit_gives_way)
{
    bus_port_out(vm, 0x43, 1, 0x34);
    bus_port_out(vm, 0x40, 1, 0);
    bus_port_out(vm, 0x40, 1, 0x10);
    pass(10000000);
    ck_assert(pic_requests() & 1);
    put(CONFIG, 4, 3);
    pic_requests();
    pass(10000000);
    ck_assert(!(pic_requests() & 1));
    put(CONFIG, 4, 1);
    pass(10000000);
    ck_assert(pic_requests() & 1);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(1);
    for (unsigned k = 0; k < 100000; k++) {
        uint32_t reg = (uint32_t)rand() % HPET_SIZE & ((unsigned)rand() & 1 ? ~3u : 0x1ffu);
        uint64_t val = (uint64_t)rand() << 33 ^ (uint64_t)rand();
        unsigned n = 1u << rand() % 4;

        if (rand() % 2)
            put(reg & ~(n - 1), n, rand() % 2 ? val : val & 0x1ff);
        else
            get(reg & ~(n - 1), n);
        pass((uint64_t)rand() % 100000);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hpet");
    TCase *t = tcase_create("hpet");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, counter);
    tcase_add_test(t, one_shot_legacy);
    tcase_add_test(t, periodic);
    tcase_add_test(t, silent);
    tcase_add_test(t, wraps_at_32_bits);
    tcase_add_test(t, levels_through_the_io_apic);
    tcase_add_test(t, pit_gives_way);
    tcase_add_test(t, any_traffic_is_harmless);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
