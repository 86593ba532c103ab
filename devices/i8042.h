/* SPDX-License-Identifier: MIT */
/* What a front end does to the keyboard and the mouse. */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/device.h"

extern const struct device_class i8042_class;

/* A key goes down (again, while it repeats) or up. `key` is its make code in scan code set 1, plus
 * 0x80 where that has the prefix E0; 0xc6 is Pause. Machine lock held. */
void i8042_key_event(struct vm *vm, uint8_t key, bool down);

/* The mouse moved by so many counts (dy > 0: upwards, dz > 0: wheel towards the user) and has these
 * buttons pressed (bit 0 left, 1 right, 2 middle, 3 side, 4 extra). Machine lock held. */
void i8042_mouse_event(struct vm *vm, int dx, int dy, int dz, uint8_t buttons);

#endif
