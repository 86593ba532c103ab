/* SPDX-License-Identifier: MIT */
/* What a BIOS does between power-on and the boot loader, for boots that have no BIOS. */
#ifndef DEVICES_POST_H
#define DEVICES_POST_H

struct vm;

/* Shadow RAM open, PCI functions placed and their interrupts routed, power management ports
 * enabled, BIOS data area, ACPI, MP and SMBIOS tables in place below 1 MiB. Call it after the reset
 * of all devices, machine lock held. 0, or -errno with the text in vm_error(). */
int post_run(struct vm *vm);

#endif
