/* SPDX-License-Identifier: MIT */
/* NE2000 network cards: Novell's for the ISA bus, and Realtek's RTL8029 for PCI. */
#ifndef DEVICES_NE2000_H
#define DEVICES_NE2000_H

#include "vmm/device.h"

/* cfg: struct nic_config */
extern const struct device_class ne2k_isa_class, ne2k_pci_class;

#endif
