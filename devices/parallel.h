/* SPDX-License-Identifier: MIT */
/* The parallel port, for the board. */
#ifndef DEVICES_PARALLEL_H
#define DEVICES_PARALLEL_H

#include "vmm/device.h"

#define PARALLEL_BASE 0x378 /* LPT1 */

extern const struct device_class parallel_class;

#endif
