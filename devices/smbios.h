/* SPDX-License-Identifier: MIT */
/* The SMBIOS tables. */
#ifndef DEVICES_SMBIOS_H
#define DEVICES_SMBIOS_H

#include "devices/blob.h"

struct vm;

/* Append the SMBIOS 2.8 entry point and the structures, which will lie at guest address base +
 * b->len (padded to a multiple of 16). */
void smbios_build(struct vm *vm, uint32_t base, struct blob *b);

/* In an empty blob the entry point has this length, and the structures begin here. */
#define SMBIOS_ENTRY_LEN     31
#define SMBIOS_STRUCTURES_AT 32

#endif
