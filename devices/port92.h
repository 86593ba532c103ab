/* SPDX-License-Identifier: MIT */
/* The A20 gate: the OR of port 92 and the keyboard controller's pin. */
#ifndef DEVICES_PORT92_H
#define DEVICES_PORT92_H

#include <stdbool.h>

#include "vmm/device.h"

extern const struct device_class port92_class;

/* The keyboard controller drives its A20 pin. Without a port 92 it reaches the processor directly.
 */
void port92_set_keyboard_a20(struct vm *vm, bool level);

#endif
