/* SPDX-License-Identifier: MIT */
/* The ISA bridge: where firmware finds its interrupt routing. */
#ifndef DEVICES_PIIX3_H
#define DEVICES_PIIX3_H

#include "vmm/device.h"

#define PIIX3_DEVFN  0x08
#define PIIX3_PIRQRC 0x60 /* route control of PIRQA-D */

extern const struct device_class piix3_class;

#endif
