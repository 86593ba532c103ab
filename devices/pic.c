/* SPDX-License-Identifier: MIT */
/* 8259A interrupt controllers, master and slave, as the PIIX3 wires them (Intel 8259A data sheet
 * 231468; 82371SB data sheet 3.8 and 2.5): ports 20-21, A0-A1, and the edge/level registers
 * 4D0-4D1.
 *
 * Modelled: ICW1-4, masks, specific and non-specific EOI, rotation, set priority, special mask,
 * special fully nested and automatic EOI modes, poll, spurious vectors. As in the PIIX3, LTIM of
 * ICW1 has no function: ELCR selects the trigger mode of each input. A request that an edge has
 * latched stays when the line falls again (real chips drop it): a vCPU that the host runs late
 * loses no tick. Left out: MCS-80 mode and the buffered mode's pin. */
#include "devices/pic.h"

#include "vmm/vm.h"

#define PIC_CASCADE 2

#define ICW1_IC4    0x01
#define ICW1_SNGL   0x02
#define ICW1_SELECT 0x10
#define ICW4_AEOI   0x02
#define ICW4_SFNM   0x10
#define OCW3_SELECT 0x08
#define OCW3_POLL   0x04

enum init_step { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4, INIT_NEVER };

/* Bits 7-5 of OCW2: R, SL, EOI. */
enum ocw2 {
    OCW2_ROTATE_AEOI_OFF,
    OCW2_EOI,
    OCW2_NOP,
    OCW2_SPECIFIC_EOI,
    OCW2_ROTATE_AEOI_ON,
    OCW2_ROTATE_EOI,
    OCW2_SET_PRIORITY,
    OCW2_ROTATE_SPECIFIC_EOI,
};

struct pic_chip {
    uint8_t lines; /* levels of the inputs */
    uint8_t edge;  /* requests latched by an edge */
    uint8_t isr, imr;
    uint8_t elcr;   /* 1: level-triggered */
    uint8_t base;   /* vector of input 0 */
    uint8_t icw3;   /* kept for show; the wiring is fixed */
    uint8_t lowest; /* input of lowest priority */
    uint8_t step;   /* enum init_step: what the next data write is */
    bool want_icw4, single;
    bool aeoi, rotate_aeoi, sfnm, special_mask;
    bool read_isr, poll;
};

struct pic {
    struct device dev;
    struct pic_chip chip[2];
    bool intr;
    struct irq out;
};

static uint8_t elcr_mask(unsigned which)
{
    return which == 0 ? 0xf8 : 0xde; /* timer, keyboard, cascade; RTC and FPU are always edges */
}

static uint8_t irr(const struct pic_chip *p)
{
    return (uint8_t)((p->edge & ~p->elcr) | (p->lines & p->elcr));
}

/* Rank of the highest bit in `set`, 0 (best) to 7; 8 for none. */
static unsigned rank(const struct pic_chip *p, uint8_t set)
{
    unsigned r;

    for (r = 0; r < 8; r++) {
        if (set & (1u << ((p->lowest + 1 + r) & 7)))
            break;
    }
    return r;
}

static unsigned input_at(const struct pic_chip *p, unsigned r)
{
    return (p->lowest + 1 + r) & 7;
}

/* Input that the chip asks service for, or -1. It asks for none between a reset and its
 * initialization: nobody has said which vectors are its own. */
static int chip_request(const struct pic_chip *p, bool is_master)
{
    unsigned want = rank(p, irr(p) & (uint8_t)~p->imr);
    uint8_t busy = p->isr;

    if (want == 8 || p->step == INIT_NEVER)
        return -1;
    if (p->special_mask)
        busy &= (uint8_t)~p->imr;
    if (p->sfnm && is_master)
        busy &= (uint8_t) ~(1u << PIC_CASCADE);
    return want < rank(p, busy) ? (int)input_at(p, want) : -1;
}

static void chip_set_line(struct pic_chip *p, unsigned n, bool level)
{
    uint8_t bit = (uint8_t)(1u << n);

    if (level && !(p->lines & bit))
        p->edge |= bit;
    p->lines = level ? p->lines | bit : p->lines & (uint8_t)~bit;
}

static void chip_into_service(struct pic_chip *p, unsigned n)
{
    p->edge &= (uint8_t) ~(1u << n);
    if (!p->aeoi)
        p->isr |= (uint8_t)(1u << n);
    else if (p->rotate_aeoi)
        p->lowest = (uint8_t)n;
}

/* The slave's INT pin is the master's input 2; unlike other edges its request goes with it. */
static void set_cascade(struct pic *s, bool level)
{
    chip_set_line(&s->chip[0], PIC_CASCADE, level);
    if (!level)
        s->chip[0].edge &= (uint8_t) ~(1u << PIC_CASCADE);
}

static void update(struct pic *s)
{
    set_cascade(s, chip_request(&s->chip[1], false) >= 0);
    s->intr = chip_request(&s->chip[0], true) >= 0;
    irq_set(&s->out, s->intr);
}

static void set_input(void *opaque, int n, bool level)
{
    struct pic *s = opaque;

    chip_set_line(&s->chip[n >> 3], n & 7, level);
    update(s);
}

/* -- Registers -----------------------------------------------------------------------------------
 */

static void write_icw1(struct pic_chip *p, uint8_t val)
{
    uint8_t lines = p->lines, elcr = p->elcr;

    *p = (struct pic_chip){.lines = lines, .elcr = elcr, .lowest = 7, .step = INIT_ICW2};
    p->want_icw4 = (val & ICW1_IC4) != 0;
    p->single = (val & ICW1_SNGL) != 0;
}

static void write_ocw2(struct pic_chip *p, uint8_t val)
{
    unsigned cmd = val >> 5, n = val & 7;
    uint8_t busy = p->isr;

    switch (cmd) {
    case OCW2_ROTATE_AEOI_OFF:
    case OCW2_ROTATE_AEOI_ON: p->rotate_aeoi = cmd == OCW2_ROTATE_AEOI_ON; break;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI:
        if (p->special_mask)
            busy &= (uint8_t)~p->imr; /* in this mode masked levels are not ended implicitly */
        if (busy == 0)
            break;
        n = input_at(p, rank(p, busy));
        p->isr &= (uint8_t) ~(1u << n);
        if (cmd == OCW2_ROTATE_EOI)
            p->lowest = (uint8_t)n;
        break;
    case OCW2_SPECIFIC_EOI:
    case OCW2_ROTATE_SPECIFIC_EOI:
        p->isr &= (uint8_t) ~(1u << n);
        if (cmd == OCW2_ROTATE_SPECIFIC_EOI)
            p->lowest = (uint8_t)n;
        break;
    case OCW2_SET_PRIORITY: p->lowest = (uint8_t)n; break;
    default: break;
    }
}

static void write_ocw3(struct pic_chip *p, uint8_t val)
{
    p->poll = (val & OCW3_POLL) != 0;
    if (val & 0x02)
        p->read_isr = (val & 0x01) != 0;
    if (val & 0x40)
        p->special_mask = (val & 0x20) != 0;
}

static void write_data(struct pic_chip *p, uint8_t val)
{
    switch (p->step) {
    case INIT_ICW2:
        p->base = val & 0xf8;
        p->step = !p->single ? INIT_ICW3 : p->want_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3:
        p->icw3 = val;
        p->step = p->want_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        p->aeoi = (val & ICW4_AEOI) != 0;
        p->sfnm = (val & ICW4_SFNM) != 0;
        p->step = INIT_DONE;
        break;
    default: p->imr = val; break;
    }
}

static void chip_write(struct pic *s, unsigned which, uint32_t off, uint64_t val)
{
    struct pic_chip *p = &s->chip[which];

    if (off & 1)
        write_data(p, (uint8_t)val);
    else if (val & ICW1_SELECT)
        write_icw1(p, (uint8_t)val);
    else if (val & OCW3_SELECT)
        write_ocw3(p, (uint8_t)val);
    else
        write_ocw2(p, (uint8_t)val);
    update(s);
}

/* A read in poll mode stands for the acknowledge cycle of this chip. */
static uint8_t chip_poll(struct pic *s, unsigned which)
{
    struct pic_chip *p = &s->chip[which];
    int n = chip_request(p, which == 0);

    p->poll = false;
    if (n < 0)
        return 0;
    if (which == 1)
        set_cascade(s, false);
    chip_into_service(p, (unsigned)n);
    update(s);
    return (uint8_t)(0x80 | n);
}

static uint64_t chip_read(struct pic *s, unsigned which, uint32_t off)
{
    struct pic_chip *p = &s->chip[which];

    if (p->poll)
        return chip_poll(s, which);
    if (off & 1)
        return p->imr;
    return p->read_isr ? p->isr : irr(p);
}

static uint64_t master_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return chip_read(dev, 0, off);
}

static void master_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    chip_write(dev, 0, off, val);
}

static uint64_t slave_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return chip_read(dev, 1, off);
}

static void slave_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    chip_write(dev, 1, off, val);
}

static uint64_t elcr_read(void *dev, uint32_t off, unsigned n)
{
    struct pic *s = dev;

    (void)n;
    return s->chip[off & 1].elcr;
}

static void elcr_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct pic *s = dev;

    (void)n;
    s->chip[off & 1].elcr = (uint8_t)val & elcr_mask(off & 1);
    update(s);
}

/* -- Acknowledge and wiring ----------------------------------------------------------------------
 */

static int acknowledge(struct pic *s)
{
    struct pic_chip *master = &s->chip[0], *slave = &s->chip[1];
    int n = chip_request(master, true), m = 7, vector;

    if (n < 0)
        return master->base + 7;
    if (n == PIC_CASCADE) {
        m = chip_request(slave, false);
        vector = slave->base + (m < 0 ? 7 : m);
        set_cascade(s, false); /* INTA drops the pin, so that a further request is an edge again */
        if (m >= 0)
            chip_into_service(slave, (unsigned)m);
    } else {
        vector = master->base + n;
    }
    chip_into_service(master, (unsigned)n);
    update(s);
    return vector;
}

int pic_ack(struct vm *vm)
{
    struct device *d = device_find(vm, &pic_class, 0);

    return d == NULL ? -1 : acknowledge((struct pic *)d);
}

struct irq pic_input(struct vm *vm, unsigned n)
{
    struct device *d = device_find(vm, &pic_class, 0);

    if (d == NULL || n > 15 || n == PIC_CASCADE)
        return (struct irq){NULL, NULL, 0};
    return (struct irq){set_input, d, (int)n};
}

bool pic_is_waiting(struct vm *vm, unsigned n)
{
    const struct pic *s = (const struct pic *)device_find(vm, &pic_class, 0);
    const struct pic_chip *p = s == NULL ? NULL : &s->chip[n / 8];

    return p != NULL && p->edge & (uint8_t)~p->imr & 1u << n % 8;
}

void pic_connect_output(struct vm *vm, struct irq out)
{
    struct pic *s = (struct pic *)device_find(vm, &pic_class, 0);

    if (s == NULL)
        return;
    s->out = out;
    irq_set(&s->out, s->intr);
}

/* A machine without a local APIC: the pin is INTR of the only processor. */

static void drive_intr(void *opaque, int n, bool level)
{
    vcpu_set_intr(opaque, (unsigned)n, level);
}

static int intc_ack(void *dev)
{
    return acknowledge(dev);
}

static uint64_t intc_read_base(void *dev)
{
    (void)dev;
    return 0;
}

static bool intc_write_base(void *dev, uint64_t val)
{
    (void)dev;
    (void)val;
    return false;
}

static uint8_t intc_read_tpr(void *dev)
{
    (void)dev;
    return 0;
}

static void intc_write_tpr(void *dev, uint8_t val)
{
    (void)dev;
    (void)val;
}

static const struct vcpu_intc pic_intc = {
    .ack = intc_ack,
    .read_base = intc_read_base,
    .write_base = intc_write_base,
    .read_tpr = intc_read_tpr,
    .write_tpr = intc_write_tpr,
};

static void reset(struct device *d)
{
    struct pic *s = (struct pic *)d;

    for (unsigned k = 0; k < 2; k++)
        s->chip[k] = (struct pic_chip){.lines = s->chip[k].lines, .lowest = 7, .step = INIT_NEVER};
    update(s);
}

static void loaded(struct device *d)
{
    struct pic *s = (struct pic *)d;

    for (unsigned k = 0; k < 2; k++) { /* a file may hold anything */
        s->chip[k].lowest &= 7;
        s->chip[k].elcr &= elcr_mask(k);
    }
    update(s);
}

static int realize(struct device *d)
{
    static const struct io_ops master_ops = {master_read, master_write, IO_8};
    static const struct io_ops slave_ops = {slave_read, slave_write, IO_8};
    static const struct io_ops elcr_ops = {elcr_read, elcr_write, IO_8};
    struct pic *s = (struct pic *)d;
    int err;

    s->chip[0].lowest = s->chip[1].lowest = 7;
    s->out = (struct irq){drive_intr, d->vm, 0};
    vcpu_attach_intc(d->vm, 0, &pic_intc, s);
    err = bus_claim_ports(d->vm, "pic-master", 0x20, 2, &master_ops, s);
    if (err == 0)
        err = bus_claim_ports(d->vm, "pic-slave", 0xa0, 2, &slave_ops, s);
    if (err == 0)
        err = bus_claim_ports(d->vm, "elcr", 0x4d0, 2, &elcr_ops, s);
    return err;
}

static const struct field pic_chip_fields[] = {
    FIELD(struct pic_chip, lines),        FIELD(struct pic_chip, edge),
    FIELD(struct pic_chip, isr),          FIELD(struct pic_chip, imr),
    FIELD(struct pic_chip, elcr),         FIELD(struct pic_chip, base),
    FIELD(struct pic_chip, icw3),         FIELD(struct pic_chip, lowest),
    FIELD(struct pic_chip, step),         FIELD(struct pic_chip, want_icw4),
    FIELD(struct pic_chip, single),       FIELD(struct pic_chip, aeoi),
    FIELD(struct pic_chip, rotate_aeoi),  FIELD(struct pic_chip, sfnm),
    FIELD(struct pic_chip, special_mask), FIELD(struct pic_chip, read_isr),
    FIELD(struct pic_chip, poll),         FIELDS_END,
};

static const struct field pic_fields[] = {
    FIELDS_DEVICE(struct pic),
    FIELD_SUBS(struct pic, chip, pic_chip_fields),
    FIELD(struct pic, intr),
    UNSAVED(struct pic, out),
    FIELDS_END,
};

const struct device_class pic_class = {
    .name = "pic",
    .desc = "8259A interrupt controllers",
    .size = sizeof(struct pic),
    .fields = pic_fields,
    .realize = realize,
    .reset = reset,
    .loaded = loaded,
};
