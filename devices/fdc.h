/* SPDX-License-Identifier: MIT */
/* The floppy disk controller, for the board. */
#ifndef DEVICES_FDC_H
#define DEVICES_FDC_H

#include "vmm/device.h"

extern const struct device_class fdc_class;

#endif
