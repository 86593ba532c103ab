/* SPDX-License-Identifier: MIT */
/* The local APIC as the I/O APIC, message-signalled interrupts and the board see it. */
#ifndef DEVICES_LAPIC_H
#define DEVICES_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/device.h"
#include "vmm/irq.h"

#define LAPIC_BASE UINT64_C(0xfee00000)

/* Delivery modes of interrupt messages and of the local vector table (SDM 3A 10.5.1, 10.6.1). */
enum apic_mode {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_NMI = 4,
    APIC_INIT,
    APIC_SIPI,
    APIC_EXTINT
};

/* An interrupt message on its way to the local APICs. */
struct apic_message {
    uint32_t dest; /* APIC ID, or set of logical IDs */
    bool logical;
    uint8_t mode; /* enum apic_mode */
    uint8_t vector;
    bool level_triggered;
};

extern const struct device_class lapic_class;

/* Deliver to every local APIC that the destination names; machine lock held. */
void lapic_deliver(struct vm *vm, const struct apic_message *m);

/* A message-signalled interrupt: a write of `data` to `addr` (SDM 3A 10.11). */
void lapic_deliver_msi(struct vm *vm, uint64_t addr, uint32_t data);

/* Pin LINT0 or LINT1 (n = 0, 1) of a processor's local APIC; not connected where there is none. */
struct irq lapic_lint(struct vm *vm, unsigned cpu, unsigned n);

#endif
