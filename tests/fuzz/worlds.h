/* SPDX-License-Identifier: MIT */
/* Machines in the modes that a processor can be in, and values that mean something to them, for the
 * targets that run code. */
#ifndef TESTS_FUZZ_WORLDS_H
#define TESTS_FUZZ_WORLDS_H

#include "tests/unit/protected.h"

#define PAGE_TABLES   0x350000u /* of 32-bit code: a directory, a table */
#define PAGE_TABLES64 0x10000u  /* fake_machine_enter64()'s, at the end of RAM */

/* 32-bit paging, all pages for everybody. */
static inline void paging_on(struct fake_machine *m)
{
    put(m, PAGE_TABLES, 4, (PAGE_TABLES + 4096) | 0x67);
    for (unsigned k = 0; k < 1024; k++)
        put(m, PAGE_TABLES + 4096 + k * 4, 4, k << 12 | 0x67);
    m->cpu.cr3 = PAGE_TABLES;
    m->cpu.cr0 |= CR0_PG;
}

static inline struct fake_machine *level3(void)
{
    struct fake_machine *m = world_create(NULL);
    go_to_level(m, 3);
    return m;
}

static inline struct fake_machine *paged(void)
{
    struct fake_machine *m = level3();
    paging_on(m);
    return m;
}

static inline struct fake_machine *code16(void)
{
    struct fake_machine *m = world_create(NULL);
    force_seg(m, SEG_CS, SEL_CODE16);
    return m;
}

static inline struct fake_machine *v86(void)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct seg){.base = CODE,
                                 .desc_base = CODE,
                                 .limit = 0xffff,
                                 .sel = CODE >> 4,
                                 .attr = 0xf3,
                                 .usable = true};
    c->eflags |= EFL_VM;
    c->r[RIP] = 0;
    return m;
}

static inline struct fake_machine *real(void)
{
    struct fake_machine *m = fake_machine_create(NULL);
    for (unsigned s = 0; s < SEG_COUNT; s++) {
        m->cpu.seg[s].base = s == SEG_CS ? CODE : 0;
        m->cpu.seg[s].sel = (uint16_t)(m->cpu.seg[s].base >> 4);
    }
    for (unsigned v = 0; v < 256; v++)
        put(m, 4 * v, 4, (HANDLER >> 4 << 16) + 16 * (v % 64));
    m->cpu.r[RIP] = 0;
    return m;
}

static inline struct fake_machine *old32(void)
{
    return world_create("486");
}

static inline struct fake_machine *plain32(void)
{
    return world_create(NULL);
}

static struct fake_machine *(*const makers[])(void) = {
    plain32, world_create64, real, paged, v86, code16, level3, old32,
};
#define WORLDS (sizeof(makers) / sizeof(makers[0]))

/* Half of the values mean something. */
static inline uint64_t value(uint64_t *seed)
{
    static const uint64_t table[] = {
        0,
        1,
        UINT64_MAX,
        INT64_MAX,
        UINT64_C(1) << 63,
        0x80000000,
        0x7fff,
        CODE,
        CODE + 8,
        DATA,
        DATA + 1,
        DATA + 0xffc,
        STACK0,
        0x3ffffe,
        0x3f8,
        0x400000,
        0xfffffffffffffffc,
        0xffffffff,
        0x3fffff,
        GDT,
        IDT,
        HANDLER,
        TSS,
        PAGE_TABLES + 4096,
        0x10,
        0x2b,
        0x1000000,
    };
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    unsigned k = (unsigned)(*seed >> 40) % 64;
    return k < sizeof(table) / sizeof(table[0]) ? table[k] : *seed ^ *seed >> 29;
}

static inline void set_registers(struct cpu *c, uint64_t *seed)
{
    for (unsigned r = RAX; r <= R15; r++)
        if (r != RSP)
            c->r[r] = c->mode & MODE_64 ? value(seed) : (uint32_t)value(seed);
    for (unsigned k = 0; k < 16; k++) {
        c->fpu.st[k % 8] = (struct f80){value(seed), (uint16_t)value(seed)};
        c->fpu.xmm[k].q[0] = value(seed);
        c->fpu.xmm[k].q[1] = value(seed);
    }
    c->fpu.valid = (uint8_t)value(seed);
}

#endif
