/* SPDX-License-Identifier: MIT */
/* The display adapter: a VGA with Bochs' VBE extension, as QEMU's standard VGA. */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H

#include "vmm/device.h"

#define VGA_DEVFN PCI_DEVFN(2, 0)

/* Absent where the configuration says VGA_NONE. */
extern const struct device_class vga_class;

/* What a VGA BIOS leaves when it has set mode 3: 80x25 characters, the default palette, a font, and
 * an empty screen. False: there is no VGA. */
bool vga_set_text_mode(struct vm *vm);

#endif
