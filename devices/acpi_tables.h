/* SPDX-License-Identifier: MIT */
/* The ACPI tables of the machine. */
#ifndef DEVICES_ACPI_TABLES_H
#define DEVICES_ACPI_TABLES_H

#include "devices/blob.h"

struct vm;

#define ACPI_PMBA                                                                                  \
    0x600 /* where the tables say that firmware has put the power management ports                 \
           */

/* What depends on the address: fields that hold an address in the tables, and tables, whose
 * checksum is their byte 9. */
#define ACPI_FIXUPS 40
struct acpi_fixups {
    struct {
        uint32_t at, len; /* len: of a field 4 or 8 */
    } address[ACPI_FIXUPS], table[ACPI_FIXUPS];
    unsigned addresses, tables;
};

/* All tables, for loading at guest address `base` (a multiple of 64, below 4 GiB); the RSDP comes
 * first. The caller frees the blob. `fixups` may be NULL; it leaves the RSDP out. 0 or -ENOMEM. */
int acpi_tables_build(struct vm *vm, uint32_t base, struct blob *out, struct acpi_fixups *fixups);
#define ACPI_FACS_AT   64 /* from `base`; the waking vector is 12 bytes on */
#define ACPI_RSDP_LEN  36
#define ACPI_RSDP_RSDT 16 /* addresses in it, of 4 and 8 bytes */
#define ACPI_RSDP_XSDT 24

/* The definition block of the DSDT, behind its header. */
void acpi_dsdt_build(struct vm *vm, struct blob *b);

#endif
