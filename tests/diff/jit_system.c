/* SPDX-License-Identifier: MIT */
/* Vectors, a TSS and handlers in the two system pages (see jit_system.h). */
#include <string.h>

#include "tests/diff/insn_segs.h"
#include "tests/diff/jit_system.h"

/* The first system page; the second one is the stack of handlers that have their own. */
enum { AT_IDT = 0, AT_TSS = 0x500, AT_HLT = 0x800, AT_IRET = AT_HLT + VECTORS };
#define STACK_TOP (SYSTEM_LA + 2 * PAGE)

static uint64_t system_la(const struct cpu *c)
{
    return SYSTEM_LA - guest_low(c);
}

/* A vector's entry in the IDT or, in real mode, in the table that stands for it. */
static void put_vector(const struct cpu *c, uint8_t *idt, enum guest_system system, unsigned vec)
{
    uint64_t to = system_la(c) + AT_HLT + vec;
    uint64_t type = vec == VEC_BP || vec == VEC_OF ? 0xee00 : 0x8e00;
    uint64_t low = (to & 0xffff) | KERNEL_CS << 16 | (type | (to >> 16 & 0xffff) << 16) << 32;
    uint64_t high = to >> 32;

    if (system == GUEST_REAL) {
        uint32_t entry = (uint32_t)(system_la(c) >> 4) << 16 | (AT_HLT + vec);
        memcpy(idt + 4 * vec, &entry, 4);
    } else if (system == GUEST_LONG) {
        memcpy(idt + 16 * vec, &low, 8);
        memcpy(idt + 16 * vec + 8, &high, 8);
    } else {
        memcpy(idt + 8 * vec, &low, 8);
    }
}

static void put_tss(const struct cpu *c, uint8_t *tss, enum guest_system system)
{
    const uint64_t rsp0 = STACK_TOP - guest_low(c);
    const uint16_t ss0 = KERNEL_DS;

    memcpy(tss + 4, &rsp0, 8);
    memset(tss + 102, 0xff, 2); /* no I/O permission bitmap */
    if (system != GUEST_LONG)
        memcpy(tss + 8, &ss0, 2);
}

void system_create(struct cpu *c, enum guest_system system)
{
    uint8_t *p = guest_system_page(c, 0);

    for (unsigned vec = 0; vec < VECTORS; vec++)
        put_vector(c, p + AT_IDT, system, vec);
    put_tss(c, p + AT_TSS, system);
    memset(p + AT_HLT, 0xf4, VECTORS);
    memcpy(p + AT_IRET, system == GUEST_LONG ? "\x48\xcf" : "\xcf", 2);
    c->idt.base = system_la(c) + AT_IDT;
    c->idt.limit = 16 * VECTORS - 1;
    c->tr.base = system_la(c) + AT_TSS;
    c->tr.limit = 103;
    c->tr.attr = SEG_P | 0xb;
}

void system_restore(struct cpu *c, const uint8_t *page)
{
    uint8_t *p = guest_system_page(c, 0);

    memset(guest_system_page(c, 1), 0, PAGE);
    if (memcmp(p, page, PAGE) == 0)
        return;
    memcpy(p, page, PAGE);
    cpu_code_written(c, system_la(c), PAGE);
}

/* -- Frames ------------------------------------------------------------------------------------ */

/* A byte of the stack. Linear addresses are physical ones, but for the code's second ones. */
static uint8_t *stack_byte(struct cpu *c, unsigned at)
{
    uint64_t la = c->seg[SEG_SS].base + ((c->r[RSP] + at) & c->sp_mask);
    uint64_t alias = ALIAS_LA - guest_low(c);
    if (c->cr0 & CR0_PG && la - alias < CODE_SIZE)
        la += CODE_LA - ALIAS_LA;
    uint8_t *page = phys_page(c, la & ~UINT64_C(0xfff), true);
    return page != NULL ? page + (la & 0xfff) : NULL;
}

static uint64_t read_slot(struct cpu *c, unsigned n, unsigned width)
{
    uint64_t v = 0;

    for (unsigned k = 0; k < width; k++) {
        const uint8_t *p = stack_byte(c, n * width + k);
        v |= (uint64_t)(p != NULL ? *p : 0xff) << (8 * k);
    }
    return v;
}

static void write_slot(struct cpu *c, unsigned n, unsigned width, uint64_t v)
{
    for (unsigned k = 0; k < width; k++) {
        uint8_t *p = stack_byte(c, n * width + k);
        if (p != NULL)
            *p = (uint8_t)(v >> (8 * k));
    }
}

static unsigned frame_width(const struct cpu *c)
{
    return c->mode & MODE_LMA ? 8 : c->mode & MODE_PE ? 4 : 2;
}

unsigned system_vector(const struct cpu *c)
{
    return (unsigned)(c->seg[SEG_CS].base + c->r[RIP] - 1 - system_la(c) - AT_HLT);
}

uint32_t system_error(struct cpu *c)
{
    return (uint32_t)read_slot(c, 0, frame_width(c));
}

void system_return(struct cpu *c, bool keep_rf)
{
    unsigned width = frame_width(c);
    uint64_t flags = read_slot(c, 3, width), sp = read_slot(c, 4, width);

    if (!keep_rf)
        write_slot(c, 3, width, flags & ~(uint64_t)EFL_RF);
    c->r[RSP] += width;
    c->r[RIP] = system_la(c) + AT_IRET;
    c->halted = false;
    cpu_step(c);
    c->r[RSP] = sp; /* to a stack of 16 bits IRET restores no more than that */
}

void system_read_frame(struct cpu *c, struct state *s)
{
    /* From virtual-8086 mode */
    static const uint8_t pushed[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    static const uint32_t with_error =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21;
    unsigned width = frame_width(c), n = 0;

    s->vec = system_vector(c);
    s->err = 0;
    if (width > 2 && s->vec < VECTORS && with_error >> s->vec & 1)
        s->err = (uint32_t)read_slot(c, n++, width);
    s->rip = read_slot(c, n, width);
    s->seg.sel[SEG_CS] = (uint16_t)read_slot(c, n + 1, width);
    s->eflags = (uint32_t)read_slot(c, n + 2, width);
    write_slot(c, n + 2, width, 0);
    if (c->seg[SEG_SS].sel == KERNEL_DS || c->mode & MODE_LMA) {
        s->r[RSP] = read_slot(c, n + 3, width);
        s->seg.sel[SEG_SS] = (uint16_t)read_slot(c, n + 4, width);
    }
    if (s->eflags & EFL_VM)
        for (unsigned k = 0; k < sizeof(pushed); k++)
            s->seg.sel[pushed[k]] = (uint16_t)read_slot(c, n + 5 + k, width);
    s->cr2 = c->cr2;
}
