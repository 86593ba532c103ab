/* SPDX-License-Identifier: MIT */
/* Names of keys, and which events reach the chip. */
#include <check.h>
#include <string.h>

#include "tests/unit/fake_cpu.h"
#include "vmm/input.h"
#include "vmm/vmm_internal.h"

static struct {
    char text[256];
    int dx, dy, dz;
    unsigned buttons;
} heard;

static void hear_key(void *dev, enum key_code key, bool down)
{
    size_t len = strlen(heard.text);

    ck_assert_ptr_eq(dev, &heard);
    snprintf(heard.text + len, sizeof(heard.text) - len, "%c%s ", down ? '+' : '-',
             input_key_name(key));
}

static void hear_mouse(void *dev, int dx, int dy, int dz, unsigned buttons)
{
    ck_assert_ptr_eq(dev, &heard);
    heard.dx += dx;
    heard.dy += dy;
    heard.dz += dz;
    heard.buttons = buttons;
}

static enum key_code named(const char *name)
{
    return input_key_named(name, strlen(name));
}

START_TEST(names)
{
    bool shift;

    for (unsigned k = 1; k < INPUT_KEY_COUNT; k++) {
        ck_assert_uint_eq(named(input_key_name(k)), k);
        for (unsigned n = 1; n < k; n++)
            ck_assert_str_ne(input_key_name(n), input_key_name(k));
    }
    ck_assert_uint_eq(named("ret"), INPUT_KEY_RET);
    ck_assert_uint_eq(named("0x1e"), INPUT_KEY_A);
    ck_assert_uint_eq(named("0xd3"), INPUT_KEY_DELETE);
    ck_assert_uint_eq(named("retx"), INPUT_KEY_NONE);
    ck_assert_uint_eq(named("re"), INPUT_KEY_NONE);
    ck_assert_uint_eq(named(""), INPUT_KEY_NONE);
    ck_assert_uint_eq(named("0x"), INPUT_KEY_NONE);
    ck_assert_uint_eq(named("0x00"), INPUT_KEY_NONE);
    ck_assert_uint_eq(named("0x1ff"), INPUT_KEY_NONE);
    ck_assert_uint_eq(named("0x1eg"), INPUT_KEY_NONE);
    ck_assert_str_eq(input_key_name(INPUT_KEY_NONE), "");
    for (int ch = ' '; ch < 0x7f; ch++)
        ck_assert_uint_ne(input_key_of_char((char)ch, &shift), INPUT_KEY_NONE);
    ck_assert_uint_eq(input_key_of_char('a', &shift), INPUT_KEY_A);
    ck_assert(!shift);
    ck_assert_uint_eq(input_key_of_char('?', &shift), INPUT_KEY_SLASH);
    ck_assert(shift);
    ck_assert_uint_eq(input_key_of_char('|', &shift), INPUT_KEY_BACKSLASH);
    ck_assert_uint_eq(input_key_of_char('\n', &shift), INPUT_KEY_RET);
    ck_assert(!shift);
    ck_assert_uint_eq(input_key_of_char('\0', &shift), INPUT_KEY_NONE);
}
END_TEST

START_TEST(events)
{
    static const struct input_ops ops = {hear_key, hear_mouse};
    struct vm *vm = fake_vm(NULL);

    input_key(vm, INPUT_KEY_A, true); /* nobody hears it */
    input_mouse(vm, 1, 1, 1, 1);
    input_release_keys(vm);
    vm_lock(vm);
    input_attach(vm, &ops, &heard);
    vm_unlock(vm);
    input_key(vm, INPUT_KEY_A, true);
    input_key(vm, INPUT_KEY_A, true); /* the host repeats it */
    input_key(vm, INPUT_KEY_B, false);
    input_key(vm, INPUT_KEY_SHIFT, true);
    input_key(vm, INPUT_KEY_NONE, true);
    input_key(vm, INPUT_KEY_COUNT, true);
    input_key(vm, INPUT_KEY_A, false);
    input_key(vm, INPUT_KEY_C, true);
    input_release_keys(vm);
    ck_assert_str_eq(heard.text, "+a +shift -a +c -c -shift ");
    input_mouse(vm, 5, -6, 7, INPUT_LEFT | INPUT_EXTRA);
    ck_assert_int_eq(heard.dx, 5);
    ck_assert_int_eq(heard.dy, -6);
    ck_assert_int_eq(heard.dz, 7);
    ck_assert_uint_eq(heard.buttons, 0x11);
    ck_assert_uint_eq(input_mouse_buttons(vm), 0x11);
    vm_destroy(vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("input");
    TCase *tc = tcase_create("input");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, names);
    tcase_add_test(tc, events);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
