/* SPDX-License-Identifier: MIT */
/* Input from frontends to the machine's keyboard controller, and what keys are called. */
#include "vmm/input.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/vmm_internal.h"

/* -- Names ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint16_t set1;
} keys[INPUT_KEY_COUNT] = {
#define KEY(symbol, name, set1, set2, set3, behaviour) [INPUT_KEY_##symbol] = {name, set1},
#include "vmm/keys.def"
#undef KEY
};

const char *input_key_name(enum key_code key)
{
    return key > INPUT_KEY_NONE && key < INPUT_KEY_COUNT ? keys[key].name : "";
}

enum key_code input_key_of_set1(unsigned code)
{
    unsigned set1 = code & 0x80 ? 0xe000 | (code & 0x7f) : code;

    for (unsigned k = INPUT_KEY_NONE + 1; k < INPUT_KEY_COUNT && code > 0 && code < 0x100; k++) {
        if (keys[k].set1 == set1)
            return k;
    }
    return INPUT_KEY_NONE;
}

enum key_code input_key_named(const char *name, size_t len)
{
    char digits[8];
    char *end;

    for (unsigned k = INPUT_KEY_NONE + 1; k < INPUT_KEY_COUNT; k++) {
        if (strlen(keys[k].name) == len && strncmp(keys[k].name, name, len) == 0)
            return k;
    }
    if (len < 3 || len >= sizeof(digits) || strncmp(name, "0x", 2) != 0)
        return INPUT_KEY_NONE;
    memcpy(digits, name, len);
    digits[len] = '\0';
    unsigned long code = strtoul(digits, &end, 16);
    return *end == '\0' && code <= 0xff ? input_key_of_set1((unsigned)code) : INPUT_KEY_NONE;
}

enum key_code input_key_of_char(char ch, bool *shift)
{
    /* Rows of a US keyboard, by the numbers of set 1, from 02 on. */
    static const char plain[] = "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0\0\0 ";
    static const char shifted[] =
        "!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0\0\0\0";

    *shift = false;
    if (ch == '\033')
        return INPUT_KEY_ESC;
    if (ch == '\177')
        return INPUT_KEY_BACKSPACE;
    if (ch == '\r')
        return INPUT_KEY_RET;
    for (unsigned k = 0; k < sizeof(plain) - 1 && ch != '\0'; k++) {
        *shift = shifted[k] == ch;
        if (plain[k] == ch || *shift)
            return input_key_of_set1(2 + k);
    }
    return INPUT_KEY_NONE;
}

/* -- Events ------------------------------------------------------------------------------------ */

static void set_key(struct vm *vm, enum key_code key, bool down)
{
    struct input_state *in = &vm->input;

    if (in->down[key] == down)
        return;
    in->down[key] = down;
    if (in->ops != NULL)
        in->ops->key(in->dev, key, down);
}

void input_key(struct vm *vm, enum key_code key, bool down)
{
    if (key <= INPUT_KEY_NONE || key >= INPUT_KEY_COUNT)
        return;
    vm_lock(vm);
    set_key(vm, key, down);
    vm_unlock(vm);
}

void input_release_keys(struct vm *vm)
{
    vm_lock(vm);
    for (unsigned k = INPUT_KEY_NONE + 1; k < INPUT_KEY_COUNT; k++)
        set_key(vm, k, false);
    vm_unlock(vm);
}

void input_mouse(struct vm *vm, int dx, int dy, int dz, unsigned buttons)
{
    vm_lock(vm);
    vm->input.buttons = buttons;
    if (vm->input.ops != NULL)
        vm->input.ops->mouse(vm->input.dev, dx, dy, dz, buttons);
    vm_unlock(vm);
}

unsigned input_mouse_buttons(struct vm *vm)
{
    unsigned buttons;

    vm_lock(vm);
    buttons = vm->input.buttons;
    vm_unlock(vm);
    return buttons;
}

void input_attach(struct vm *vm, const struct input_ops *ops, void *dev)
{
    if (vm->input.ops == NULL) {
        vm->input.ops = ops;
        vm->input.dev = dev;
    }
}

void input_detach(struct vm *vm, void *dev)
{
    if (vm->input.dev == dev)
        vm->input.ops = NULL;
}
