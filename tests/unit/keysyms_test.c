/* SPDX-License-Identifier: MIT */
/* What a VNC client's symbols press on the guest's keyboard. */
#include <check.h>
#include <string.h>

#include "devices/pc.h"
#include "frontend/keysyms.h"
#include "vmm/vm.h"

static char heard[256];

static void hear_key(void *dev, enum key_code key, bool down)
{
    size_t len = strlen(heard);

    (void)dev;
    snprintf(heard + len, sizeof(heard) - len, "%c%s ", down ? '+' : '-', input_key_name(key));
}

static void hear_mouse(void *dev, int dx, int dy, int dz, unsigned buttons)
{
    (void)dev, (void)dx, (void)dy, (void)dz, (void)buttons;
}

START_TEST(symbols)
{
    static const struct {
        uint32_t sym;
        enum key_code key;
        bool shift, any;
    } cases[] = {
        {'a', INPUT_KEY_A, false, true},           {'A', INPUT_KEY_A, true, true},
        {'1', INPUT_KEY_1, false, false},          {'!', INPUT_KEY_1, true, false},
        {' ', INPUT_KEY_SPC, false, true},         {0xff0d, INPUT_KEY_RET, false, true},
        {0xffbe, INPUT_KEY_F1, false, true},       {0xffc9, INPUT_KEY_F12, false, true},
        {0xffb9, INPUT_KEY_KP_9, false, true},     {0xffff, INPUT_KEY_DELETE, false, true},
        {0xfe20, INPUT_KEY_TAB, false, true},      {0xff10, INPUT_KEY_NONE, false, true},
        {0x20ac, INPUT_KEY_NONE, false, true},     {0, INPUT_KEY_NONE, false, true},
        {0xffffffff, INPUT_KEY_NONE, false, true},
    };

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        bool shift, any;

        ck_assert_uint_eq(keysym_key(cases[k].sym, &shift, &any), cases[k].key);
        ck_assert_int_eq(shift, cases[k].shift);
        ck_assert_int_eq(any, cases[k].any);
    }
}
END_TEST

static void expect(struct vm *vm, struct keysym_keyboard *k, uint32_t sym, bool down,
                   const char *text)
{
    heard[0] = '\0';
    keysym_event(vm, k, sym, down);
    ck_assert_str_eq(heard, text);
}

START_TEST(shift_follows_the_symbol)
{
    static const struct input_ops ops = {hear_key, hear_mouse};
    const struct vm_config cfg = {.ram_bytes = VM_MIN_RAM, .cpus = 1, .accel = ACCEL_INTERP};
    static char err[VM_ERR_LEN];
    struct keysym_keyboard k = {0};
    struct vm *vm;

    ck_assert_msg(vm_create(&vm, &cfg, &pc_board, err) == 0, "%s", err);
    vm_lock(vm);
    for (struct device *d = device_first(vm); d != NULL; d = d->next)
        input_detach(vm, d);
    input_attach(vm, &ops, NULL);
    vm_unlock(vm);
    expect(vm, &k, 'a', true, "+a ");
    expect(vm, &k, 'a', false, "-a ");
    expect(vm, &k, 0xffe1, true, "+shift ");
    expect(vm, &k, '!', true, "+1 "); /* as on a US keyboard */
    expect(vm, &k, '!', false, "-1 ");
    expect(vm, &k, '/', true, "-shift +slash "); /* Shift-7 on a German one */
    expect(vm, &k, '/', false, "-slash +shift ");
    expect(vm, &k, 0xffe1, false, "-shift ");
    expect(vm, &k, '"', true, "+shift +apostrophe "); /* a key of its own on a French one */
    expect(vm, &k, '&', true, "-shift +shift +7 ");
    expect(vm, &k, '1', true, "-shift +1 ");
    expect(vm, &k, '"', false, "-apostrophe ");
    expect(vm, &k, 0xffe2, true, "+shift_r ");
    expect(vm, &k, 0x20ac, true, "");
    vm_lock(vm);
    input_detach(vm, NULL);
    vm_unlock(vm);
    vm_destroy(vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keysyms");
    TCase *tc = tcase_create("keysyms");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, symbols);
    tcase_add_test(tc, shift_follows_the_symbol);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
