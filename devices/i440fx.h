/* SPDX-License-Identifier: MIT */
/* The host bridge: where firmware finds its shadow RAM registers. */
#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

#include "vmm/device.h"

#define I440FX_DEVFN 0x00
#define I440FX_PAM   0x59 /* seven registers, two segments each but for the first */
#define I440FX_SMRAM 0x72

extern const struct device_class i440fx_class;

#endif
