/* SPDX-License-Identifier: MIT */
/* 82371SB (PIIX3), function 0:1.0: the ISA bridge, 8086:7000 (data sheet 290550, 2.1 and 2.5).
 *
 * What has effects: the route control registers, which put PIRQA-D onto ISA lines (shared ones are
 * ORed); the coprocessor error function, in which FERR# raises IRQ13 until a write to port F0,
 * which also asserts IGNNE# for as long as FERR# stays; and the reset control register at port CF9,
 * where RCPU going up resets the machine, by whatever kind of reset. The coprocessor error function
 * is on whatever XBCS says, because firmware made for emulators does not switch it on. Positive
 * decode, wait states and the rest of the registers are plain bytes with their reset values. */
#include "devices/piix3.h"

#include <string.h>

#include "devices/isa.h"
#include "devices/pci.h"
#include "vmm/vm.h"

#define PIRQS             4
#define ISA_LINES         16
#define PIRQ_DISABLED     0x80
#define COPROCESSOR_ERROR 0xf0
#define RC_SRST           0x02
#define RC_RCPU           0x04

struct piix3 {
    struct pci_device pci;
    bool pirq[PIRQS]; /* levels */
    uint8_t reset_control;
    bool ferr, irq13; /* FERR# is asserted; it has raised the interrupt */
    struct irq isa[ISA_LINES];
    struct irq coprocessor; /* ISA line 13 */
};

static void update(struct piix3 *s)
{
    uint16_t high = 0;

    for (unsigned n = 0; n < PIRQS; n++) {
        uint8_t route = s->pci.config[PIIX3_PIRQRC + n];

        if (s->pirq[n] && !(route & PIRQ_DISABLED))
            high |= (uint16_t)(1u << (route % ISA_LINES));
    }
    for (unsigned n = 0; n < ISA_LINES; n++)
        irq_set(&s->isa[n], high >> n & 1);
}

static void set_pirq(void *opaque, int n, bool level)
{
    struct piix3 *s = opaque;

    s->pirq[n & (PIRQS - 1)] = level;
    update(s);
}

static void written(struct pci_device *p, unsigned off, unsigned n)
{
    if (off < PIIX3_PIRQRC + PIRQS && off + n > PIIX3_PIRQRC)
        update((struct piix3 *)p);
}

static void update_coprocessor(struct piix3 *s)
{
    irq_set(&s->coprocessor, s->irq13);
    vcpu_set_ignne(s->pci.dev.vm, 0, s->ferr && !s->irq13);
}

static void set_ferr(void *opaque, int n, bool asserted)
{
    struct piix3 *s = opaque;

    (void)n;
    if (asserted && !s->ferr)
        s->irq13 = true;
    s->ferr = asserted;
    update_coprocessor(s);
}

static uint64_t coprocessor_error_read(void *dev, uint32_t off, unsigned n)
{
    (void)dev;
    (void)off;
    (void)n;
    return 0xff; /* nothing answers */
}

static void coprocessor_error_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct piix3 *s = dev;

    (void)off;
    (void)n;
    (void)val;
    s->irq13 = false;
    update_coprocessor(s);
}

static uint64_t reset_control_read(void *dev, uint32_t off, unsigned n)
{
    const struct piix3 *s = dev;

    (void)off;
    (void)n;
    return s->reset_control;
}

static void reset_control_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct piix3 *s = dev;

    (void)off;
    (void)n;
    if (val & RC_RCPU)
        vm_request_reset(s->pci.dev.vm);
    s->reset_control = val & RC_SRST;
}

static void reset(struct device *d)
{
    /* Offset and value of what is not zero after a reset. */
    static const uint8_t values[][2] = {
        {0x4c, 0x4d}, {0x4e, 0x03}, {0x60, 0x80}, {0x61, 0x80}, {0x62, 0x80},
        {0x63, 0x80}, {0x69, 0x02}, {0x70, 0x80}, {0x76, 0x0c}, {0x77, 0x0c},
        {0x78, 0x02}, {0xa0, 0x08}, {0xa8, 0x0f},
    };
    struct piix3 *s = (struct piix3 *)d;

    pci_device_reset(&s->pci);
    pci_put16(&s->pci, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_put16(&s->pci, PCI_STATUS, PCI_STATUS_MEDIUM);
    memset(s->pci.config + 0x40, 0, PCI_CONFIG_SIZE - 0x40);
    for (unsigned k = 0; k < sizeof(values) / sizeof(values[0]); k++)
        s->pci.config[values[k][0]] = values[k][1];
    s->reset_control = 0;
    s->ferr = s->irq13 = false;
    update_coprocessor(s);
    update(s);
}

static void loaded(struct device *d)
{
    struct piix3 *s = (struct piix3 *)d;

    pci_device_loaded(&s->pci);
    update_coprocessor(s);
    update(s);
}

static void unrealize(struct device *d)
{
    pci_connect_reset_control(d->vm, NULL, NULL);
    vcpu_connect_ferr(d->vm, 0, (struct irq){NULL, NULL, 0});
    bus_release_ports(d->vm, COPROCESSOR_ERROR, d);
    for (unsigned n = 0; n < PIRQS; n++)
        pci_connect_pirq(d->vm, n, (struct irq){NULL, NULL, 0});
    pci_unregister(&((struct piix3 *)d)->pci);
}

static int realize(struct device *d)
{
    static const struct io_ops coprocessor_ops = {coprocessor_error_read, coprocessor_error_write,
                                                  IO_8};
    static const struct io_ops reset_ops = {reset_control_read, reset_control_write, IO_8};
    static const struct pci_ident id = {
        .vendor = 0x8086, .device = 0x7000, .class_code = 0x0601, .header_type = PCI_HEADER_MULTI};
    struct piix3 *s = (struct piix3 *)d;
    int err = bus_claim_ports(d->vm, "piix3", COPROCESSOR_ERROR, 1, &coprocessor_ops, s);

    if (err == 0)
        err = pci_register(&s->pci, PIIX3_DEVFN, &id);
    if (err != 0)
        return err;
    s->pci.written = written;
    memset(s->pci.config + PIIX3_PIRQRC, PIRQ_DISABLED, PIRQS);
    for (unsigned n = 0; n < ISA_LINES; n++)
        s->isa[n] = isa_irq(d->vm, n);
    for (unsigned n = 0; n < PIRQS; n++)
        pci_connect_pirq(d->vm, n, (struct irq){set_pirq, s, (int)n});
    s->coprocessor = isa_irq(d->vm, 13);
    vcpu_connect_ferr(d->vm, 0, (struct irq){set_ferr, s, 0});
    pci_connect_reset_control(d->vm, &reset_ops, s);
    return 0;
}

static const struct field piix3_fields[] = {
    FIELD_SUB(struct piix3, pci, pci_device_fields),
    FIELD_ARRAY(struct piix3, pirq),
    FIELD(struct piix3, reset_control),
    FIELD(struct piix3, ferr),
    FIELD(struct piix3, irq13),
    UNSAVED(struct piix3, isa),
    UNSAVED(struct piix3, coprocessor),
    FIELDS_END,
};

const struct device_class piix3_class = {
    .name = "piix3",
    .desc = "82371SB ISA bridge",
    .size = sizeof(struct piix3),
    .fields = piix3_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
