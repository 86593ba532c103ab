/* SPDX-License-Identifier: MIT */
/* The IDE controller of the PIIX3 with its disks and CD-ROM drives. */
#ifndef DEVICES_IDE_H
#define DEVICES_IDE_H

#include "vmm/device.h"

#define IDE_DEVFN  0x09
#define IDE_IDETIM 0x40 /* timing; 16 bits for each channel */

#define IDE_IDETIM_DECODE 0x8000 /* the channel answers at its ports */

extern const struct device_class ide_class;

#endif
