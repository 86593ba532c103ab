/* SPDX-License-Identifier: MIT */
/* The interrupt lines of the ISA bus. */
#ifndef DEVICES_ISA_H
#define DEVICES_ISA_H

#include "vmm/device.h"
#include "vmm/irq.h"

extern const struct device_class isa_class;

/* A new driver of ISA line n (0..15), for use in realize. Several devices may drive one line: it is
 * high while any of them drives it high. It reaches the PIC pair and input n of the I/O APIC (2 for
 * line 0). Not connected where n is no line, or in a machine without this bus. */
struct irq isa_irq(struct vm *vm, unsigned n);

#endif
