/* SPDX-License-Identifier: MIT */
/* -bios: the firmware's ROM. */
#ifndef DEVICES_FIRMWARE_H
#define DEVICES_FIRMWARE_H

#include "vmm/device.h"

/* After the host bridge, whose region of nothing its low part hides. */
extern const struct device_class firmware_class;

#endif
