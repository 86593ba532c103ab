/* SPDX-License-Identifier: MIT */
/* The map of guest memory, as firmware reports it by INT 15h E820h. */
#ifndef DEVICES_E820_H
#define DEVICES_E820_H

#include <stdint.h>

struct vm;

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };

struct e820_entry {
    uint64_t base, size;
    uint32_t type; /* enum e820_type */
};

/* Conventional memory ends where the extended BIOS data area begins. */
#define E820_EBDA 0x9fc00u

/* Fill out[], sorted by address, with at most max (>= 8) entries; returns how many. */
unsigned e820_build(struct vm *vm, struct e820_entry *out, unsigned max);

/* End of usable RAM below 4 GiB. */
uint64_t e820_low_ram_end(struct vm *vm);

#endif
