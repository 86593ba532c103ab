/* SPDX-License-Identifier: MIT */
/* The PCI bus as its devices see it. A function is a struct that begins with struct pci_device; its
 * configuration space is data (values, writable bits, write-one-to-clear bits), so that reads need
 * no code and writes only a hook for what has effects. */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/mem.h"

#define PCI_CONFIG_SIZE     256
#define PCI_BARS            7 /* six base addresses and, as the last, the expansion ROM */
#define PCI_ROM_BAR         6
#define PCI_DEVFN(slot, fn) ((slot) << 3 | (fn))

/* Registers of the header (PCI Local Bus Specification 2.1, 6.1). */
#define PCI_VENDOR_ID     0x00
#define PCI_DEVICE_ID     0x02
#define PCI_COMMAND       0x04
#define PCI_STATUS        0x06
#define PCI_REVISION      0x08
#define PCI_PROG_IF       0x09
#define PCI_CLASS         0x0a
#define PCI_CACHE_LINE    0x0c
#define PCI_LATENCY       0x0d
#define PCI_HEADER_TYPE   0x0e
#define PCI_BAR0          0x10
#define PCI_SUBSYSTEM_VID 0x2c
#define PCI_SUBSYSTEM_ID  0x2e
#define PCI_ROM           0x30
#define PCI_IRQ_LINE      0x3c
#define PCI_IRQ_PIN       0x3d

#define PCI_COMMAND_IO           0x0001
#define PCI_COMMAND_MEMORY       0x0002
#define PCI_COMMAND_MASTER       0x0004
#define PCI_COMMAND_SERR         0x0100
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_STATUS_INTX          0x0008
#define PCI_STATUS_MEDIUM        0x0200 /* DEVSEL timing */
#define PCI_HEADER_MULTI         0x80

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM, PCI_BAR_PREFETCH };

struct pci_bar {
    uint8_t kind;             /* enum pci_bar_kind */
    uint64_t size;            /* power of two */
    const struct io_ops *ops; /* ports */
    void *opaque;             /* ports: passed to ops */
    struct region region;     /* memory */
    uint64_t at;              /* where it answers now; MEM_UNMAPPED: nowhere */
};

struct pci_device {
    struct device dev;
    struct pci_device *next; /* on the bus */
    struct pci_bar bar[PCI_BARS];
    uint8_t devfn;
    bool intx; /* the device drives its interrupt pin */
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t wmask[PCI_CONFIG_SIZE]; /* bits that the guest may write */
    uint8_t w1c[PCI_CONFIG_SIZE];   /* bits that are cleared by writing ones */
    /* After a write of n bytes at off; NULL where the values have no effect. */
    void (*written)(struct pci_device *p, unsigned off, unsigned n);
};

/* The table of struct pci_device itself, for FIELD_SUB(struct x, pci, pci_device_fields). */
extern const struct field pci_device_fields[];

struct pci_ident {
    uint16_t vendor, device, class_code; /* base class and subclass */
    uint8_t prog_if, revision, header_type;
    uint8_t irq_pin; /* 0: none, 1: INTA# .. 4: INTD# */
};

extern const struct device_class pci_class;

/* Put a function on bus 0: fills in the header. In realize, before its BARs. 0, or -EBUSY, -ENODEV.
 */
int pci_register(struct pci_device *p, uint8_t devfn, const struct pci_ident *id);
/* Take it off again, its BARs unmapped. */
void pci_unregister(struct pci_device *p);

/* Declare BAR n: `size` ports, a power of two, or memory described by *r (name, size, kind and what
 * it holds; copied). The guest maps and moves it. */
void pci_add_io_bar(struct pci_device *p, unsigned n, uint32_t size, const struct io_ops *ops,
                    void *opaque);
void pci_add_mem_bar(struct pci_device *p, unsigned n, enum pci_bar_kind kind,
                     const struct region *r);

/* RST#: command, BARs, interrupt line and pin as after power-on; the device sets the rest. */
void pci_device_reset(struct pci_device *p);
/* For the device's `loaded`: map BARs and drive the interrupt as the loaded registers say. */
void pci_device_loaded(struct pci_device *p);

/* Drive the function's interrupt pin. */
void pci_set_intx(struct pci_device *p, bool level);

static inline uint16_t pci_get16(const struct pci_device *p, unsigned off)
{
    return (uint16_t)(p->config[off] | p->config[off + 1] << 8);
}

static inline uint32_t pci_get32(const struct pci_device *p, unsigned off)
{
    return pci_get16(p, off) | (uint32_t)pci_get16(p, off + 2) << 16;
}

static inline void pci_put16(struct pci_device *p, unsigned off, uint16_t val)
{
    p->config[off] = (uint8_t)val;
    p->config[off + 1] = (uint8_t)(val >> 8);
}

static inline void pci_put32(struct pci_device *p, unsigned off, uint32_t val)
{
    pci_put16(p, off, (uint16_t)val);
    pci_put16(p, off + 2, (uint16_t)(val >> 16));
}

/* Configuration cycles as the processor makes them: bus 0, n = 1, 2 or 4 bytes inside the space.
 * Machine lock held. */
uint32_t pci_config_read(struct vm *vm, uint8_t devfn, unsigned off, unsigned n);
void pci_config_write(struct vm *vm, uint8_t devfn, unsigned off, unsigned n, uint32_t val);

/* Where the bus's interrupt lines PIRQA-D (0..3) go. */
void pci_connect_pirq(struct vm *vm, unsigned n, struct irq out);

/* PIRQ line (0..3) of a slot's pin (1..4): the board swizzles them by slot. */
unsigned pci_pirq_of(unsigned slot, unsigned pin);

/* Port CF9 lies inside the bus's own ports: byte accesses there go to its owner. */
void pci_connect_reset_control(struct vm *vm, const struct io_ops *ops, void *dev);

#endif
