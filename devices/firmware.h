/* SPDX-License-Identifier: MIT */
/* The firmware's ROM: -bios, or our own. */
#ifndef DEVICES_FIRMWARE_H
#define DEVICES_FIRMWARE_H

#include "vmm/device.h"

/* After the host bridge, whose region of nothing its low part hides. */
extern const struct device_class firmware_class;

#endif
