/* SPDX-License-Identifier: MIT */
/* The interrupt controller pair: its inputs, its INTR output and the acknowledge cycle. */
#ifndef DEVICES_PIC_H
#define DEVICES_PIC_H

#include <stdbool.h>

#include "vmm/device.h"
#include "vmm/irq.h"

extern const struct device_class pic_class;

/* Input 0..15 of the pair; not connected where the machine has no PIC or for 2 (the cascade). */
struct irq pic_input(struct vm *vm, unsigned n);

/* Has an edge on this input neither been acknowledged yet nor is it masked? False without a PIC. */
bool pic_is_waiting(struct vm *vm, unsigned n);

/* Where the master's INT pin goes (LINT0 of the local APIC); until then it drives INTR of
 * processor 0. The present level is passed on at once. */
void pic_connect_output(struct vm *vm, struct irq out);

/* Both INTA cycles: the vector of the highest request, which goes into service. With nothing
 * pending any more it is the spurious vector (IRQ7, or IRQ15 where the slave lost its request); -1
 * without a PIC. */
int pic_ack(struct vm *vm);

#endif
