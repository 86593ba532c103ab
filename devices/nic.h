/* SPDX-License-Identifier: MIT */
/* The slots for network cards, and which cards there are. */
#ifndef DEVICES_NIC_H
#define DEVICES_NIC_H

#include "vmm/device.h"
#include "vmm/netdev.h"

/* Holds the cards that the configuration asks for: a row of the board. */
extern const struct device_class nic_class;

/* The cards, ended by NULL; a class's name is its model. */
extern const struct device_class *const nic_models[];

/* The model of that name, or NULL. */
const struct device_class *nic_find(const char *model);
/* Is it a card for the ISA bus? */
bool nic_is_isa(const struct device_class *model);

/* For a card: the PCI function that its configuration says, or the next free one. */
uint8_t nic_devfn(struct vm *vm, const struct nic_config *cfg);

#endif
