/* SPDX-License-Identifier: MIT */
/* What a BIOS does between power-on and the boot loader, for boots that have no BIOS. */
#ifndef DEVICES_POST_H
#define DEVICES_POST_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

/* ISA lines of PIRQA-D, as post_run() and our BIOS route them (bios/post_pci.asm). */
extern const uint8_t firmware_pci_routes[4];

/* Shadow RAM open, PCI functions placed and their interrupts routed, power management ports
 * enabled, interrupt controllers at 08h and 70h with the timer's input open, real-mode interrupt
 * vectors, BIOS data area, ACPI, MP and SMBIOS tables in place below 1 MiB. Call it after the reset
 * of all devices, machine lock held. 0, or -errno with the text in vm_error(). */
int post_run(struct vm *vm);

/* After the end of a sleep: the same chips, and the processor is where the guest wants to wake, in
 * real mode (ACPI 6.4, 16.3.2). False: it has not said where. */
bool post_resume(struct vm *vm);

#endif
