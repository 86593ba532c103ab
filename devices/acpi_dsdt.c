/* SPDX-License-Identifier: MIT */
/* The DSDT: what a guest cannot find by probing (ACPI 6.4, chapters 5 and 6). Sleep states S3 and
 * S5, the PCI root with its windows, interrupt links over the PIIX3's route control registers, the
 * ISA devices. The term that each function writes stands above it as ASL. */
#include "devices/acpi_pm.h"
#include "devices/acpi_tables.h"
#include "devices/aml.h"
#include "devices/hpet.h"
#include "devices/parallel.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/rtc.h"
#include "vmm/vm.h"

#define SLOTS 32
#define PINS  4

static const char *const link_names[PINS] = {"LNKA", "LNKB", "LNKC", "LNKD"};
static const char *const pirq_names[PINS] = {"PRQ0", "PRQ1", "PRQ2", "PRQ3"};

/* Name (_Sx, Package () {type, type, 0, 0}): values for PM1a and PM1b */
static void sleep_state(struct blob *b, const char *name, unsigned type)
{
    size_t pkg;

    aml_name(b, name);
    pkg = aml_package(b, 4);
    aml_int(b, type);
    aml_int(b, type);
    aml_int(b, 0);
    aml_int(b, 0);
    aml_end(b, pkg);
}

/* Name (_CRS, ResourceTemplate () {windows}); the gap in the ports is the GPE block's */
static void root_windows(struct vm *vm, struct blob *b)
{
    struct aml_template t;

    aml_name(b, "_CRS");
    t = aml_template(b);
    aml_res_window_bus(b, 0, 0xff);
    aml_res_io(b, 0xcf8, 8);
    aml_res_window_io(b, 0, 0xcf7);
    aml_res_window_io(b, 0xd00, ACPI_PM_GPE - 1);
    aml_res_window_io(b, ACPI_PM_GPE + ACPI_PM_GPE_LEN, 0xffff);
    aml_res_window_memory(b, 0xa0000, 0xbffff, true);
    aml_res_window_memory(b, (uint32_t)mem_below_4g(vm), 0xfebfffff, false);
    aml_template_end(b, &t);
}

/* Name (_PRT, Package () {Package () {slot << 16 | 0xffff, pin, LNKx, 0}, ...}); the power
 * management function's pin is hard-wired to the SCI */
static void routing_table(struct blob *b)
{
    size_t table;

    aml_name(b, "_PRT");
    table = aml_package(b, SLOTS * PINS);
    for (unsigned k = 0; k < SLOTS * PINS; k++) {
        unsigned slot = k / PINS, pin = k % PINS;
        bool is_pm = slot == ACPI_PM_DEVFN >> 3 && pin == 0;
        size_t entry = aml_package(b, 4);

        aml_int(b, slot << 16 | 0xffff);
        aml_int(b, pin);
        aml_path(b, is_pm ? "LNKS" : link_names[pci_pirq_of(slot, pin + 1)]);
        aml_int(b, 0);
        aml_end(b, entry);
    }
    aml_end(b, table);
}

/* -- ISA devices ------------------------------------------------------------------------------- */

struct isa_row {
    const char *name, *hid;
    unsigned uid;
    struct {
        uint16_t first;
        uint8_t len;
    } io[2];
    int irq; /* -1: none */
    int dma; /* as irq */
};

/* Device (name) {_HID, _UID, _STA, _CRS} */
static void isa_device(struct blob *b, const struct isa_row *row)
{
    size_t dev = aml_device(b, row->name);
    struct aml_template t;

    aml_name_eisaid(b, "_HID", row->hid);
    aml_name_int(b, "_UID", row->uid);
    aml_name_int(b, "_STA", 0x0f);
    aml_name(b, "_CRS");
    t = aml_template(b);
    for (unsigned k = 0; k < 2; k++) {
        if (row->io[k].len != 0)
            aml_res_io(b, row->io[k].first, row->io[k].len);
    }
    if (row->irq >= 0)
        aml_res_irq(b, (unsigned)row->irq);
    if (row->dma >= 0)
        aml_res_dma(b, (unsigned)row->dma);
    aml_template_end(b, &t);
    aml_end(b, dev);
}

static void isa_bus(struct vm *vm, struct blob *b)
{
    static const struct isa_row fixed[] = {
        {"KBD", "PNP0303", 0, {{0x60, 1}, {0x64, 1}}, 1, -1},
        {"MOU", "PNP0F13", 0, {{0, 0}, {0, 0}}, 12, -1},
        {"RTC", "PNP0B00", 0, {{0x70, 2}, {0, 0}}, 8, -1},
        {"GPE", "PNP0C02", 0, {{ACPI_PM_GPE, ACPI_PM_GPE_LEN}, {0x4d0, 2}}, -1, -1},
    };
    static const struct isa_row com[VM_SERIAL_PORTS] = {
        {"COM1", "PNP0501", 1, {{0x3f8, 8}, {0, 0}}, 4, -1},
        {"COM2", "PNP0501", 2, {{0x2f8, 8}, {0, 0}}, 3, -1},
        {"COM3", "PNP0501", 3, {{0x3e8, 8}, {0, 0}}, 4, -1},
        {"COM4", "PNP0501", 4, {{0x2e8, 8}, {0, 0}}, 3, -1},
    };
    static const struct isa_row lpt = {"LPT1", "PNP0400", 1, {{PARALLEL_BASE, 3}, {0, 0}}, 7, -1};
    static const struct isa_row fdc = {"FDC0", "PNP0700", 0, {{0x3f2, 4}, {0x3f7, 1}}, 6, 2};
    size_t isa = aml_device(b, "ISA");

    aml_name_int(b, "_ADR", PIIX3_DEVFN >> 3 << 16);
    aml_region(b, "P40C", AML_PCI_CONFIG, PIIX3_PIRQRC, PINS);
    for (unsigned k = 0; k < sizeof(fixed) / sizeof(fixed[0]); k++)
        isa_device(b, &fixed[k]);
    for (unsigned k = 0; k < VM_SERIAL_PORTS; k++) {
        if (vm_config(vm)->serial[k] != NULL)
            isa_device(b, &com[k]);
    }
    if (vm_config(vm)->parallel != NULL)
        isa_device(b, &lpt);
    if (rtc_cmos(vm, RTC_EQUIPMENT) & 1)
        isa_device(b, &fdc);
    aml_end(b, isa);
}

static void pci_root(struct vm *vm, struct blob *b)
{
    size_t root = aml_device(b, "PCI0");

    aml_name_eisaid(b, "_HID", "PNP0A03");
    aml_name_int(b, "_UID", 0);
    aml_name_int(b, "_BBN", 0);
    root_windows(vm, b);
    routing_table(b);
    isa_bus(vm, b);
    aml_end(b, root);
}

/* -- Interrupt links --------------------------------------------------------------------------- */

static void interrupts(struct blob *b, const uint32_t *irqs, uint8_t n)
{
    struct aml_template t = aml_template(b);

    aml_res_interrupts(b, irqs, n);
    aml_template_end(b, &t);
}

/* Method (_STA) {If (PRQx < 0x80) {Return (0x0b)} Return (0x09)}: bit 7 switches a route off */
static void link_status(struct blob *b, const char *pirq)
{
    size_t method = aml_method(b, "_STA", 0), test = aml_if(b);

    aml_op(b, AML_LLESS);
    aml_path(b, pirq);
    aml_int(b, 0x80);
    aml_op(b, AML_RETURN);
    aml_int(b, 0x0b);
    aml_end(b, test);
    aml_op(b, AML_RETURN);
    aml_int(b, 0x09);
    aml_end(b, method);
}

/* Method (_CRS) {
 *     Name (PRR0, ResourceTemplate () {Interrupt () {0}})
 *     CreateDWordField (PRR0, 5, PRRI)
 *     If (PRQx < 0x80) {Store (PRQx, PRRI)}
 *     Return (PRR0)} */
static void link_current(struct blob *b, const char *pirq)
{
    static const uint32_t none = 0;
    size_t method = aml_method(b, "_CRS", 0), test;

    aml_name(b, "PRR0");
    interrupts(b, &none, 1);
    aml_op(b, AML_CREATE_DWORD_FIELD);
    aml_path(b, "PRR0");
    aml_int(b, 5);
    aml_path(b, "PRRI");
    test = aml_if(b);
    aml_op(b, AML_LLESS);
    aml_path(b, pirq);
    aml_int(b, 0x80);
    aml_op(b, AML_STORE);
    aml_path(b, pirq);
    aml_path(b, "PRRI");
    aml_end(b, test);
    aml_op(b, AML_RETURN);
    aml_path(b, "PRR0");
    aml_end(b, method);
}

/* Method (_DIS) {Or (PRQx, 0x80, PRQx)}
 * Method (_SRS, 1) {CreateDWordField (Arg0, 5, PRRI) Store (PRRI, PRQx)} */
static void link_change(struct blob *b, const char *pirq)
{
    size_t method = aml_method(b, "_DIS", 0);

    aml_op(b, AML_OR);
    aml_path(b, pirq);
    aml_int(b, 0x80);
    aml_path(b, pirq);
    aml_end(b, method);

    method = aml_method(b, "_SRS", 1);
    aml_op(b, AML_CREATE_DWORD_FIELD);
    aml_op(b, AML_ARG0);
    aml_int(b, 5);
    aml_path(b, "PRRI");
    aml_op(b, AML_STORE);
    aml_path(b, "PRRI");
    aml_path(b, pirq);
    aml_end(b, method);
}

static void link_device(struct blob *b, unsigned n)
{
    static const uint32_t possible[] = {5, 10, 11};
    size_t dev = aml_device(b, link_names[n]);

    aml_name_eisaid(b, "_HID", "PNP0C0F");
    aml_name_int(b, "_UID", n + 1);
    aml_name(b, "_PRS");
    interrupts(b, possible, sizeof(possible) / sizeof(possible[0]));
    link_status(b, pirq_names[n]);
    link_current(b, pirq_names[n]);
    link_change(b, pirq_names[n]);
    aml_end(b, dev);
}

/* The SCI's link cannot be moved. */
static void sci_link(struct blob *b)
{
    static const uint32_t sci = ACPI_PM_SCI;
    size_t dev = aml_device(b, "LNKS");

    aml_name_eisaid(b, "_HID", "PNP0C0F");
    aml_name_int(b, "_UID", PINS + 1);
    aml_name_int(b, "_STA", 0x0b);
    aml_name(b, "_PRS");
    interrupts(b, &sci, 1);
    aml_name(b, "_CRS");
    interrupts(b, &sci, 1);
    aml_end(b, aml_method(b, "_DIS", 0));
    aml_end(b, aml_method(b, "_SRS", 1));
    aml_end(b, dev);
}

/* -- The rest ---------------------------------------------------------------------------------- */

static void hpet_device(struct vm *vm, struct blob *b)
{
    struct aml_template t;
    size_t dev;

    if (device_find(vm, &hpet_class, 0) == NULL)
        return;
    dev = aml_device(b, "HPET");
    aml_name_eisaid(b, "_HID", "PNP0103");
    aml_name_int(b, "_UID", 0);
    aml_name(b, "_CRS");
    t = aml_template(b);
    aml_res_memory(b, HPET_BASE, HPET_SIZE, false);
    aml_template_end(b, &t);
    aml_end(b, dev);
}

static void processors(struct vm *vm, struct blob *b)
{
    for (unsigned n = 0; n < vm_config(vm)->cpus && n < 16; n++) {
        char name[5] = {'C', '0', '0', "0123456789ABCDEF"[n], 0};
        size_t dev = aml_device(b, name);

        aml_name(b, "_HID");
        aml_string(b, "ACPI0007");
        aml_name_int(b, "_UID", n);
        aml_end(b, dev);
    }
}

void acpi_dsdt_build(struct vm *vm, struct blob *b)
{
    size_t scope;

    sleep_state(b, "\\_S3", ACPI_PM_SLP_S3);
    sleep_state(b, "\\_S5", ACPI_PM_SLP_S5);
    scope = aml_scope(b, "\\_SB");
    processors(vm, b);
    pci_root(vm, b);
    aml_byte_fields(b, "PCI0.ISA.P40C", pirq_names, PINS);
    for (unsigned n = 0; n < PINS; n++)
        link_device(b, n);
    sci_link(b);
    hpet_device(vm, b);
    aml_end(b, scope);
}
