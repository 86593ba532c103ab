/* SPDX-License-Identifier: MIT */
/* Realtek's RTL8139C Fast Ethernet controller. */
#ifndef DEVICES_RTL8139_H
#define DEVICES_RTL8139_H

#include "vmm/device.h"

/* cfg: struct nic_config */
extern const struct device_class rtl8139_class;

#endif
