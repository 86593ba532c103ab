/* SPDX-License-Identifier: MIT */
/* Inputs of the I/O APIC. */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include "vmm/device.h"
#include "vmm/irq.h"

extern const struct device_class ioapic_class;

/* Input `gsi` (0..23) of the I/O APIC; not connected where there is none. */
struct irq ioapic_input(struct vm *vm, unsigned gsi);

#endif
