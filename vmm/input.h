/* SPDX-License-Identifier: MIT */
/* What a person does to the keyboard and the mouse: on its way from frontends, any number of them
 * on any thread, to the chip that hands it to the guest, of which there is one. */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct vm;

/* Keys by their place on the keyboard; the symbols are those of a US keyboard. */
enum key_code {
    INPUT_KEY_NONE,
#define KEY(symbol, name, set1, set2, set3, behaviour) INPUT_KEY_##symbol,
#include "vmm/keys.def"
#undef KEY
    INPUT_KEY_COUNT
};

/* Set of pressed mouse buttons. */
enum input_button {
    INPUT_LEFT = 1 << 0,
    INPUT_RIGHT = 1 << 1,
    INPUT_MIDDLE = 1 << 2,
    INPUT_SIDE = 1 << 3,
    INPUT_EXTRA = 1 << 4,
};

/* -- The frontends' side; these take the machine lock ------------------------------------------ */

/* A key goes down or up. What changes nothing (a host that repeats a key that is held) is dropped:
 * the guest's keyboard repeats by itself. */
void input_key(struct vm *vm, enum key_code key, bool down);

/* All keys that are down go up: the frontend will not hear of it (it has lost the focus). */
void input_release_keys(struct vm *vm);

/* The mouse moved (dy > 0: downwards, dz > 0: wheel towards the user) and has these buttons
 * pressed. */
void input_mouse(struct vm *vm, int dx, int dy, int dz, unsigned buttons);
/* Which buttons are pressed. */
unsigned input_mouse_buttons(struct vm *vm);

/* The name of a key, and the key of a name of `len` characters: those of QEMU, or a hexadecimal
 * number, the scan code in set 1 plus 80h where that has the prefix E0. INPUT_KEY_NONE: there is no
 * such key. */
const char *input_key_name(enum key_code key);
enum key_code input_key_named(const char *name, size_t len);

/* The key of a scan code in set 1 (80h: with prefix E0), or INPUT_KEY_NONE. */
enum key_code input_key_of_set1(unsigned code);

/* The key that types a character of ASCII on a US keyboard, and whether Shift is held for it. */
enum key_code input_key_of_char(char ch, bool *shift);

/* -- The chip's side; machine lock held -------------------------------------------------------- */

struct input_ops {
    void (*key)(void *dev, enum key_code key, bool down);
    void (*mouse)(void *dev, int dx, int dy, int dz, unsigned buttons);
};

/* The one that attaches first stays. */
void input_attach(struct vm *vm, const struct input_ops *ops, void *dev);
void input_detach(struct vm *vm, void *dev);

#endif
