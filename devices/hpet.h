/* SPDX-License-Identifier: MIT */
/* High precision event timers: where they are, for the tables that announce them. */
#ifndef DEVICES_HPET_H
#define DEVICES_HPET_H

#include "vmm/device.h"

#define HPET_BASE 0xfed00000u
#define HPET_SIZE 0x400
#define HPET_ID                                                                                    \
    0x8086a201u /* low half of its capabilities: vendor, legacy route, timers, revision */

extern const struct device_class hpet_class;

#endif
