/* SPDX-License-Identifier: MIT */
/* 8237A DMA controllers (Intel data sheet 231466) and their page registers: channels 0-3 move bytes
 * (ports 00-0F), 4-7 words (C0-DF, one register each second port), and channel 4 is the cascade.
 * Ports 80-8F hold address bits 16-23; those that belong to no channel are plain bytes, and
 * firmware shows its progress codes in 80.
 *
 * A transfer is one call by the device, for as much as it has; it is bounded by the channel's
 * count. Left out: memory-to-memory transfers, timing modes, priorities (transfers take no time).
 */
#include "devices/dma.h"

#include <string.h>

#include "vmm/vm.h"

enum dma_reg {
    DMA_COMMAND = 8, /* write; read: status */
    DMA_REQUEST,
    DMA_MASK_ONE,
    DMA_MODE,
    DMA_CLEAR_FLIP_FLOP,
    DMA_MASTER_CLEAR, /* write; read: temporary register */
    DMA_CLEAR_MASK,
    DMA_MASK_ALL,
};

#define COMMAND_DISABLE 0x04
#define MODE_WRITE      0x04 /* to memory */
#define MODE_READ       0x08
#define MODE_AUTO_INIT  0x10
#define MODE_DOWN       0x20
#define CASCADE_CHANNEL 4

struct dma_chan {
    uint16_t base_addr, base_count;
    uint16_t addr, count;
    uint8_t mode; /* bits 7-2 of the mode register */
};

struct dma_chip {
    struct dma_chan ch[4];
    uint8_t command, mask;
    uint8_t soft_requests; /* by the request register */
    uint8_t requests;      /* by the devices' lines */
    uint8_t done;          /* channels that reached terminal count, until status is read */
    bool msb_next;         /* the flip-flop */
};

struct dma {
    struct device dev;
    struct dma_chip chip[2];
    uint8_t page[16]; /* ports 80-8F */
};

/* -- Registers -----------------------------------------------------------------------------------
 */

static void master_clear(struct dma_chip *p)
{
    p->command = p->soft_requests = p->done = 0;
    p->msb_next = false;
    p->mask = 0x0f;
}

static uint16_t with_byte(uint16_t old, uint8_t val, bool msb)
{
    return (uint16_t)(msb ? (old & 0x00ff) | val << 8 : (old & 0xff00) | val);
}

static void write_chan(struct dma_chip *p, unsigned reg, uint8_t val)
{
    struct dma_chan *c = &p->ch[reg >> 1];
    bool msb = p->msb_next;

    p->msb_next = !msb;
    if (reg & 1)
        c->count = c->base_count = with_byte(c->base_count, val, msb);
    else
        c->addr = c->base_addr = with_byte(c->base_addr, val, msb);
}

static uint8_t read_chan(struct dma_chip *p, unsigned reg)
{
    struct dma_chan *c = &p->ch[reg >> 1];
    uint16_t val = (reg & 1) ? c->count : c->addr;

    p->msb_next = !p->msb_next;
    return (uint8_t)(p->msb_next ? val : val >> 8);
}

static void write_reg(struct dma_chip *p, unsigned reg, uint8_t val)
{
    uint8_t bit = (uint8_t)(1u << (val & 3));

    switch (reg) {
    case DMA_COMMAND: p->command = val; break;
    case DMA_REQUEST:
        p->soft_requests = (val & 4) ? p->soft_requests | bit : p->soft_requests & (uint8_t)~bit;
        break;
    case DMA_MASK_ONE: p->mask = (val & 4) ? p->mask | bit : p->mask & (uint8_t)~bit; break;
    case DMA_MODE: p->ch[val & 3].mode = val & 0xfc; break;
    case DMA_CLEAR_FLIP_FLOP: p->msb_next = false; break;
    case DMA_MASTER_CLEAR: master_clear(p); break;
    case DMA_CLEAR_MASK: p->mask = 0; break;
    case DMA_MASK_ALL: p->mask = val & 0x0f; break;
    default: write_chan(p, reg, val); break;
    }
}

static uint8_t read_reg(struct dma_chip *p, unsigned reg)
{
    uint8_t val;

    switch (reg) {
    case DMA_COMMAND:
        val = (uint8_t)((p->requests | p->soft_requests) << 4 | p->done);
        p->done = 0;
        return val;
    case DMA_MASK_ALL: return p->mask | 0xf0;
    case DMA_MASTER_CLEAR: return 0;
    default: return reg < DMA_COMMAND ? read_chan(p, reg) : 0xff;
    }
}

static uint64_t bytes_read(void *dev, uint32_t off, unsigned n)
{
    struct dma *s = dev;

    (void)n;
    return read_reg(&s->chip[0], off);
}

static void bytes_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct dma *s = dev;

    (void)n;
    write_reg(&s->chip[0], off, (uint8_t)val);
}

static uint64_t words_read(void *dev, uint32_t off, unsigned n)
{
    struct dma *s = dev;

    (void)n;
    return read_reg(&s->chip[1], off >> 1);
}

static void words_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct dma *s = dev;

    (void)n;
    write_reg(&s->chip[1], off >> 1, (uint8_t)val);
}

static uint64_t page_read(void *dev, uint32_t off, unsigned n)
{
    struct dma *s = dev;

    (void)n;
    return s->page[off];
}

static void page_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct dma *s = dev;

    (void)n;
    s->page[off] = (uint8_t)val;
}

/* -- Transfers -----------------------------------------------------------------------------------
 */

static struct dma *dma_of(struct vm *vm, unsigned chan)
{
    return chan > 7 || chan == CASCADE_CHANNEL ? NULL
                                               : (struct dma *)device_find(vm, &dma_class, 0);
}

void dma_set_request(struct vm *vm, unsigned chan, bool level)
{
    struct dma *s = dma_of(vm, chan);
    uint8_t bit = (uint8_t)(1u << (chan & 3));
    struct dma_chip *p;

    if (s == NULL)
        return;
    p = &s->chip[chan >> 2];
    p->requests = level ? p->requests | bit : p->requests & (uint8_t)~bit;
}

/* Physical address of the channel's next unit. Only the low 16 bits count; the page stays. */
static uint64_t unit_address(const struct dma *s, unsigned chan)
{
    static const uint8_t page_port[8] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};
    uint64_t page = s->page[page_port[chan]];
    uint64_t addr = s->chip[chan >> 2].ch[chan & 3].addr;

    return chan < 4 ? page << 16 | addr : (page & 0xfe) << 16 | addr << 1;
}

/* Copy `units` units that neither wrap nor count past the end. A bus error reads as ones. */
static void move_run(struct dma *s, unsigned chan, uint8_t *buf, size_t units)
{
    struct dma_chan *c = &s->chip[chan >> 2].ch[chan & 3];
    size_t bytes = chan < 4 ? units : units * 2;
    uint64_t pa = unit_address(s, chan);

    if (c->mode & MODE_WRITE)
        dma_write(s->dev.vm, pa, buf, bytes);
    else if (c->mode & MODE_READ)
        dma_read(s->dev.vm, pa, buf, bytes);
    c->addr = (uint16_t)((c->mode & MODE_DOWN) ? c->addr - units : c->addr + units);
    c->count = (uint16_t)(c->count - units);
}

static void reach_terminal_count(struct dma_chip *p, unsigned n)
{
    p->done |= (uint8_t)(1u << n);
    p->soft_requests &= (uint8_t) ~(1u << n);
    if (p->ch[n].mode & MODE_AUTO_INIT) {
        p->ch[n].addr = p->ch[n].base_addr;
        p->ch[n].count = p->ch[n].base_count;
    } else {
        p->mask |= (uint8_t)(1u << n);
    }
}

size_t dma_transfer(struct vm *vm, unsigned chan, void *buf, size_t n, bool *terminal_count)
{
    struct dma *s = dma_of(vm, chan);
    unsigned unit = chan < 4 ? 1 : 2;
    size_t units = n / unit, left, moved = 0;
    struct dma_chip *p;
    struct dma_chan *c;

    *terminal_count = false;
    if (s == NULL)
        return 0;
    p = &s->chip[chan >> 2];
    c = &p->ch[chan & 3];
    if ((p->mask & (1u << (chan & 3))) || (p->command & COMMAND_DISABLE))
        return 0;
    left = (size_t)c->count + 1;
    if (units > left)
        units = left;
    while (moved < units) {
        size_t run = units - moved;

        if (c->mode & MODE_DOWN)
            run = 1;
        else if (run > 0x10000u - c->addr)
            run = 0x10000u - c->addr;
        move_run(s, chan, (uint8_t *)buf + moved * unit, run);
        moved += run;
    }
    if (moved == left) {
        *terminal_count = true;
        reach_terminal_count(p, chan & 3);
    }
    return moved * unit;
}

/* -- Device --------------------------------------------------------------------------------------
 */

static void reset(struct device *d)
{
    struct dma *s = (struct dma *)d;

    memset(s->page, 0, sizeof(s->page));
    for (unsigned k = 0; k < 2; k++) {
        uint8_t requests = s->chip[k].requests; /* the devices' own */

        s->chip[k] = (struct dma_chip){.requests = requests};
        master_clear(&s->chip[k]);
    }
}

static int realize(struct device *d)
{
    static const struct io_ops bytes_ops = {bytes_read, bytes_write, IO_8};
    static const struct io_ops words_ops = {words_read, words_write, IO_8};
    static const struct io_ops page_ops = {page_read, page_write, IO_8};
    int err = bus_claim_ports(d->vm, "dma-bytes", 0x00, 16, &bytes_ops, d);

    if (err == 0)
        err = bus_claim_ports(d->vm, "dma-words", 0xc0, 32, &words_ops, d);
    if (err == 0)
        err = bus_claim_ports(d->vm, "dma-pages", 0x80, 16, &page_ops, d);
    return err;
}

static const struct field dma_chan_fields[] = {
    FIELD(struct dma_chan, base_addr), FIELD(struct dma_chan, base_count),
    FIELD(struct dma_chan, addr),      FIELD(struct dma_chan, count),
    FIELD(struct dma_chan, mode),      FIELDS_END,
};

static const struct field dma_chip_fields[] = {
    FIELD_SUBS(struct dma_chip, ch, dma_chan_fields),
    FIELD(struct dma_chip, command),
    FIELD(struct dma_chip, mask),
    FIELD(struct dma_chip, soft_requests),
    FIELD(struct dma_chip, requests),
    FIELD(struct dma_chip, done),
    FIELD(struct dma_chip, msb_next),
    FIELDS_END,
};

static const struct field dma_fields[] = {
    FIELDS_DEVICE(struct dma),
    FIELD_SUBS(struct dma, chip, dma_chip_fields),
    FIELD_ARRAY(struct dma, page),
    FIELDS_END,
};

const struct device_class dma_class = {
    .name = "dma",
    .desc = "8237A DMA controllers and page registers",
    .size = sizeof(struct dma),
    .fields = dma_fields,
    .realize = realize,
    .reset = reset,
};
