/* SPDX-License-Identifier: MIT */
/* pc-testdev: what test kernels need to drive interrupt lines and to try accesses of any width. */
#ifndef DEVICES_PC_TESTDEV_H
#define DEVICES_PC_TESTDEV_H

#include "vmm/device.h"

extern const struct device_class pc_testdev_class;

#endif
