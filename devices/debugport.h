/* SPDX-License-Identifier: MIT */
/* Debug consoles of firmware and of small kernels. */
#ifndef DEVICES_DEBUGPORT_H
#define DEVICES_DEBUGPORT_H

#include "vmm/device.h"

extern const struct device_class debugport_class;

#endif
