/* SPDX-License-Identifier: MIT */
#include "tests/diff/insn_segs.h"

#include "tests/diff/insn_host.h"

#define CODE_BASE ((uint32_t)CODE_LA - 0x7000)
#define DATA_BASE ((uint32_t)DATA_LA)

/* All that modify_ldt() can make, in the sizes that matter to the checks of a processor. */
const struct ldt_entry ldt_entries[] = {
    {CODE_BASE, 0xffff, LDT_CODE_TYPE, false, false, false, false}, /* LDT_CODE */
    {DATA_BASE, 0xffff, 0, false, true, false, false},              /* LDT_DATA */
    /* Code: 32-bit, execute-only, flat, absent, conforming, of a small limit */
    {CODE_BASE, 0xffff, LDT_CODE_TYPE, false, true, false, false},
    {CODE_BASE, 0xffff, LDT_CODE_TYPE, true, false, false, false},
    {0, 0xfffff, LDT_CODE_TYPE, true, true, true, false},
    {0, 0xfffff, LDT_CODE_TYPE, false, true, true, false},
    {CODE_BASE, 0xffff, LDT_CODE_TYPE, false, false, false, true},
    {CODE_BASE, 0xffff, LDT_CONFORMING, false, true, false, true},
    {(uint32_t)CODE_LA, 0x47, LDT_CODE_TYPE, false, true, false, false},
    {(uint32_t)CODE_LA, 0x23, LDT_CODE_TYPE, false, false, false, false},
    /* Data: 16-bit stack, read-only, absent, small, flat, in pages, unaligned, at the top */
    {DATA_BASE, 0xffff, 0, false, false, false, false},
    {DATA_BASE, 0xffff, 0, true, true, false, false},
    {DATA_BASE, 0xffff, 0, false, true, false, true},
    {DATA_BASE + 0x400, 0x8f, 0, false, true, false, false},
    {DATA_BASE + 0x402, 0, 0, false, false, false, false},
    {0, 0xfffff, 0, false, true, true, false},
    {DATA_BASE, 1, 0, false, true, true, false},
    {DATA_BASE + 0x123, 0xfff, 0, true, false, false, false},
    {0xffff0000u, 0xfffff, 0, false, true, true, false},
    /* Expand-down data: of 32 and 16 bits, in pages, read-only, all, nothing */
    {DATA_BASE, 0x7ff, LDT_DOWN, false, true, false, false},
    {DATA_BASE, 0x7ff, LDT_DOWN, false, false, false, false},
    {DATA_BASE, 0, LDT_DOWN, false, true, true, false},
    {DATA_BASE, 0x1003, LDT_DOWN, true, false, false, false},
    {DATA_BASE, 0xfffff, LDT_DOWN, false, true, true, false},
    {DATA_BASE, 0xffff, LDT_DOWN, false, false, false, true},
};
const unsigned ldt_count = sizeof(ldt_entries) / sizeof(ldt_entries[0]);

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(attr >> 12 & 15) << 52 |
           (uint64_t)(base >> 24) << 56;
}

/* Attributes as in bits 8 to 23 of a descriptor's upper half; all are accessed. */
uint64_t ldt_descriptor(unsigned entry, unsigned dpl)
{
    const struct ldt_entry *e = &ldt_entries[entry];
    uint32_t attr = 0x11u | e->type | dpl << 5 | (e->only ? 0 : 2u) | (e->absent ? 0 : 0x80u) |
                    (e->big ? 0x4000u : 0) | (e->pages ? 0x8000u : 0);
    return descriptor(e->base, e->limit, attr);
}

uint64_t gdt_descriptor(unsigned entry, bool wide)
{
    const uint32_t code = wide ? 0xa09b : 0xc09b;
    switch (entry * 8) {
    case 0x08: return descriptor(0, 0xfffff, 0xc09b);
    case KERNEL_CS: return descriptor(0, 0xfffff, code);
    case KERNEL_DS: return descriptor(0, 0xfffff, 0xc093);
    case USER32_CS & ~7u: return descriptor(0, 0xfffff, 0xc0fb);
    case USER_DS & ~7u: return descriptor(0, 0xfffff, 0xc0f3);
    case USER_CS & ~7u: return descriptor(0, 0xfffff, 0xa0fb);
    case TSS_SEL: return descriptor(0, 0x206f, 0x008b);
    case LDT_SEL: return descriptor(0, ldt_count * 8 + 7, 0x0082);
    case CPU_SEL: return descriptor(0, 0, 0x40f5);
    default: return 0;
    }
}

uint32_t segment_base(uint16_t sel)
{
    unsigned entry = sel >> 3;
    return sel & 4 && entry < ldt_count ? ldt_entries[entry].base : 0;
}
