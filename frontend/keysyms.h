/* SPDX-License-Identifier: MIT */
/* X11's keysyms, which VNC clients send, as keys of a US keyboard. */
#ifndef FRONTEND_KEYSYMS_H
#define FRONTEND_KEYSYMS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/input.h"

/* What somebody has pressed, by keysym. Zeroed at first. */
struct keysym_keyboard {
    bool shift, shift_r;
    bool faked; /* Shift is now as the symbol wants it, not as it is held */
};

/* INPUT_KEY_NONE: there is no such key. *shift: the symbol wants Shift to be this. *any: it does
 * not matter. */
enum key_code keysym_key(uint32_t sym, bool *shift, bool *any);

/* A key of the client goes down or up. Its layout may be any: a symbol that stands elsewhere on a
 * US keyboard gets the Shift that it needs there. */
void keysym_event(struct vm *vm, struct keysym_keyboard *k, uint32_t sym, bool down);

#endif
