/* SPDX-License-Identifier: MIT */
/* What other chips need from the 8254. */
#ifndef DEVICES_PIT_H
#define DEVICES_PIT_H

#include <stdbool.h>

#include "vmm/device.h"

#define PIT_HZ UINT64_C(1193182)

extern const struct device_class pit_class;

/* While inhibited, channel 0 counts but its output does not reach IRQ0 (HPET legacy replacement).
 */
void pit_inhibit_irq(struct vm *vm, bool inhibit);

#endif
