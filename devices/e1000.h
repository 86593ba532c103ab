/* SPDX-License-Identifier: MIT */
/* Intel's 82540EM gigabit Ethernet controller. */
#ifndef DEVICES_E1000_H
#define DEVICES_E1000_H

#include "vmm/device.h"

/* cfg: struct nic_config */
extern const struct device_class e1000_class;

#endif
