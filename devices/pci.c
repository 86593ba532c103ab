/* SPDX-License-Identifier: MIT */
/* PCI bus 0: configuration mechanism 1, base address registers, interrupt lines (PCI Local Bus
 * Specification 2.1, chapters 3.7.4 and 6; 82441FX data sheet 3.1, 3.2).
 *
 * CONFADD at CF8 takes 32-bit accesses only; narrower ones pass it by, as the byte at CF9 (reset
 * control) must. Where no function answers, and on buses other than 0, configuration reads give
 * ones. A BAR answers where its decode bit is set and the address lies in a range that the host
 * bridge gives to PCI: never over RAM, nor over the APICs and the firmware below 4 GiB. A BAR over
 * ports that another chip has stays unmapped until it is moved. Left out: bridges, 64-bit BARs,
 * master and target abort bits. */
#include "devices/pci.h"

#include <errno.h>
#include <string.h>

#include "vmm/vm.h"

#define CONFADD_ENABLE   UINT32_C(0x80000000)
#define CONFADD_WRITABLE UINT32_C(0x80fffffc)
#define PIRQS            4
#define HOLE_END         UINT64_C(0xfec00000) /* from the I/O APIC up nothing is PCI's */

struct pci_host {
    struct device dev;
    uint32_t confadd;
    struct pci_device *first;
    struct irq pirq[PIRQS];
    const struct io_ops *reset_ops;
    void *reset_dev;
};

static struct pci_host *host_of(struct vm *vm)
{
    return (struct pci_host *)device_find(vm, &pci_class, 0);
}

/* -- Interrupts -------------------------------------------------------------------------------- */

unsigned pci_pirq_of(unsigned slot, unsigned pin)
{
    return (slot + pin - 2) % PIRQS;
}

static bool drives(const struct pci_device *p)
{
    return p->intx && !(pci_get16(p, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
}

/* Each line is the wired OR of the pins on it. */
static void update_pirq(struct pci_host *h, unsigned line)
{
    bool level = false;

    for (const struct pci_device *p = h->first; p != NULL; p = p->next) {
        unsigned pin = p->config[PCI_IRQ_PIN];

        if (pin != 0 && pci_pirq_of(p->devfn >> 3, pin) == line)
            level |= drives(p);
    }
    irq_set(&h->pirq[line], level);
}

static void update_intx(struct pci_device *p)
{
    struct pci_host *h = host_of(p->dev.vm);
    uint16_t status = pci_get16(p, PCI_STATUS) & (uint16_t)~PCI_STATUS_INTX;

    pci_put16(p, PCI_STATUS, p->intx ? status | PCI_STATUS_INTX : status);
    if (h != NULL && p->config[PCI_IRQ_PIN] != 0)
        update_pirq(h, pci_pirq_of(p->devfn >> 3, p->config[PCI_IRQ_PIN]));
}

void pci_set_intx(struct pci_device *p, bool level)
{
    if (p->intx == level)
        return;
    p->intx = level;
    update_intx(p);
}

void pci_connect_pirq(struct vm *vm, unsigned n, struct irq out)
{
    struct pci_host *h = host_of(vm);

    if (h == NULL || n >= PIRQS)
        return;
    h->pirq[n] = out;
    update_pirq(h, n);
}

/* -- Base addresses ---------------------------------------------------------------------------- */

static unsigned bar_register(unsigned n)
{
    return n == PCI_ROM_BAR ? PCI_ROM : PCI_BAR0 + 4 * n;
}

static bool is_io(const struct pci_bar *b)
{
    return b->kind == PCI_BAR_IO;
}

/* Where the registers say that the BAR is. */
static uint64_t bar_address(const struct pci_device *p, unsigned n)
{
    const struct pci_bar *b = &p->bar[n];
    uint16_t command = pci_get16(p, PCI_COMMAND);
    uint32_t val = pci_get32(p, bar_register(n));
    uint64_t base = val & ~(b->size - 1);

    if (base == 0 || !(command & (is_io(b) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return MEM_UNMAPPED;
    if (n == PCI_ROM_BAR && !(val & 1))
        return MEM_UNMAPPED;
    if (is_io(b))
        return base + b->size <= 0x10000 ? base : MEM_UNMAPPED;
    if (base < mem_below_4g(p->dev.vm) || base + b->size > HOLE_END)
        return MEM_UNMAPPED;
    return base;
}

static void bar_unmap(struct pci_device *p, struct pci_bar *b)
{
    if (b->at == MEM_UNMAPPED)
        return;
    if (is_io(b))
        bus_release_ports(p->dev.vm, (uint16_t)b->at, b->opaque);
    else
        mem_map(p->dev.vm, &b->region, MEM_UNMAPPED);
    b->at = MEM_UNMAPPED;
}

static void bar_map(struct pci_device *p, struct pci_bar *b, uint64_t at)
{
    struct vm *vm = p->dev.vm;
    int err = is_io(b) ? bus_claim_ports(vm, p->dev.cls->name, (uint16_t)at, (uint16_t)b->size,
                                         b->ops, b->opaque)
                       : mem_map(vm, &b->region, at);

    if (err == 0)
        b->at = at;
    else
        vm_log(vm, LOG_GUEST_ERROR, "pci %02x.%x: BAR at %llx: %s", p->devfn >> 3, p->devfn & 7,
               (unsigned long long)at, vm_error(vm));
}

/* Unmapping goes first over the whole bus, as one function may take the place of another. */
static void update_bars(struct pci_host *h)
{
    for (struct pci_device *p = h->first; p != NULL; p = p->next) {
        for (unsigned n = 0; n < PCI_BARS; n++) {
            if (p->bar[n].kind != PCI_BAR_NONE && p->bar[n].at != bar_address(p, n))
                bar_unmap(p, &p->bar[n]);
        }
    }
    for (struct pci_device *p = h->first; p != NULL; p = p->next) {
        for (unsigned n = 0; n < PCI_BARS; n++) {
            struct pci_bar *b = &p->bar[n];
            uint64_t at = b->kind != PCI_BAR_NONE ? bar_address(p, n) : MEM_UNMAPPED;

            if (at != b->at)
                bar_map(p, b, at);
        }
    }
}

static void add_bar(struct pci_device *p, unsigned n, enum pci_bar_kind kind, uint64_t size)
{
    unsigned reg = bar_register(n);
    uint32_t mask = ~(uint32_t)(size - 1);

    p->bar[n].kind = (uint8_t)kind;
    p->bar[n].size = size;
    p->bar[n].at = MEM_UNMAPPED;
    pci_put32(p, reg, kind == PCI_BAR_IO ? 1 : kind == PCI_BAR_PREFETCH ? 8 : 0);
    if (n == PCI_ROM_BAR) {
        pci_put32(p, reg, 0);
        mask |= 1;
    }
    for (unsigned k = 0; k < 4; k++)
        p->wmask[reg + k] = (uint8_t)(mask >> (8 * k));
}

void pci_add_io_bar(struct pci_device *p, unsigned n, uint32_t size, const struct io_ops *ops,
                    void *opaque)
{
    add_bar(p, n, PCI_BAR_IO, size);
    p->bar[n].ops = ops;
    p->bar[n].opaque = opaque;
}

void pci_add_mem_bar(struct pci_device *p, unsigned n, enum pci_bar_kind kind,
                     const struct region *r)
{
    add_bar(p, n, kind, r->size);
    p->bar[n].region = *r;
    p->bar[n].region.base = MEM_UNMAPPED;
    p->bar[n].region.next = NULL;
}

/* -- Functions --------------------------------------------------------------------------------- */

static struct pci_device *function_at(struct pci_host *h, uint8_t devfn)
{
    struct pci_device *p = h->first;

    while (p != NULL && p->devfn != devfn)
        p = p->next;
    return p;
}

static void init_header(struct pci_device *p, const struct pci_ident *id)
{
    pci_put16(p, PCI_VENDOR_ID, id->vendor);
    pci_put16(p, PCI_DEVICE_ID, id->device);
    p->config[PCI_REVISION] = id->revision;
    p->config[PCI_PROG_IF] = id->prog_if;
    pci_put16(p, PCI_CLASS, id->class_code);
    p->config[PCI_HEADER_TYPE] = id->header_type;
    p->config[PCI_IRQ_PIN] = id->irq_pin;
    pci_put16(p, PCI_SUBSYSTEM_VID, 0x1af4);
    pci_put16(p, PCI_SUBSYSTEM_ID, 0x1100);
    p->wmask[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    p->wmask[PCI_COMMAND + 1] = (PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_SERR) >> 8;
    p->w1c[PCI_STATUS + 1] = 0xf9; /* errors and aborts */
    p->wmask[PCI_CACHE_LINE] = 0xff;
    p->wmask[PCI_IRQ_LINE] = 0xff;
    memset(p->wmask + 0x40, 0xff, PCI_CONFIG_SIZE - 0x40);
}

int pci_register(struct pci_device *p, uint8_t devfn, const struct pci_ident *id)
{
    struct pci_host *h = host_of(p->dev.vm);

    if (h == NULL)
        return vm_fail(p->dev.vm, -ENODEV, "%s: the machine has no PCI bus", p->dev.cls->name);
    if (function_at(h, devfn) != NULL)
        return vm_fail(p->dev.vm, -EBUSY, "%s: PCI slot %u.%u is taken", p->dev.cls->name,
                       devfn >> 3, devfn & 7);
    p->devfn = devfn;
    for (unsigned n = 0; n < PCI_BARS; n++)
        p->bar[n].at = MEM_UNMAPPED;
    init_header(p, id);
    p->next = h->first;
    h->first = p;
    return 0;
}

void pci_unregister(struct pci_device *p)
{
    struct pci_host *h = host_of(p->dev.vm);

    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (p->bar[n].kind != PCI_BAR_NONE)
            bar_unmap(p, &p->bar[n]);
    }
    if (h == NULL)
        return;
    for (struct pci_device **at = &h->first; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    pci_set_intx(p, false);
}

void pci_device_reset(struct pci_device *p)
{
    struct pci_host *h = host_of(p->dev.vm);

    pci_put16(p, PCI_COMMAND, 0);
    p->config[PCI_STATUS + 1] &= (uint8_t)~p->w1c[PCI_STATUS + 1];
    p->config[PCI_CACHE_LINE] = 0;
    p->config[PCI_IRQ_LINE] = 0;
    for (unsigned n = 0; n < PCI_BARS; n++) {
        unsigned reg = bar_register(n);

        if (p->bar[n].kind != PCI_BAR_NONE)
            pci_put32(p, reg, n == PCI_ROM_BAR ? 0 : pci_get32(p, reg) & 0xf);
    }
    p->intx = false;
    update_intx(p);
    if (h != NULL)
        update_bars(h);
}

void pci_device_loaded(struct pci_device *p)
{
    struct pci_host *h = host_of(p->dev.vm);

    update_intx(p);
    if (h != NULL)
        update_bars(h);
}

/* -- Configuration space ----------------------------------------------------------------------- */

static uint32_t ones(unsigned n)
{
    return UINT32_MAX >> (32 - 8 * n);
}

uint32_t pci_config_read(struct vm *vm, uint8_t devfn, unsigned off, unsigned n)
{
    struct pci_host *h = host_of(vm);
    const struct pci_device *p = h != NULL ? function_at(h, devfn) : NULL;
    uint32_t val = 0;

    if (p == NULL || off + n > PCI_CONFIG_SIZE)
        return ones(n);
    for (unsigned k = 0; k < n; k++)
        val |= (uint32_t)p->config[off + k] << (8 * k);
    return val;
}

void pci_config_write(struct vm *vm, uint8_t devfn, unsigned off, unsigned n, uint32_t val)
{
    struct pci_host *h = host_of(vm);
    struct pci_device *p = h != NULL ? function_at(h, devfn) : NULL;

    if (p == NULL || off + n > PCI_CONFIG_SIZE)
        return;
    for (unsigned k = 0; k < n; k++) {
        uint8_t byte = (uint8_t)(val >> (8 * k)), mask = p->wmask[off + k];
        uint8_t *reg = &p->config[off + k];

        *reg = (uint8_t)((*reg & ~mask) | (byte & mask));
        *reg &= (uint8_t) ~(byte & p->w1c[off + k]);
    }
    if (off < PCI_COMMAND + 2 && off + n > PCI_COMMAND)
        update_intx(p);
    if (off < PCI_ROM + 4)
        update_bars(h);
    if (p->written != NULL)
        p->written(p, off, n);
}

/* The function and register that CONFADD selects; false: none on this bus. */
static bool selected(const struct pci_host *h, uint8_t *devfn, unsigned *reg)
{
    *devfn = (uint8_t)(h->confadd >> 8);
    *reg = h->confadd & 0xfc;
    return (h->confadd & CONFADD_ENABLE) && (h->confadd >> 16 & 0xff) == 0;
}

static uint64_t data_read(struct pci_host *h, unsigned off, unsigned n)
{
    uint8_t devfn;
    unsigned reg;

    if (!selected(h, &devfn, &reg))
        return ones(n);
    return pci_config_read(h->dev.vm, devfn, reg + off, n);
}

static void data_write(struct pci_host *h, unsigned off, unsigned n, uint64_t val)
{
    uint8_t devfn;
    unsigned reg;

    if (selected(h, &devfn, &reg))
        pci_config_write(h->dev.vm, devfn, reg + off, n, (uint32_t)val);
}

static uint64_t port_read(void *dev, uint32_t off, unsigned n)
{
    struct pci_host *h = dev;

    if (off >= 4)
        return data_read(h, off - 4, n);
    if (off == 0 && n == 4)
        return h->confadd;
    if (off == 1 && n == 1 && h->reset_ops != NULL)
        return h->reset_ops->read(h->reset_dev, 0, 1);
    return ones(n);
}

static void port_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct pci_host *h = dev;

    if (off >= 4)
        data_write(h, off - 4, n, val);
    else if (off == 0 && n == 4)
        h->confadd = (uint32_t)val & CONFADD_WRITABLE;
    else if (off == 1 && n == 1 && h->reset_ops != NULL)
        h->reset_ops->write(h->reset_dev, 0, 1, val);
}

void pci_connect_reset_control(struct vm *vm, const struct io_ops *ops, void *dev)
{
    struct pci_host *h = host_of(vm);

    if (h == NULL)
        return;
    h->reset_ops = ops;
    h->reset_dev = dev;
}

/* -- The bus ----------------------------------------------------------------------------------- */

static void reset(struct device *d)
{
    ((struct pci_host *)d)->confadd = 0;
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {port_read, port_write, IO_8 | IO_16 | IO_32};

    return bus_claim_ports(d->vm, "pci", 0xcf8, 8, &ops, d);
}

static const struct field pci_host_fields[] = {
    FIELDS_DEVICE(struct pci_host),
    FIELD(struct pci_host, confadd),
    UNSAVED(struct pci_host, first),
    UNSAVED(struct pci_host, pirq),
    UNSAVED(struct pci_host, reset_ops),
    UNSAVED(struct pci_host, reset_dev),
    FIELDS_END,
};

const struct field pci_device_fields[] = {
    FIELDS_DEVICE(struct pci_device),    UNSAVED(struct pci_device, next),
    UNSAVED(struct pci_device, bar),     UNSAVED(struct pci_device, devfn),
    FIELD(struct pci_device, intx),      FIELD_ARRAY(struct pci_device, config),
    UNSAVED(struct pci_device, wmask),   UNSAVED(struct pci_device, w1c),
    UNSAVED(struct pci_device, written), FIELDS_END,
};

const struct device_class pci_class = {
    .name = "pci",
    .desc = "PCI bus 0",
    .size = sizeof(struct pci_host),
    .fields = pci_host_fields,
    .realize = realize,
    .reset = reset,
};
