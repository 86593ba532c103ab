/* SPDX-License-Identifier: MIT */
/* The memory map: conventional memory, the firmware area below 1 MiB, RAM up to the hole for
 * devices, the APICs' and the firmware's place at the top of 4 GiB, and RAM above. */
#include "devices/e820.h"

#include "vmm/mem.h"

uint64_t e820_low_ram_end(struct vm *vm)
{
    return mem_below_4g(vm);
}

unsigned e820_build(struct vm *vm, struct e820_entry *out, unsigned max)
{
    const uint64_t high = UINT64_C(1) << 32;
    const struct e820_entry map[] = {
        {0, E820_EBDA, E820_RAM},
        {E820_EBDA, 0xa0000 - E820_EBDA, E820_RESERVED},
        {0xe0000, 0x20000, E820_RESERVED},
        {0x100000, e820_low_ram_end(vm) - 0x100000, E820_RAM},
        {0xfec00000, high - 0xfec00000, E820_RESERVED},
        {high, mem_above_4g(vm), E820_RAM},
    };
    unsigned n = 0;
    for (unsigned k = 0; k < sizeof(map) / sizeof(map[0]); k++)
        if (map[k].size != 0 && n < max)
            out[n++] = map[k];
    return n;
}
