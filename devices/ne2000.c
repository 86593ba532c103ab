/* SPDX-License-Identifier: MIT */
/* NE2000 cards around dp8390.c: 32 ports at a fixed place and an ISA line, or PCI function
 * 10EC:8029 (RTL8029AS data sheet) with the same ports in BAR 0. Left out: the RTL8029's page 3. */
#include "devices/ne2000.h"

#include "devices/dp8390.h"
#include "devices/isa.h"
#include "devices/nic.h"
#include "devices/pci.h"
#include "vmm/vm.h"

/* -- ISA --------------------------------------------------------------------------------------- */

struct ne2k_isa {
    struct device dev;
    struct dp8390 chip;
    const struct nic_config *cfg;
    struct irq irq;
};

static void isa_set_irq(void *owner, bool level)
{
    struct ne2k_isa *s = owner;

    irq_set(&s->irq, level);
}

static uint64_t isa_read(void *dev, uint32_t off, unsigned n)
{
    return dp8390_read(&((struct ne2k_isa *)dev)->chip, off, n);
}

static void isa_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    dp8390_write(&((struct ne2k_isa *)dev)->chip, off, n, val);
}

static void isa_reset(struct device *d)
{
    dp8390_power_on(&((struct ne2k_isa *)d)->chip);
}

static void isa_loaded(struct device *d)
{
    dp8390_loaded(&((struct ne2k_isa *)d)->chip);
}

static int isa_realize(struct device *d)
{
    static const struct io_ops ops = {isa_read, isa_write, IO_8 | IO_16};
    struct ne2k_isa *s = (struct ne2k_isa *)d;
    int err;

    s->cfg = d->cfg;
    s->irq = isa_irq(d->vm, s->cfg->irq);
    err = bus_claim_ports(d->vm, "ne2k_isa", s->cfg->iobase, DP8390_PORTS, &ops, s);
    return err != 0 ? err : dp8390_attach(&s->chip, d->vm, s->cfg, isa_set_irq, s);
}

static void isa_unrealize(struct device *d)
{
    dp8390_detach(&((struct ne2k_isa *)d)->chip);
}

static const struct field ne2k_isa_fields[] = {
    FIELDS_DEVICE(struct ne2k_isa),
    FIELD_SUB(struct ne2k_isa, chip, dp8390_fields),
    UNSAVED(struct ne2k_isa, cfg),
    UNSAVED(struct ne2k_isa, irq),
    FIELDS_END,
};

const struct device_class ne2k_isa_class = {
    .name = "ne2k_isa",
    .desc = "NE2000 Ethernet card for the ISA bus",
    .size = sizeof(struct ne2k_isa),
    .fields = ne2k_isa_fields,
    .realize = isa_realize,
    .reset = isa_reset,
    .unrealize = isa_unrealize,
    .loaded = isa_loaded,
};

/* -- PCI --------------------------------------------------------------------------------------- */

struct ne2k_pci {
    struct pci_device pci;
    struct dp8390 chip;
    const struct nic_config *cfg;
};

static void pci_set_irq(void *owner, bool level)
{
    struct ne2k_pci *s = owner;

    pci_set_intx(&s->pci, level);
}

static uint64_t pci_port_read(void *dev, uint32_t off, unsigned n)
{
    return dp8390_read(&((struct ne2k_pci *)dev)->chip, off, n);
}

static void pci_port_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    dp8390_write(&((struct ne2k_pci *)dev)->chip, off, n, val);
}

static void pci_reset(struct device *d)
{
    struct ne2k_pci *s = (struct ne2k_pci *)d;

    pci_device_reset(&s->pci);
    dp8390_power_on(&s->chip);
}

static void pci_loaded(struct device *d)
{
    struct ne2k_pci *s = (struct ne2k_pci *)d;

    pci_device_loaded(&s->pci);
    dp8390_loaded(&s->chip);
}

static int pci_realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x10ec, .device = 0x8029, .class_code = 0x0200, .irq_pin = 1};
    static const struct io_ops ops = {pci_port_read, pci_port_write, IO_8 | IO_16 | IO_32};
    struct ne2k_pci *s = (struct ne2k_pci *)d;
    int err;

    s->cfg = d->cfg;
    err = pci_register(&s->pci, nic_devfn(d->vm, s->cfg), &id);
    if (err != 0)
        return err;
    pci_add_io_bar(&s->pci, 0, DP8390_PORTS, &ops, s);
    err = dp8390_attach(&s->chip, d->vm, s->cfg, pci_set_irq, s);
    if (err != 0)
        pci_unregister(&s->pci);
    return err;
}

static void pci_unrealize(struct device *d)
{
    struct ne2k_pci *s = (struct ne2k_pci *)d;

    dp8390_detach(&s->chip);
    pci_unregister(&s->pci);
}

static const struct field ne2k_pci_fields[] = {
    FIELD_SUB(struct ne2k_pci, pci, pci_device_fields),
    FIELD_SUB(struct ne2k_pci, chip, dp8390_fields),
    UNSAVED(struct ne2k_pci, cfg),
    FIELDS_END,
};

const struct device_class ne2k_pci_class = {
    .name = "ne2k_pci",
    .desc = "Realtek RTL8029 Ethernet card (NE2000 for PCI)",
    .size = sizeof(struct ne2k_pci),
    .fields = ne2k_pci_fields,
    .realize = pci_realize,
    .reset = pci_reset,
    .unrealize = pci_unrealize,
    .loaded = pci_loaded,
};
