/* SPDX-License-Identifier: MIT */
/* The table of the MultiProcessor Specification 1.4 (chapter 4), for guests that use the APICs
 * without ACPI: processors, buses, the I/O APIC and what its inputs and the local ones are
 * connected to. PCI interrupts are listed as firmware has routed them; their ISA lines are not
 * listed besides. */
#include "devices/mptable.h"

#include "devices/acpi_pm.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/pci.h"
#include "devices/post.h"
#include "vmm/vm.h"

#define BUS_PCI      0
#define BUS_ISA      1
#define IOAPIC_ID    0
#define IOAPIC_VER   0x20
#define LAPIC_VER    0x14
#define CPU_FAMILY6  0x600
#define CPU_FPU_APIC 0x201

enum entry { ENTRY_CPU, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_INTERRUPT, ENTRY_LOCAL };
enum kind { KIND_INT, KIND_NMI, KIND_SMI, KIND_EXTINT };

struct table {
    struct vm *vm;
    struct blob *b;
    uint16_t entries;
    uint16_t pci_lines; /* set of ISA lines that PCI interrupts use */
};

static void processors(struct table *t)
{
    for (unsigned n = 0; n < vm_config(t->vm)->cpus; n++) {
        blob_u8(t->b, ENTRY_CPU);
        blob_u8(t->b, (uint8_t)n);
        blob_u8(t->b, LAPIC_VER);
        blob_u8(t->b, n == 0 ? 3 : 1); /* enabled, the first one starts the others */
        blob_u32(t->b, CPU_FAMILY6);
        blob_u32(t->b, CPU_FPU_APIC);
        blob_zero(t->b, 8);
        t->entries++;
    }
}

static void bus(struct table *t, uint8_t id, const char *type)
{
    blob_u8(t->b, ENTRY_BUS);
    blob_u8(t->b, id);
    blob_text(t->b, type, 6, ' ');
    t->entries++;
}

static void ioapic(struct table *t)
{
    blob_u8(t->b, ENTRY_IOAPIC);
    blob_u8(t->b, IOAPIC_ID);
    blob_u8(t->b, IOAPIC_VER);
    blob_u8(t->b, 1); /* usable */
    blob_u32(t->b, (uint32_t)IOAPIC_BASE);
    t->entries++;
}

/* Polarity and trigger mode are those of the bus. */
static void interrupt(struct table *t, uint8_t source_bus, uint8_t source, uint8_t input)
{
    blob_u8(t->b, ENTRY_INTERRUPT);
    blob_u8(t->b, KIND_INT);
    blob_u16(t->b, 0);
    blob_u8(t->b, source_bus);
    blob_u8(t->b, source);
    blob_u8(t->b, IOAPIC_ID);
    blob_u8(t->b, input);
    t->entries++;
}

static void local(struct table *t, enum kind kind, uint8_t lint)
{
    blob_u8(t->b, ENTRY_LOCAL);
    blob_u8(t->b, (uint8_t)kind);
    blob_u16(t->b, 0);
    blob_u8(t->b, BUS_ISA);
    blob_u8(t->b, 0);
    blob_u8(t->b, 0xff); /* every processor */
    blob_u8(t->b, lint);
    t->entries++;
}

static void pci_interrupts(struct table *t)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        uint8_t slot = (uint8_t)(devfn >> 3);
        unsigned pin = pci_config_read(t->vm, (uint8_t)devfn, PCI_IRQ_PIN, 1), route;

        if (pin < 1 || pin > 4)
            continue;
        route = devfn == ACPI_PM_DEVFN ? ACPI_PM_SCI : firmware_pci_routes[pci_pirq_of(slot, pin)];
        interrupt(t, BUS_PCI, (uint8_t)(slot << 2 | (pin - 1)), (uint8_t)route);
        t->pci_lines |= (uint16_t)(1u << route);
    }
}

static void isa_interrupts(struct table *t)
{
    for (uint8_t n = 0; n < 16; n++) {
        if (n != 2 && !(t->pci_lines >> n & 1))
            interrupt(t, BUS_ISA, n, n == 0 ? 2 : n);
    }
}

static void config_table(struct table *t)
{
    struct blob *b = t->b;
    size_t at = b->len, entries_at;
    uint16_t len;

    blob_text(b, "PCMP", 4, 0);
    blob_u16(b, 0); /* length */
    blob_u8(b, 4);  /* specification 1.4 */
    blob_u8(b, 0);
    blob_text(b, "CALQUE", 8, ' ');
    blob_text(b, "PC", 12, ' ');
    blob_u32(b, 0);
    blob_u16(b, 0);
    entries_at = b->len;
    blob_u16(b, 0);
    blob_u32(b, (uint32_t)LAPIC_BASE);
    blob_u32(b, 0); /* no extended table */
    processors(t);
    bus(t, BUS_PCI, "PCI");
    bus(t, BUS_ISA, "ISA");
    ioapic(t);
    pci_interrupts(t);
    isa_interrupts(t);
    local(t, KIND_EXTINT, 0);
    local(t, KIND_NMI, 1);
    len = (uint16_t)(b->len - at);
    blob_patch(b, at + 4, &len, 2);
    blob_patch(b, entries_at, &t->entries, 2);
    blob_checksum(b, at, len, at + 7);
}

void mptable_build(struct vm *vm, uint32_t base, struct blob *b)
{
    struct table t = {.vm = vm, .b = b};
    size_t at;

    blob_align(b, 16);
    at = b->len;
    blob_text(b, "_MP_", 4, 0);
    blob_u32(b, base + (uint32_t)at + 16);
    blob_u8(b, 1); /* 16 bytes */
    blob_u8(b, 4);
    blob_u8(b, 0);
    blob_zero(b, 5); /* there is a table; virtual wire mode */
    blob_checksum(b, at, 16, at + 10);
    config_table(&t);
}
