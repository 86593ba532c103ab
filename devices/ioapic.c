/* SPDX-License-Identifier: MIT */
/* I/O APIC: 24 inputs with one redirection entry each, at FEC00000 (82093AA data sheet 290566; the
 * EOI register at 40h of version 20h as in ICH2 and later).
 *
 * An edge is sent when it comes, or not at all where the entry is masked. A level-triggered input
 * is sent once, then waits with Remote IRR set until a local APIC ends that vector. Messages arrive
 * at once, so Delivery Status always reads idle. Polarity is stored only: every line of this
 * machine is high when active, whatever the tables tell a guest to program. */
#include "devices/ioapic.h"

#include <string.h>

#include "devices/lapic.h"
#include "vmm/vm.h"

#define VERSION UINT32_C(0x00170020) /* entries 0-23 */

#define REG_ID    0
#define REG_VER   1
#define REG_ARB   2
#define REG_REDIR 16

/* Redirection entry. */
#define RTE_MODE_SHIFT 8
#define RTE_LOGICAL    (UINT64_C(1) << 11)
#define RTE_STATUS     (UINT64_C(1) << 12)
#define RTE_REMOTE_IRR (UINT64_C(1) << 14)
#define RTE_LEVEL      (UINT64_C(1) << 15)
#define RTE_MASKED     (UINT64_C(1) << 16)
#define RTE_DEST_SHIFT 56
#define RTE_WRITABLE   (UINT64_C(0xff0000000001ffff) & ~(RTE_STATUS | RTE_REMOTE_IRR))

struct ioapic {
    struct device dev;
    uint64_t rte[IOAPIC_INPUTS];
    uint32_t lines; /* levels of the inputs */
    uint8_t index, id;
    struct region region;
};

static void send(struct ioapic *s, unsigned n)
{
    uint64_t rte = s->rte[n];
    struct apic_message m = {.dest = (uint8_t)(rte >> RTE_DEST_SHIFT),
                             .logical = (rte & RTE_LOGICAL) != 0,
                             .mode = rte >> RTE_MODE_SHIFT & 7,
                             .vector = (uint8_t)rte,
                             .level_triggered = (rte & RTE_LEVEL) != 0};

    lapic_deliver(s->dev.vm, &m);
}

/* Send a level-triggered input that is high and not in service. */
static void offer_level(struct ioapic *s, unsigned n)
{
    uint64_t rte = s->rte[n];

    if (!(s->lines >> n & 1) || (rte & (RTE_MASKED | RTE_REMOTE_IRR)) || !(rte & RTE_LEVEL))
        return;
    s->rte[n] |= RTE_REMOTE_IRR; /* first: the message may be ended before send() returns */
    send(s, n);
}

static void set_input(void *opaque, int pin, bool level)
{
    struct ioapic *s = opaque;
    unsigned n = (unsigned)pin % IOAPIC_INPUTS;
    uint32_t bit = UINT32_C(1) << n;
    bool rises = level && !(s->lines & bit);

    s->lines = level ? s->lines | bit : s->lines & ~bit;
    if (s->rte[n] & RTE_LEVEL)
        offer_level(s, n);
    else if (rises && !(s->rte[n] & RTE_MASKED))
        send(s, n);
}

static void end(struct ioapic *s, uint8_t vector)
{
    for (unsigned n = 0; n < IOAPIC_INPUTS; n++) {
        if ((uint8_t)s->rte[n] != vector || !(s->rte[n] & RTE_LEVEL))
            continue;
        s->rte[n] &= ~RTE_REMOTE_IRR;
        offer_level(s, n);
    }
}

void ioapic_eoi(struct vm *vm, uint8_t vector)
{
    struct ioapic *s = (struct ioapic *)device_find(vm, &ioapic_class, 0);

    if (s != NULL)
        end(s, vector);
}

/* -- Registers --------------------------------------------------------------------------------- */

static uint32_t window_read(const struct ioapic *s)
{
    unsigned n = (s->index - REG_REDIR) / 2u;

    switch (s->index) {
    case REG_ID:
    case REG_ARB: return (uint32_t)s->id << 24;
    case REG_VER: return VERSION;
    default: break;
    }
    if (s->index < REG_REDIR || n >= IOAPIC_INPUTS)
        return 0;
    return (uint32_t)(s->rte[n] >> (s->index & 1 ? 32 : 0));
}

static void window_write(struct ioapic *s, uint32_t val)
{
    unsigned n = (s->index - REG_REDIR) / 2u, shift = s->index & 1 ? 32 : 0;
    uint64_t mask;

    if (s->index == REG_ID)
        s->id = val >> 24 & 0xf;
    if (s->index < REG_REDIR || n >= IOAPIC_INPUTS)
        return;
    mask = RTE_WRITABLE & (UINT64_C(0xffffffff) << shift);
    s->rte[n] = (s->rte[n] & ~mask) | ((uint64_t)val << shift & mask);
    if (!(s->rte[n] & RTE_LEVEL))
        s->rte[n] &= ~RTE_REMOTE_IRR; /* how guests get rid of it without an EOI */
    offer_level(s, n);
}

static uint64_t mmio_read(void *dev, uint32_t off, unsigned n)
{
    const struct ioapic *s = dev;

    (void)n;
    switch (off & 0xff) {
    case 0x00: return s->index;
    case 0x10: return window_read(s);
    default: return 0;
    }
}

static void mmio_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct ioapic *s = dev;

    (void)n;
    switch (off & 0xff) {
    case 0x00: s->index = (uint8_t)val; break;
    case 0x10: window_write(s, (uint32_t)val); break;
    case 0x40: end(s, (uint8_t)val); break;
    default: break;
    }
}

/* -- The device -------------------------------------------------------------------------------- */

struct irq ioapic_input(struct vm *vm, unsigned gsi)
{
    struct device *d = device_find(vm, &ioapic_class, 0);

    if (d == NULL || gsi >= IOAPIC_INPUTS)
        return (struct irq){NULL, NULL, 0};
    return (struct irq){set_input, d, (int)gsi};
}

static void reset(struct device *d)
{
    struct ioapic *s = (struct ioapic *)d;

    for (unsigned n = 0; n < IOAPIC_INPUTS; n++)
        s->rte[n] = RTE_MASKED;
    s->index = s->id = 0;
}

static void loaded(struct device *d)
{
    struct ioapic *s = (struct ioapic *)d;

    for (unsigned n = 0; n < IOAPIC_INPUTS; n++)
        s->rte[n] &= RTE_WRITABLE | RTE_REMOTE_IRR; /* a file may hold anything */
}

static void unrealize(struct device *d)
{
    mem_map(d->vm, &((struct ioapic *)d)->region, MEM_UNMAPPED);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {mmio_read, mmio_write, IO_32};
    struct ioapic *s = (struct ioapic *)d;

    reset(d);
    s->region = (struct region){.name = "ioapic",
                                .base = MEM_UNMAPPED,
                                .size = PAGE_SIZE,
                                .kind = REGION_MMIO,
                                .ops = &ops,
                                .dev = s};
    return mem_map(d->vm, &s->region, IOAPIC_BASE);
}

static const struct field ioapic_fields[] = {
    FIELDS_DEVICE(struct ioapic),
    FIELD_ARRAY(struct ioapic, rte),
    FIELD(struct ioapic, lines),
    FIELD(struct ioapic, index),
    FIELD(struct ioapic, id),
    UNSAVED(struct ioapic, region),
    FIELDS_END,
};

const struct device_class ioapic_class = {
    .name = "ioapic",
    .desc = "82093AA I/O APIC",
    .size = sizeof(struct ioapic),
    .fields = ioapic_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
