/* SPDX-License-Identifier: MIT */
/* The ACPI tables of the machine. */
#ifndef DEVICES_ACPI_TABLES_H
#define DEVICES_ACPI_TABLES_H

#include "devices/blob.h"

struct vm;

#define ACPI_PMBA                                                                                  \
    0x600 /* where the tables say that firmware has put the power management ports                 \
           */

/* All tables, for loading at guest address `base` (a multiple of 64, below 4 GiB); the RSDP comes
 * first. The caller frees the blob. 0 or -ENOMEM. */
int acpi_tables_build(struct vm *vm, uint32_t base, struct blob *out);

/* The definition block of the DSDT, behind its header. */
void acpi_dsdt_build(struct vm *vm, struct blob *b);

#endif
