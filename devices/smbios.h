/* SPDX-License-Identifier: MIT */
/* The SMBIOS tables. */
#ifndef DEVICES_SMBIOS_H
#define DEVICES_SMBIOS_H

#include "devices/blob.h"

struct vm;

/* Append the SMBIOS 2.8 entry point and the structures, which will lie at guest address base +
 * b->len (padded to a multiple of 16). */
void smbios_build(struct vm *vm, uint32_t base, struct blob *b);

#endif
