/* SPDX-License-Identifier: MIT */
/* Keyboard controller. */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include "vmm/device.h"

extern const struct device_class i8042_class;

#endif
