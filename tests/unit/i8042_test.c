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
    input_key(vm, INPUT_KEY_A, true);
    ck_assert_int_eq(vector(), 0x21);
    ck_assert_int_eq(vector(), -1);
    input_key(vm, INPUT_KEY_A, false);
    ck_assert_int_eq(vector(), -1); /* waits for the buffer */
    ck_assert_uint_eq(inb(vm, 0x60), 0x1e);
    ck_assert_int_eq(vector(), 0x21);
    expect("9e");
    input_key(vm, INPUT_KEY_CTRL_R, true); /* right control */
    input_key(vm, INPUT_KEY_CTRL_R, false);
    expect("e0 1d e0 9d");
    input_key(vm, INPUT_KEY_F7, true); /* F7, which is 83 in set 2 */
    input_key(vm, INPUT_KEY_F7, false);
    expect("41 c1");
    input_key(vm, INPUT_KEY_PAUSE, true);
    input_key(vm, INPUT_KEY_PAUSE, false);
    expect("e1 1d 45 e1 9d c5");
    input_key(vm, INPUT_KEY_PRINT, true);
    input_key(vm, INPUT_KEY_PRINT, false);
    expect("e0 2a e0 37 e0 b7 e0 aa");
}
END_TEST

/* The keys, from the same table as the device has them, but checked against its translation. */
static const struct {
    const char *name;
    unsigned set1, set2, set3;
} keys[INPUT_KEY_COUNT] = {
#define KEY(symbol, name, set1, set2, set3, kind) [INPUT_KEY_##symbol] = {name, set1, set2, set3},
#include "vmm/keys.def"
#undef KEY
};

/* What a key sends, but for those that bring a sequence of their own. */
static void expect_key(unsigned code, const char *before_break, uint8_t at_break)
{
    char hex[40], prefix[8] = "";

    if (code >> 8 != 0)
        sprintf(prefix, "%02x ", code >> 8);
    sprintf(hex, "%s%02x %s%s%02x", prefix, code & 0xff, prefix, before_break,
            (code & 0xff) | at_break);
    expect(hex);
}

static void select_set(uint8_t set, bool translate)
{
    command(0x60);
    data(translate ? 0x47 : 0x07);
    data(0xf0);
    data(set);
    while (inb(vm, 0x64) & 1)
        inb(vm, 0x60);
}

static void press_all(unsigned set, bool translate)
{
    select_set((uint8_t)set, translate);
    for (unsigned key = 1; key < INPUT_KEY_COUNT; key++) {
        if (key == INPUT_KEY_PRINT || key == INPUT_KEY_PAUSE || (set == 3 && keys[key].set3 == 0))
            continue;
        input_key(vm, key, true);
        input_key(vm, key, false);
        if (set == 1 || translate)
            expect_key(keys[key].set1, "", 0x80);
        else
            expect_key(set == 2 ? keys[key].set2 : keys[key].set3, "f0 ", 0);
    }
}

START_TEST(every_key_in_every_set)
{
    press_all(2, true);
    press_all(2, false);
    press_all(1, false);
    select_set(3, false);
    data(0xfa);
    expect("fa");
    press_all(3, false);
}
END_TEST

START_TEST(print_and_pause_know_modifiers)
{
    select_set(2, false);
    input_key(vm, INPUT_KEY_PAUSE, true);
    input_key(vm, INPUT_KEY_PAUSE, false);
    expect("e1 14 77 e1 f0 14 f0 77");
    input_key(vm, INPUT_KEY_CTRL, true);
    input_key(vm, INPUT_KEY_PAUSE, true);
    input_key(vm, INPUT_KEY_PAUSE, false);
    expect("14 e0 7e e0 f0 7e"); /* Break */
    input_key(vm, INPUT_KEY_PRINT, true);
    input_key(vm, INPUT_KEY_PRINT, false);
    input_key(vm, INPUT_KEY_CTRL, false);
    expect("e0 7c e0 f0 7c f0 14"); /* without the shift */
    input_key(vm, INPUT_KEY_ALT_R, true);
    input_key(vm, INPUT_KEY_PRINT, true);
    input_key(vm, INPUT_KEY_ALT_R, false);
    input_key(vm, INPUT_KEY_PRINT, false);
    expect("e0 11 84 e0 f0 11 f0 84"); /* SysRq to the end */
    select_set(3, false);
    input_key(vm, INPUT_KEY_PRINT, true);
    input_key(vm, INPUT_KEY_PRINT, false);
    input_key(vm, INPUT_KEY_PAUSE, true);
    expect("57 62");
}
END_TEST

START_TEST(keys_of_set_3_behave_as_told)
{
    select_set(3, false);
    data(0xf0);
    data(0x00);
    expect("fa fa 03");
    input_key(vm, INPUT_KEY_A, true);
    fake_advance(vm, NS_PER_SEC / 2);
    input_key(vm, INPUT_KEY_A, false);
    input_key(vm, INPUT_KEY_SHIFT, true);
    fake_advance(vm, NS_PER_SEC);
    input_key(vm, INPUT_KEY_SHIFT, false);
    input_key(vm, INPUT_KEY_F1, true);
    fake_advance(vm, NS_PER_SEC);
    input_key(vm, INPUT_KEY_F1, false);
    expect("1c 1c 12 f0 12 07"); /* it repeats, has a break code, has neither */
    data(0xfc);                  /* a list of keys, which a command ends */
    data(0x1c);
    data(0x07);
    expect("fa fa fa");
    input_key(vm, INPUT_KEY_A, true);
    expect(""); /* the command has switched it off */
    data(0xf4);
    expect("fa");
    input_key(vm, INPUT_KEY_A, false);
    input_key(vm, INPUT_KEY_F1, false);
    expect("f0 1c f0 07");
    data(0xf9);
    expect("fa");
    input_key(vm, INPUT_KEY_A, true);
    fake_advance(vm, NS_PER_SEC);
    input_key(vm, INPUT_KEY_A, false);
    expect("1c");
}
END_TEST

/* Bytes that come within a time. */
static unsigned count_bytes(uint64_t ms)
{
    unsigned n = 0;

    for (; ms > 0; ms--) {
        fake_advance(vm, NS_PER_SEC / 1000);
        while (inb(vm, 0x64) & 1) {
            ck_assert_uint_eq(inb(vm, 0x60), 0x1e);
            n++;
        }
    }
    return n;
}

START_TEST(a_held_key_repeats)
{
    input_key(vm, INPUT_KEY_A, true);
    ck_assert_uint_eq(count_bytes(499), 1);
    ck_assert_uint_eq(count_bytes(1000), 11); /* 10.9 a second, the first one at once */
    data(0xf3);
    data(0x00); /* 250 ms, 30 a second */
    expect("fa fa");
    input_key(vm, INPUT_KEY_B, true);
    input_key(vm, INPUT_KEY_B, false);
    expect("30 b0");
    ck_assert_uint_eq(count_bytes(1000), 0); /* the last key was another one */
    input_key(vm, INPUT_KEY_A, true);
    ck_assert_uint_eq(count_bytes(249), 1);
    ck_assert_uint_eq(count_bytes(1000), 30);
    data(0xf3);
    data(0x7f); /* 1 s, 2 a second */
    expect("fa fa");
    input_key(vm, INPUT_KEY_A, true);
    ck_assert_uint_eq(count_bytes(999), 1);
    ck_assert_uint_eq(count_bytes(2000), 4);
    fake_advance(vm, 60 * NS_PER_SEC); /* nobody looks: no more than two wait */
    ck_assert_uint_eq(inb(vm, 0x60), 0x1e);
    input_key(vm, INPUT_KEY_A, false);
    expect("1e 9e");
    ck_assert_uint_eq(count_bytes(3000), 0);
    input_key(vm, INPUT_KEY_A, true);
    expect("1e");
    data(0xf5);
    expect("fa");
    ck_assert_uint_eq(count_bytes(3000), 0);
}
END_TEST

START_TEST(a_full_buffer_loses_no_break)
{
    select_set(2, false);
    for (unsigned k = 0; k < 1000; k++)
        input_key(vm, INPUT_KEY_A + k % 26, true);
    for (unsigned k = 0; k < 6; k++)
        input_key(vm, INPUT_KEY_A + k, false);
    for (unsigned k = 0; k < 34; k++)
        ck_assert_uint_ne(inb(vm, 0x60), 0x00);
    expect("00 f0 1c f0 32 f0 21 f0 23 f0 24 f0 2b"); /* 00: keys were lost */
}
END_TEST

START_TEST(disabled_devices_wait)
{
    command(0xad);
    input_key(vm, INPUT_KEY_A, true);
    ck_assert_int_eq(vector(), -1);
    expect("");
    command(0xae);
    ck_assert_int_eq(vector(), 0x21);
    expect("1e");
    data(0xf5);
    expect("fa");
    input_key(vm, INPUT_KEY_A, false);
    expect("");
    data(0xf4);
    expect("fa");
}
END_TEST

/* Commands to the mouse, as bytes in hexadecimal; it acknowledges each. */
static void mouse_all(const char *hex)
{
    for (; *hex; hex += hex[2] ? 3 : 2) {
        mouse((uint8_t)strtoul(hex, NULL, 16));
        expect("fa");
    }
}

/* Movements, and time for the next sample. */
static void move(int dx, int dy, int dz, unsigned buttons)
{
    input_mouse(vm, dx, dy, dz, buttons);
    fake_advance(vm, NS_PER_SEC / 10);
}

START_TEST(mouse_packets)
{
    mouse(0xff);
    ck_assert_int_eq(vector(), 0x2c);
    expect("fa aa 00");
    mouse(0xf2);
    expect("fa 00");
    move(5, 5, 0, 0);
    expect(""); /* not enabled yet */
    mouse_all("f6 f4");
    move(3, 2, 1, 1); /* downwards */
    expect("29 03 fe");
    move(200, 0, 0, 0);
    expect("08 7f 00 08 49 00");
    mouse(0xe9);
    expect("fa 20 02 64");
    mouse_all("f3 c8 f3 64 f3 50"); /* a wheel */
    mouse(0xf2);
    expect("fa 03");
    move(0, 0, -1, 0);
    expect("08 00 00 ff");
    mouse_all("f0");
    move(1, -1, 0, 2);
    expect("");
    mouse(0xeb);
    expect("fa 0a 01 01 00");
    mouse(0xe9);
    expect("fa 61 02 50");
    mouse_all("ea ee");
    move(9, 9, 9, 1);
    expect("");
    mouse(0xe9);
    expect("e9");
    mouse(0xec);
    expect("fa 29 09 f7 09");
}
END_TEST

START_TEST(mouse_of_five_buttons)
{
    mouse_all("f3 c8 f3 c8 f3 50 f4");
    mouse(0xf2);
    expect("fa 04");
    move(0, 0, -1, INPUT_SIDE);
    expect("08 00 00 1f");
    move(0, 0, 9, INPUT_EXTRA | INPUT_MIDDLE);
    expect("0c 00 00 27 0c 00 00 22");
    mouse(0xff);
    expect("fa aa 00");
    mouse(0xf2);
    expect("fa 00");
}
END_TEST

START_TEST(mouse_scaling_and_resolution)
{
    mouse_all("e7 e8 03 f4");
    mouse(0xe9);
    expect("fa 30 03 64");
    for (int n = 0; n <= 6; n++)
        move(n, 0, 0, 0);
    expect("08 01 00 08 01 00 08 03 00 08 06 00 08 09 00 08 0c 00");
    move(-2, 5, 0, 0);
    expect("38 ff f7");
    mouse_all("f0");
    move(2, 0, 0, 0);
    mouse(0xeb);
    expect("fa 08 02 00"); /* not for what is asked for */
    mouse_all("e6");
    mouse(0xe9);
    expect("fa 60 03 64");
}
END_TEST

START_TEST(mouse_sample_rate)
{
    unsigned packets = 0;

    mouse_all("f3 28 f4"); /* 40 a second */
    for (unsigned ms = 0; ms < 1000; ms++) {
        input_mouse(vm, 1, 0, 0, 0);
        fake_advance(vm, NS_PER_SEC / 1000);
        for (; inb(vm, 0x64) & 1; packets++) {
            inb(vm, 0x60);
            inb(vm, 0x60);
            inb(vm, 0x60);
        }
    }
    ck_assert_uint_ge(packets, 40);
    ck_assert_uint_le(packets, 41);
    input_mouse(vm, 0, 0, 0, INPUT_LEFT); /* a click waits for nothing */
    input_mouse(vm, 0, 0, 0, 0);
    ck_assert_uint_eq(inb(vm, 0x60) & 0x0f, 0x09);
    inb(vm, 0x60);
    inb(vm, 0x60);
    expect("08 00 00");
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
        case 4:
            input_key(vm, 1 + (unsigned)(rand() >> 8) % (INPUT_KEY_COUNT - 1), rand() & 1);
            break;
        case 5:
            input_mouse(vm, rand() - rand(), rand() - rand(), rand(), (unsigned)rand());
            fake_advance(vm, (uint64_t)rand());
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
    tcase_add_test(tc, every_key_in_every_set);
    tcase_add_test(tc, print_and_pause_know_modifiers);
    tcase_add_test(tc, keys_of_set_3_behave_as_told);
    tcase_add_test(tc, a_held_key_repeats);
    tcase_add_test(tc, a_full_buffer_loses_no_break);
    tcase_add_test(tc, disabled_devices_wait);
    tcase_add_test(tc, mouse_packets);
    tcase_add_test(tc, mouse_of_five_buttons);
    tcase_add_test(tc, mouse_scaling_and_resolution);
    tcase_add_test(tc, mouse_sample_rate);
    tcase_add_test(tc, a20_is_the_or_of_its_sources);
    tcase_add_test(tc, resets_are_requested);
    tcase_add_test(tc, any_traffic_is_harmless);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
