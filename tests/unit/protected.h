/* SPDX-License-Identifier: MIT */
/* A small protected-mode world for tests: descriptor tables, a TSS and stacks at fixed addresses.
 */
#ifndef TESTS_PROTECTED_H
#define TESTS_PROTECTED_H

#include <check.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/flags.h"
#include "cpu/regs.h"
#include "tests/unit/fake_machine.h"

enum {
    GDT = 0x1000,
    IDT = 0x2000,
    TSS = 0x3000,
    TSS2 = 0x3800,
    LDT = 0x4000,
    CODE = 0x10000,
    HANDLER = 0x18000,
    STACK0 = 0x20000,
    STACK3 = 0x30000,
    DATA = 0x40000,
};

/* Selectors of world_create()'s GDT */
enum {
    SEL_CODE0 = 0x08,
    SEL_DATA0 = 0x10,
    SEL_CODE3 = 0x18 | 3,
    SEL_DATA3 = 0x20 | 3,
    SEL_TSS = 0x28,
    SEL_LDT = 0x38,
    SEL_CONFORMING = 0x40,
    SEL_RODATA = 0x48,
    SEL_DOWN = 0x50,   /* expand-down: limit 0xfff */
    SEL_ABSENT = 0x58, /* data, not present */
    SEL_CODE16 = 0x60,
    SEL_TSS2 = 0x68,
    SEL_GATE = 0x70,
    SEL_CODE64 = 0x80,
    SEL_EXECONLY = 0x88,
    SEL_DATA16 = 0x90,
    SEL_TASK_GATE = 0x98,
    GDT_BYTES = 0x100,
};

static inline void put(struct fake_machine *m, uint64_t pa, unsigned n, uint64_t v)
{
    memcpy(m->ram + pa, &v, n);
    cpu_code_written(&m->cpu, pa, n);
}

static inline uint64_t get(struct fake_machine *m, uint64_t pa, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, m->ram + pa, n);
    return v;
}

/* attr as in struct seg */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, uint16_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

static inline uint64_t gate(uint16_t sel, uint32_t off, uint8_t type_dpl_p, uint8_t params)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)params << 32 |
           (uint64_t)type_dpl_p << 40 | (uint64_t)(off >> 16) << 48;
}

static inline void set_desc(struct fake_machine *m, unsigned sel, uint64_t raw)
{
    put(m, GDT + (sel & 0xfff8), 8, raw);
}

static inline void set_gate32(struct fake_machine *m, unsigned vec, uint64_t raw)
{
    put(m, IDT + vec * 8, 8, raw);
}

/* Long-mode gate: 16 bytes */
static inline void set_gate64(struct fake_machine *m, unsigned vec, uint16_t sel, uint64_t off,
                              uint8_t type_dpl_p, uint8_t ist)
{
    put(m, IDT + vec * 16, 8, gate(sel, (uint32_t)off, type_dpl_p, ist));
    put(m, IDT + vec * 16 + 8, 8, off >> 32);
}

static inline void code_at(struct fake_machine *m, uint64_t pa, const void *bytes, unsigned n)
{
    memcpy(m->ram + pa, bytes, n);
    cpu_code_written(&m->cpu, pa, n);
}
#define CODE_AT(m, pa, ...)                                                                        \
    code_at(m, pa, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void fill_gdt(struct fake_machine *m)
{
    set_desc(m, SEL_CODE0, descriptor(0, 0xfffff, 0xc09a));
    set_desc(m, SEL_DATA0, descriptor(0, 0xfffff, 0xc092));
    set_desc(m, SEL_CODE3, descriptor(0, 0xfffff, 0xc0fa));
    set_desc(m, SEL_DATA3, descriptor(0, 0xfffff, 0xc0f2));
    set_desc(m, SEL_TSS, descriptor(TSS, 0x67, 0x0089));
    set_desc(m, SEL_LDT, descriptor(LDT, 0x3f, 0x0082));
    set_desc(m, SEL_CONFORMING, descriptor(0, 0xfffff, 0xc09e));
    set_desc(m, SEL_RODATA, descriptor(DATA, 0xfff, 0x0090));
    set_desc(m, SEL_DOWN, descriptor(DATA, 0xfff, 0x4096));
    set_desc(m, SEL_ABSENT, descriptor(0, 0xfffff, 0xc012));
    set_desc(m, SEL_CODE16, descriptor(0, 0x3ffff, 0x009a));
    set_desc(m, SEL_TSS2, descriptor(TSS2, 0x67, 0x0089));
    set_desc(m, SEL_CODE64, descriptor(0, 0xfffff, 0xa09a));
    set_desc(m, SEL_EXECONLY, descriptor(0, 0xfffff, 0xc098));
    set_desc(m, SEL_DATA16, descriptor(0, 0xffff, 0x0092));
}

/* Load a segment register from the GDT image, without the processor's checks. */
static inline void force_seg(struct fake_machine *m, unsigned sreg, uint16_t sel)
{
    uint64_t raw = get(m, GDT + (sel & 0xfff8), 8);
    uint16_t attr = (uint16_t)(raw >> 40 & 0xf0ff) | 1;
    uint32_t base = (uint32_t)((raw >> 16 & 0xffffff) | raw >> 56 << 24);
    uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    if (attr & SEG_G)
        limit = limit << 12 | 0xfff;
    m->cpu.seg[sreg] = (struct seg){
        .base = base, .desc_base = base, .limit = limit, .sel = sel, .attr = attr, .usable = true};
}

/* Put the processor at a privilege level: CS, SS and data segments of that level. */
static inline void go_to_level(struct fake_machine *m, unsigned cpl)
{
    struct cpu *c = &m->cpu;
    uint16_t data = cpl == 3 ? SEL_DATA3 : SEL_DATA0;
    force_seg(m, SEG_CS, cpl == 3 ? SEL_CODE3 : SEL_CODE0);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (s != SEG_CS)
            force_seg(m, s, data);
    c->r[RSP] = cpl == 3 ? STACK3 : STACK0;
    c->r[RIP] = CODE;
    c->mode = 0; /* so that everything is derived anew */
    cpu_update_mode(c);
}

/* Protected mode without paging, level 0, all exceptions through 32-bit interrupt gates to
 * HANDLER + 16 * vector, TSS loaded with the level-0 stack at STACK0 - 0x1000. */
static inline struct fake_machine *world_create(const char *model)
{
    struct fake_machine *m = fake_machine_create(model);
    struct cpu *c = &m->cpu;
    fill_gdt(m);
    for (unsigned v = 0; v < 64; v++)
        set_gate32(m, v, gate(SEL_CODE0, HANDLER + 16 * v, 0x8e, 0));
    c->gdt = (struct dtable){GDT, GDT_BYTES - 1};
    c->idt = (struct dtable){IDT, 64 * 8 - 1};
    c->cr0 |= CR0_PE;
    c->tr = (struct seg){
        .base = TSS, .desc_base = TSS, .limit = 0x67, .sel = SEL_TSS, .attr = 0x8b, .usable = true};
    set_desc(m, SEL_TSS, descriptor(TSS, 0x67, 0x008b));
    put(m, TSS + 4, 4, STACK0 - 0x1000);
    put(m, TSS + 8, 2, SEL_DATA0);
    put(m, TSS + 0x66, 2, 0x68);
    go_to_level(m, 0);
    return m;
}

/* 64-bit code at level 0 over an identity mapping, with the same tables in their long-mode form. */
static inline struct fake_machine *world_create64(void)
{
    struct fake_machine *m = world_create(NULL);
    struct cpu *c = &m->cpu;
    fake_machine_enter64(m, CODE, STACK0);
    memset(m->ram + IDT, 0, 0x400);
    for (unsigned v = 0; v < 64; v++)
        set_gate64(m, v, SEL_CODE64, HANDLER + 16 * v, 0x8e, 0);
    c->gdt = (struct dtable){GDT, GDT_BYTES - 1};
    c->idt = (struct dtable){IDT, 64 * 16 - 1};
    put(m, TSS + 4, 8, STACK0 - 0x1000);
    force_seg(m, SEG_CS, SEL_CODE64);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (s != SEG_CS)
            force_seg(m, s, SEL_DATA0);
    c->mode = 0;
    cpu_update_mode(c);
    return m;
}

/* The vector whose handler the processor stands at, or -1. */
static inline int at_handler(const struct fake_machine *m)
{
    uint64_t rip = m->cpu.r[RIP];
    return rip >= HANDLER && rip < HANDLER + 64 * 16 ? (int)((rip - HANDLER) / 16) : -1;
}

/* One instruction, which must not shut the processor down. */
static inline void step(struct fake_machine *m)
{
    ck_assert_int_eq(cpu_step(&m->cpu), CPU_EXIT_ATTENTION);
}

/* One instruction at level 0: the vector that it raises, or -1. */
static inline int run_at_0(struct fake_machine *m, const uint8_t *code, unsigned n)
{
    code_at(m, CODE, code, n);
    m->cpu.r[RIP] = CODE;
    m->cpu.r[RSP] = STACK0;
    step(m);
    return at_handler(m);
}
#define RUN_AT_0(m, ...)                                                                           \
    run_at_0(m, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* One instruction that must raise `vec` with error code `err` (-1: it has none), from level 0. */
static inline void step_faults(struct fake_machine *m, int vec, int64_t err)
{
    uint64_t rip = m->cpu.r[RIP];
    step(m);
    ck_assert_int_eq(at_handler(m), vec);
    uint64_t sp = m->cpu.r[RSP];
    unsigned n = m->cpu.mode & MODE_64 ? 8 : 4;
    if (err >= 0) {
        ck_assert_uint_eq(get(m, sp, 4), (uint64_t)err);
        sp += n;
    }
    ck_assert_uint_eq(get(m, sp, n), rip);
}

#endif
