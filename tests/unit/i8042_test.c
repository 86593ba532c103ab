/* SPDX-License-Identifier: MIT */
/* 8042 with keyboard and mouse: commands, translation, interrupts, A20 and reset. */
#include <check.h>
#include <stdlib.h>

#include "devices/i8042.h"
#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/port92.h"
#include "tests/unit/fake_vmm.h"

static struct vm *vm;
static struct probe intr;

static void command(uint8_t val)
{
    outb(vm, 0x64, val);
}

static void data(uint8_t val)
{
    outb(vm, 0x60, val);
}

static void setup(void)
{
    static const struct board_row rows[] = {{&pic_class, NULL},
                                            {&isa_class, NULL},
                                            {&port92_class, NULL},
                                            {&i8042_class, NULL},
                                            {NULL, NULL}};

    vm = fake_create(rows, NULL);
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
    command(0x60);
    data(0x47); /* interrupts, translation */
}

static void teardown(void)
{
    fake_destroy(vm);
}

/* Vector of the pending interrupt, or -1. */
static int vector(void)
{
    return intr.level ? pic_ack(vm) : -1;
}

static void expect(const char *hex)
{
    for (; *hex; hex += hex[2] ? 3 : 2) {
        ck_assert_uint_eq(inb(vm, 0x64) & 0x01, 0x01);
        ck_assert_uint_eq(inb(vm, 0x60), strtoul(hex, NULL, 16));
    }
    ck_assert_uint_eq(inb(vm, 0x64) & 0x01, 0);
}

static void mouse(uint8_t val)
{
    command(0xd4);
    data(val);
    ck_assert_uint_eq(inb(vm, 0x64) & 0x21, 0x21);
}

START_TEST(controller_commands)
{
    command(0xaa);
    ck_assert_uint_eq(inb(vm, 0x64), 0x1d);
    expect("55");
    command(0x20);
    expect("47");
    command(0xab);
    expect("00");
    command(0xa9);
    expect("00");
    command(0xad);
    command(0xa7);
    command(0x20);
    expect("77");
    command(0xae);
    command(0xa8);
    command(0x20);
    expect("47");
    command(0xd0);
    expect("cf");
    command(0x65);
    data(0x99);
    command(0x25);
    expect("99");
    while (vector() >= 0) /* the answers have interrupted, too */
        ;
    command(0xd3); /* the driver's test for a mouse port */
    data(0x5a);
    ck_assert_uint_eq(inb(vm, 0x64) & 0x21, 0x21);
    ck_assert_int_eq(vector(), 0x2c);
    expect("5a");
    command(0xd2);
    data(0x1c);
    ck_assert_uint_eq(inb(vm, 0x64) & 0x21, 0x01);
    expect("1c");
}
END_TEST

START_TEST(keyboard_commands)
{
    data(0xff);
    expect("fa aa");
    data(0xf2);
    expect("fa ab 41"); /* 83, translated */
    data(0xed);
    expect("fa");
    data(0x07);
    expect("fa");
    data(0xee);
    expect("ee");
    data(0xf3);
    data(0x20);
    expect("fa fa");
    data(0xf0);
    expect("fa");
    data(0x00);
    expect("fa 41"); /* set 2, translated */
    data(0xfe);
    expect("41");
    data(0x55);
    expect("fe");
    command(0x60);
    data(0x07);
    data(0xf2);
    expect("fa ab 83");
    data(0xed); /* a command in place of its argument */
    data(0xf4);
    expect("fa fa");
}
END_TEST

START_TEST(keys_arrive_translated)
{
    i8042_key_event(vm, 0x1e, true);
    ck_assert_int_eq(vector(), 0x21);
    ck_assert_int_eq(vector(), -1);
    i8042_key_event(vm, 0x1e, false);
    ck_assert_int_eq(vector(), -1); /* waits for the buffer */
    ck_assert_uint_eq(inb(vm, 0x60), 0x1e);
    ck_assert_int_eq(vector(), 0x21);
    expect("9e");
    i8042_key_event(vm, 0x9d, true); /* right control */
    i8042_key_event(vm, 0x9d, false);
    expect("e0 1d e0 9d");
    i8042_key_event(vm, 0x41, true); /* F7, which is 83 in set 2 */
    i8042_key_event(vm, 0x41, false);
    expect("41 c1");
    i8042_key_event(vm, 0xc6, true);
    i8042_key_event(vm, 0xc6, false);
    expect("e1 1d 45 e1 9d c5");
    i8042_key_event(vm, 0xb7, true);
    i8042_key_event(vm, 0xb7, false);
    expect("e0 2a e0 37 e0 b7 e0 aa");
}
END_TEST

START_TEST(every_key_survives_both_sets)
{
    for (unsigned key = 1; key < 0x59; key++) {
        char hex[8];

        if (key == 0x55 || key == 0x54)
            continue; /* no key; Alt+SysRq */
        i8042_key_event(vm, (uint8_t)key, true);
        i8042_key_event(vm, (uint8_t)key, false);
        sprintf(hex, "%02x %02x", key, key | 0x80);
        expect(hex);
    }
    data(0xf0);
    data(0x01);
    expect("fa fa");
    command(0x60);
    data(0x07);
    i8042_key_event(vm, 0x9d, true);
    i8042_key_event(vm, 0x9d, false);
    expect("e0 1d e0 9d");
    data(0xf0);
    data(0x02);
    expect("fa fa");
    i8042_key_event(vm, 0x1e, true);
    i8042_key_event(vm, 0x1e, false);
    expect("1c f0 1c");
}
END_TEST

START_TEST(disabled_devices_wait)
{
    command(0xad);
    i8042_key_event(vm, 0x1e, true);
    ck_assert_int_eq(vector(), -1);
    expect("");
    command(0xae);
    ck_assert_int_eq(vector(), 0x21);
    expect("1e");
    data(0xf5);
    expect("fa");
    i8042_key_event(vm, 0x1e, false);
    expect("");
    data(0xf4);
    expect("fa");
    for (unsigned k = 0; k < 1000; k++) /* more than the keyboard holds */
        i8042_key_event(vm, 0x1e, k & 1);
    for (unsigned k = 0; k < 64; k++)
        inb(vm, 0x60);
    expect("");
}
END_TEST

START_TEST(mouse_packets)
{
    mouse(0xff);
    ck_assert_int_eq(vector(), 0x2c);
    expect("fa aa 00");
    mouse(0xf2);
    expect("fa 00");
    i8042_mouse_event(vm, 5, 5, 0, 0);
    expect(""); /* not enabled yet */
    mouse(0xf6);
    expect("fa");
    mouse(0xf4);
    expect("fa");
    i8042_mouse_event(vm, 3, -2, 1, 1);
    expect("29 03 fe");
    i8042_mouse_event(vm, 200, 0, 0, 0);
    expect("08 7f 00 08 49 00");
    mouse(0xe9);
    expect("fa 20 02 64");
    for (const char *p = "\xc8\x64\x50"; *p; p++) {
        mouse(0xf3);
        expect("fa");
        mouse((uint8_t)*p);
        expect("fa");
    }
    mouse(0xf2);
    expect("fa 03");
    i8042_mouse_event(vm, 0, 0, -1, 0);
    expect("08 00 00 ff");
    mouse(0xf0);
    expect("fa");
    i8042_mouse_event(vm, 1, 1, 0, 2);
    expect("");
    mouse(0xeb);
    expect("fa 0a 01 01 00");
    mouse(0xee);
    expect("fa");
    mouse(0xe9);
    expect("e9");
    mouse(0xec);
    expect("fa");
}
END_TEST

START_TEST(a20_is_the_or_of_its_sources)
{
    ck_assert(fake_of(vm)->a20);
    command(0xd1);
    data(0xcd);
    ck_assert(!fake_of(vm)->a20);
    outb(vm, 0x92, 0x02);
    ck_assert(fake_of(vm)->a20);
    ck_assert_uint_eq(inb(vm, 0x92), 0x02);
    command(0xdf);
    outb(vm, 0x92, 0x00);
    ck_assert(fake_of(vm)->a20);
    command(0xdd);
    ck_assert(!fake_of(vm)->a20);
    fake_reset(vm);
    ck_assert(fake_of(vm)->a20);
}
END_TEST

START_TEST(resets_are_requested)
{
    command(0xff);
    ck_assert_uint_eq(fake_of(vm)->resets, 0);
    command(0xfe);
    ck_assert_uint_eq(fake_of(vm)->resets, 1);
    command(0xd1);
    data(0xce);
    ck_assert_uint_eq(fake_of(vm)->resets, 2);
    outb(vm, 0x92, 0x01);
    outb(vm, 0x92, 0x01);
    ck_assert_uint_eq(fake_of(vm)->resets, 3);
}
END_TEST

START_TEST(any_traffic_is_harmless)
{
    srand(6);
    for (unsigned k = 0; k < 300000; k++) {
        switch (rand() % 8) {
        case 0:
        case 1: outb(vm, 0x60, (uint8_t)(rand() >> 8)); break;
        case 2: outb(vm, 0x64, (uint8_t)(rand() >> 8)); break;
        case 3: outb(vm, 0x64, 0xd4); break;
        case 4: i8042_key_event(vm, (uint8_t)(rand() >> 8), rand() & 1); break;
        case 5:
            i8042_mouse_event(vm, rand() - rand(), rand() - rand(), rand(), (uint8_t)rand());
            break;
        default: inb(vm, (rand() & 1) ? 0x60 : 0x64); break;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i8042");
    TCase *tc = tcase_create("i8042");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, controller_commands);
    tcase_add_test(tc, keyboard_commands);
    tcase_add_test(tc, keys_arrive_translated);
    tcase_add_test(tc, every_key_survives_both_sets);
    tcase_add_test(tc, disabled_devices_wait);
    tcase_add_test(tc, mouse_packets);
    tcase_add_test(tc, a20_is_the_or_of_its_sources);
    tcase_add_test(tc, resets_are_requested);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
