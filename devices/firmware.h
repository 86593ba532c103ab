/* SPDX-License-Identifier: MIT */
/* The firmware's ROM: -bios, or our own. */
#ifndef DEVICES_FIRMWARE_H
#define DEVICES_FIRMWARE_H

#include "vmm/device.h"
#include "vmm/vm.h"

/* After the host bridge, whose region of nothing its low part hides. */
extern const struct device_class firmware_class;

/* Where -kernel is given, there is none until this: our own, for a kernel that asks a BIOS for what
 * it needs. For a row behind it, when that is realized. 0 or -errno. */
int firmware_add_built_in(struct vm *vm);

#endif
