/* SPDX-License-Identifier: MIT */
/* Inputs of the I/O APIC. */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include "vmm/device.h"
#include "vmm/irq.h"

#define IOAPIC_BASE   UINT64_C(0xfec00000)
#define IOAPIC_INPUTS 24

extern const struct device_class ioapic_class;

/* Input `gsi` (0..23) of the I/O APIC; not connected where there is none. */
struct irq ioapic_input(struct vm *vm, unsigned gsi);

/* A local APIC has ended a level-triggered interrupt: inputs with this vector may ask again. */
void ioapic_eoi(struct vm *vm, uint8_t vector);

#endif
