/* SPDX-License-Identifier: MIT */
/* MC146818: the calendar in all formats, setting the clock, the three interrupts, CMOS bytes. */
#include <check.h>
#include <stdlib.h>

#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/rtc.h"
#include "tests/unit/fake_vmm.h"

static struct vm *vm;
static struct probe intr;

static uint8_t get(uint8_t index)
{
    outb(vm, 0x70, index);
    return inb(vm, 0x71);
}

static void set(uint8_t index, uint8_t val)
{
    outb(vm, 0x70, index);
    outb(vm, 0x71, val);
}

static void setup(void)
{
    static const struct board_row rows[] = {
        {&pic_class, NULL}, {&isa_class, NULL}, {&rtc_class, NULL}, {NULL, NULL}};
    static const struct vm_config cfg = {.ram_bytes = UINT64_C(5) << 30, .cpus = 1};

    vm = fake_create(rows, &cfg);
    set(0x0b, 0x82); /* 2024-02-28 23:59:58 */
    set(0x00, 0x58);
    set(0x02, 0x59);
    set(0x04, 0x23);
    set(0x07, 0x28);
    set(0x08, 0x02);
    set(0x09, 0x24);
    set(0x32, 0x20);
    set(0x0b, 0x02);
    outb(vm, 0x20, 0x11);
    outb(vm, 0x21, 0x20);
    outb(vm, 0x21, 0x04);
    outb(vm, 0x21, 0x03);
    outb(vm, 0xa0, 0x11);
    outb(vm, 0xa1, 0x28);
    outb(vm, 0xa1, 0x02);
    outb(vm, 0xa1, 0x03);
    intr = (struct probe){0};
    pic_connect_output(vm, probe_irq(&intr));
}

static void teardown(void)
{
    fake_destroy(vm);
}

static bool interrupted(void)
{
    bool was = intr.level;

    if (was)
        ck_assert_int_eq(pic_ack(vm), 0x28);
    return was;
}

START_TEST(the_calendar_rolls_over)
{
    ck_assert_uint_eq(get(0x00), 0x58);
    ck_assert_uint_eq(get(0x06), 4); /* Wednesday */
    fake_advance(vm, 2 * NS_PER_SEC);
    ck_assert_uint_eq(get(0x00), 0);
    ck_assert_uint_eq(get(0x02), 0);
    ck_assert_uint_eq(get(0x04), 0);
    ck_assert_uint_eq(get(0x07), 0x29);
    ck_assert_uint_eq(get(0x08), 0x02);
    ck_assert_uint_eq(get(0x06), 5);
    fake_advance(vm, 86400 * NS_PER_SEC);
    ck_assert_uint_eq(get(0x07), 0x01);
    ck_assert_uint_eq(get(0x08), 0x03);
    set(0x07, 0x31);
    set(0x08, 0x12);
    set(0x09, 0x99);
    fake_advance(vm, 86400 * NS_PER_SEC);
    ck_assert_uint_eq(get(0x07), 0x01);
    ck_assert_uint_eq(get(0x08), 0x01);
    ck_assert_uint_eq(get(0x09), 0x00);
    ck_assert_uint_eq(get(0x32), 0x21);
    ck_assert_uint_eq(get(0x37), 0x21);
}
END_TEST

START_TEST(formats)
{
    ck_assert_uint_eq(get(0x04), 0x23);
    set(0x0b, 0x06);
    ck_assert_uint_eq(get(0x04), 23);
    ck_assert_uint_eq(get(0x02), 59);
    set(0x0b, 0x04);
    ck_assert_uint_eq(get(0x04), 0x80 | 11);
    set(0x0b, 0x00);
    ck_assert_uint_eq(get(0x04), 0x80 | 0x11);
    fake_advance(vm, 2 * NS_PER_SEC);
    ck_assert_uint_eq(get(0x04), 0x12);
    set(0x04, 0x92);
    set(0x0b, 0x02);
    ck_assert_uint_eq(get(0x04), 0x12);
}
END_TEST

START_TEST(set_freezes_the_registers)
{
    set(0x0b, 0x92); /* SET takes UIE away */
    ck_assert_uint_eq(get(0x0b), 0x82);
    fake_advance(vm, 10 * NS_PER_SEC);
    ck_assert_uint_eq(get(0x00), 0x58);
    ck_assert_uint_eq(get(0x0c) & 0x10, 0);
    ck_assert_uint_eq(get(0x0a), 0x26);
    set(0x0b, 0x02);
    ck_assert_uint_eq(get(0x00), 0x58);
    set(0x0a, 0x66); /* divider reset: the first update comes half a second after its end */
    fake_advance(vm, 10 * NS_PER_SEC);
    set(0x0a, 0x26);
    fake_advance(vm, NS_PER_SEC / 2 - 1000);
    ck_assert_uint_eq(get(0x00), 0x58);
    fake_advance(vm, 2000);
    ck_assert_uint_eq(get(0x00), 0x59);
}
END_TEST

START_TEST(uip_announces_the_update)
{
    fake_advance(vm, NS_PER_SEC - 245000);
    ck_assert_uint_eq(get(0x0a), 0x26);
    fake_advance(vm, 2000);
    ck_assert_uint_eq(get(0x0a), 0xa6);
    fake_advance(vm, 244000);
    ck_assert_uint_eq(get(0x0a), 0x26);
    ck_assert_uint_eq(get(0x0c), 0x50); /* UF, and PF which needs no enable either */
    ck_assert_uint_eq(get(0x0c), 0);
    set(0x0a, 0xff);
    ck_assert_uint_eq(get(0x0a) & 0x80, 0);
}
END_TEST

START_TEST(update_interrupt)
{
    set(0x0b, 0x12);
    get(0x0c);
    interrupted();
    for (unsigned k = 0; k < 3; k++) {
        fake_advance(vm, NS_PER_SEC - 1);
        ck_assert(!interrupted());
        fake_advance(vm, 1);
        ck_assert(interrupted());
        ck_assert_uint_eq(get(0x0c) & 0x90, 0x90);
    }
    fake_advance(vm, NS_PER_SEC);
    ck_assert(interrupted());
    fake_advance(vm, NS_PER_SEC);
    ck_assert(!interrupted()); /* C was not read: the line never fell */
}
END_TEST

START_TEST(alarm_interrupt)
{
    set(0x01, 0x01);
    set(0x03, 0x00);
    set(0x05, 0x00);
    set(0x0b, 0x22);
    fake_advance(vm, 3 * NS_PER_SEC - 1);
    ck_assert(!interrupted());
    fake_advance(vm, 1);
    ck_assert(interrupted());
    ck_assert_uint_eq(get(0x0c) & 0xb0, 0xb0);
    fake_advance(vm, 3600 * NS_PER_SEC);
    ck_assert(!interrupted());
    set(0x05, 0xff); /* each hour */
    fake_advance(vm, 3600 * NS_PER_SEC);
    ck_assert(interrupted());
    get(0x0c);
    fake_advance_late(vm, 3600 * NS_PER_SEC + 5); /* not missed by a late timer */
    ck_assert(interrupted());
}
END_TEST

START_TEST(periodic_interrupt)
{
    unsigned n = 0;

    set(0x0b, 0x42); /* 1024 Hz */
    get(0x0c);
    interrupted();
    for (unsigned k = 0; k < 20000; k++) {
        fake_advance(vm, 100000);
        if (interrupted()) {
            ck_assert_uint_eq(get(0x0c) & 0xc0, 0xc0);
            n++;
        }
    }
    ck_assert_uint_eq(n, 2048);
    set(0x0a, 0x20);
    get(0x0c);
    interrupted();
    fake_advance(vm, NS_PER_SEC);
    ck_assert(!interrupted());
    set(0x0a, 0x2f); /* 2 Hz, polled */
    set(0x0b, 0x02);
    get(0x0c);
    fake_advance(vm, NS_PER_SEC / 2 + 1000);
    ck_assert_uint_eq(get(0x0c) & 0x40, 0x40);
    fake_advance(vm, NS_PER_SEC / 4);
    ck_assert_uint_eq(get(0x0c) & 0x40, 0);
}
END_TEST

START_TEST(cmos_describes_the_machine)
{
    unsigned sum = 0;

    ck_assert_uint_eq(get(0x15) | get(0x16) << 8, 640);
    ck_assert_uint_eq(get(0x17) | get(0x18) << 8, 0xffff);
    ck_assert_uint_eq(get(0x30) | get(0x31) << 8, 0xffff);
    ck_assert_uint_eq(get(0x34) | get(0x35) << 8, (0xc0000000u - 0x1000000u) >> 16);
    ck_assert_uint_eq(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0x8000);
    ck_assert_uint_eq(get(0x0d), 0x80);
    for (uint8_t k = 0x10; k < 0x2e; k++)
        sum += get(k);
    ck_assert_uint_eq(get(0x2e) << 8 | get(0x2f), sum);
    rtc_set_cmos(vm, 0x10, 0x40);
    ck_assert_uint_eq(get(0x2e) << 8 | get(0x2f), sum + 0x40);
    set(0x0f, 0x0a);
    set(0x0b, 0x72);
    fake_reset(vm);
    ck_assert_uint_eq(get(0x0f), 0x0a);
    ck_assert_uint_eq(get(0x0b), 0x02);
    ck_assert_uint_eq(get(0x00), 0x58);
    ck_assert_uint_eq(inb(vm, 0x70), 0xff);
}
END_TEST

/* Registers 3Dh and 38h: 1 floppy, 2 hard disk, 3 CD, 4 network. */
START_TEST(cmos_has_the_boot_order)
{
    static const struct board_row rows[] = {
        {&pic_class, NULL}, {&isa_class, NULL}, {&rtc_class, NULL}, {NULL, NULL}};
    static const struct vm_config cfg = {
        .ram_bytes = 16 << 20, .cpus = 1, .boot = {.order = "dn", .once = "acd"}};

    ck_assert_uint_eq(get(0x3d), 0x12); /* c, a, d */
    ck_assert_uint_eq(get(0x38), 0x30);
    fake_destroy(vm);
    vm = fake_create(rows, &cfg);
    ck_assert_uint_eq(get(0x3d), 0x21);
    ck_assert_uint_eq(get(0x38), 0x30);
    fake_reset(vm);
    ck_assert_uint_eq(get(0x3d), 0x43);
    ck_assert_uint_eq(get(0x38), 0x00);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(4);
    for (unsigned k = 0; k < 100000; k++) {
        uint8_t index = (uint8_t)(rand() % 3 == 0 ? rand() : rand() % 14);

        if (rand() & 1)
            set(index, (uint8_t)(rand() >> 8));
        else
            get(index);
        fake_advance(vm, (uint64_t)(rand() % 10000000));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtc");
    TCase *tc = tcase_create("rtc");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_calendar_rolls_over);
    tcase_add_test(tc, formats);
    tcase_add_test(tc, set_freezes_the_registers);
    tcase_add_test(tc, uip_announces_the_update);
    tcase_add_test(tc, update_interrupt);
    tcase_add_test(tc, alarm_interrupt);
    tcase_add_test(tc, periodic_interrupt);
    tcase_add_test(tc, cmos_describes_the_machine);
    tcase_add_test(tc, cmos_has_the_boot_order);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
