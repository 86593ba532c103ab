/* SPDX-License-Identifier: MIT */
/* The fixed ACPI tables (ACPI 6.4, chapter 5.2): RSDP, FACS, DSDT, FADT of version 3, MADT, HPET,
 * RSDT and XSDT, one after the other in one piece. */
#include "devices/acpi_tables.h"

#include <errno.h>

#include "devices/acpi_pm.h"
#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "vmm/vm.h"

#define HEADER      36
#define MAX_TABLES  8
#define RESET_PORT  0xcf9
#define RESET_VALUE 0x0f

/* FADT flags. */
#define FADT_WBINVD     0x0001u
#define FADT_PROC_C1    0x0004u
#define FADT_SLP_BUTTON 0x0020u /* none in the fixed registers */
#define FADT_RESET_REG  0x0400u
#define FADT_PM_TIMER   0x8000u /* the timer to trust */

struct tables {
    struct blob *b;
    struct acpi_fixups *fix;
    uint32_t base;
    uint32_t table[MAX_TABLES]; /* addresses for the RSDT */
    unsigned n;
};

/* -- Headers ----------------------------------------------------------------------------------- */

static size_t open_table(struct blob *b, const char *signature, uint8_t revision)
{
    size_t at;

    blob_align(b, 16);
    at = b->len;
    blob_text(b, signature, 4, 0);
    blob_u32(b, 0); /* length */
    blob_u8(b, revision);
    blob_u8(b, 0); /* checksum */
    blob_text(b, "CALQUE", 6, 0);
    blob_text(b, "CALQUEPC", 8, 0);
    blob_u32(b, 1);
    blob_text(b, "CALQ", 4, 0);
    blob_u32(b, 1);
    return at;
}

/* Length and checksum; returns the address. */
static uint32_t close_table(struct tables *t, size_t at)
{
    uint32_t len = (uint32_t)(t->b->len - at);

    blob_patch(t->b, at + 4, &len, 4);
    blob_checksum(t->b, at, len, at + 9);
    if (t->fix->tables < ACPI_FIXUPS) {
        t->fix->table[t->fix->tables].at = (uint32_t)at;
        t->fix->table[t->fix->tables++].len = len;
    }
    return t->base + (uint32_t)at;
}

/* A field of 4 or 8 bytes with the address of something in the tables. */
static void address(struct tables *t, uint32_t addr, unsigned len)
{
    if (t->fix->addresses < ACPI_FIXUPS) {
        t->fix->address[t->fix->addresses].at = (uint32_t)t->b->len;
        t->fix->address[t->fix->addresses++].len = len;
    }
    blob_bytes(t->b, &(uint64_t){addr}, len);
}

static void close_listed(struct tables *t, size_t at)
{
    t->table[t->n++] = close_table(t, at);
}

/* Generic address: space 0 memory, 1 ports. */
static void gas(struct blob *b, uint8_t space, uint8_t bits, uint64_t addr)
{
    blob_u8(b, space);
    blob_u8(b, bits);
    blob_u8(b, 0);
    blob_u8(b, 0);
    blob_u64(b, addr);
}

/* -- Tables ------------------------------------------------------------------------------------ */

static uint32_t build_facs(struct tables *t)
{
    struct blob *b = t->b;

    blob_zero(b, ACPI_FACS_AT - b->len);
    blob_text(b, "FACS", 4, 0);
    blob_u32(b, 64);
    blob_zero(b, 24);
    blob_u8(b, 1); /* version */
    blob_zero(b, 31);
    return t->base + ACPI_FACS_AT;
}

static uint32_t build_dsdt(struct vm *vm, struct tables *t)
{
    size_t at = open_table(t->b, "DSDT", 2); /* 2: integers are of 64 bits */

    acpi_dsdt_build(vm, t->b);
    return close_table(t, at);
}

/* The part that ACPI 1.0 has, up to the flags. */
static void fadt_legacy(struct tables *t, uint32_t facs, uint32_t dsdt)
{
    struct blob *b = t->b;

    address(t, facs, 4);
    address(t, dsdt, 4);
    blob_u8(b, 0);
    blob_u8(b, 1); /* a desktop */
    blob_u16(b, ACPI_PM_SCI);
    blob_u32(b, ACPI_PM_SMI_CMD);
    blob_u8(b, ACPI_PM_ENABLE);
    blob_u8(b, ACPI_PM_DISABLE);
    blob_u16(b, 0); /* no S4BIOS, no P-state control */
    blob_u32(b, ACPI_PMBA + ACPI_PM1_EVT);
    blob_u32(b, 0);
    blob_u32(b, ACPI_PMBA + ACPI_PM1_CNT);
    blob_u32(b, 0);
    blob_u32(b, 0);
    blob_u32(b, ACPI_PMBA + ACPI_PM_TMR);
    blob_u32(b, ACPI_PM_GPE);
    blob_u32(b, 0);
    blob_u8(b, 4); /* lengths: PM1 event, control, PM2, timer, GPE0, GPE1 */
    blob_u8(b, 2);
    blob_u8(b, 0);
    blob_u8(b, 4);
    blob_u8(b, ACPI_PM_GPE_LEN);
    blob_u8(b, 0);
    blob_u8(b, 0);
    blob_u8(b, 0);
    blob_u16(b, 0xfff); /* C2 and C3 take too long: there are none */
    blob_u16(b, 0xfff);
    blob_u32(b, 0);
    blob_u32(b, 0);     /* duty cycle, RTC alarms */
    blob_u8(b, 0x32);   /* century in the CMOS */
    blob_u16(b, 0x003); /* legacy devices, 8042 */
    blob_u8(b, 0);
    blob_u32(b, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RESET_REG | FADT_PM_TIMER);
}

static void build_fadt(struct tables *t, uint32_t facs, uint32_t dsdt)
{
    struct blob *b = t->b;
    size_t at = open_table(b, "FACP", 3);

    fadt_legacy(t, facs, dsdt);
    gas(b, 1, 8, RESET_PORT);
    blob_u8(b, RESET_VALUE);
    blob_zero(b, 3);
    blob_u64(b, 0); /* the FACS again: a guest would map it twice */
    address(t, dsdt, 8);
    gas(b, 1, 32, ACPI_PMBA + ACPI_PM1_EVT);
    gas(b, 0, 0, 0);
    gas(b, 1, 16, ACPI_PMBA + ACPI_PM1_CNT);
    gas(b, 0, 0, 0);
    gas(b, 0, 0, 0);
    gas(b, 1, 32, ACPI_PMBA + ACPI_PM_TMR);
    gas(b, 1, 8 * ACPI_PM_GPE_LEN, ACPI_PM_GPE);
    gas(b, 0, 0, 0);
    close_listed(t, at);
}

/* ISA line `irq` is I/O APIC input `gsi`; flags 0: as usual on ISA, 0dh: active high, by level. */
static void madt_override(struct blob *b, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    blob_u8(b, 2);
    blob_u8(b, 10);
    blob_u8(b, 0);
    blob_u8(b, irq);
    blob_u32(b, gsi);
    blob_u16(b, flags);
}

static void build_madt(struct vm *vm, struct tables *t)
{
    static const uint8_t by_level[] = {5, ACPI_PM_SCI, 10, 11};
    struct blob *b = t->b;
    size_t at = open_table(b, "APIC", 1);

    blob_u32(b, (uint32_t)LAPIC_BASE);
    blob_u32(b, 1); /* there are 8259s too */
    for (unsigned n = 0; n < vm_config(vm)->cpus; n++) {
        blob_u8(b, 0);
        blob_u8(b, 8);
        blob_u8(b, (uint8_t)n);
        blob_u8(b, (uint8_t)n);
        blob_u32(b, 1); /* enabled */
    }
    blob_u8(b, 1);
    blob_u8(b, 12);
    blob_u16(b, 0); /* its ID */
    blob_u32(b, (uint32_t)IOAPIC_BASE);
    blob_u32(b, 0);
    madt_override(b, 0, 2, 0);
    for (unsigned k = 0; k < sizeof(by_level); k++)
        madt_override(b, by_level[k], by_level[k], 0x0d);
    blob_u8(b, 4); /* LINT1 of all processors is NMI */
    blob_u8(b, 6);
    blob_u8(b, 0xff);
    blob_u16(b, 0);
    blob_u8(b, 1);
    close_listed(t, at);
}

static void build_hpet(struct vm *vm, struct tables *t)
{
    struct blob *b = t->b;
    size_t at;

    if (device_find(vm, &hpet_class, 0) == NULL)
        return;
    at = open_table(b, "HPET", 1);
    blob_u32(b, HPET_ID);
    gas(b, 0, 0, HPET_BASE);
    blob_u8(b, 0);
    blob_u16(b, 0);
    blob_u8(b, 0);
    close_listed(t, at);
}

static void build_rsdp(struct tables *t)
{
    struct blob *b = t->b;
    struct blob r = {NULL, 0, 0, false};
    size_t at = open_table(b, "RSDT", 1);
    uint32_t rsdt, xsdt;

    for (unsigned k = 0; k < t->n; k++)
        address(t, t->table[k], 4);
    rsdt = close_table(t, at);
    at = open_table(b, "XSDT", 1);
    for (unsigned k = 0; k < t->n; k++)
        address(t, t->table[k], 8);
    xsdt = close_table(t, at);

    blob_text(&r, "RSD PTR ", 8, 0);
    blob_u8(&r, 0);
    blob_text(&r, "CALQUE", 6, 0);
    blob_u8(&r, 2);
    blob_u32(&r, rsdt);
    blob_u32(&r, ACPI_RSDP_LEN);
    blob_u64(&r, xsdt);
    blob_u32(&r, 0);
    blob_checksum(&r, 0, 20, 8);
    blob_checksum(&r, 0, ACPI_RSDP_LEN, 32);
    b->failed |= r.failed;
    blob_patch(b, 0, r.data, r.len);
    blob_free(&r);
}

int acpi_tables_build(struct vm *vm, uint32_t base, struct blob *out, struct acpi_fixups *fixups)
{
    struct acpi_fixups unused;
    struct tables t = {.b = out, .base = base, .fix = fixups != NULL ? fixups : &unused};
    uint32_t facs, dsdt;

    t.fix->addresses = t.fix->tables = 0;
    *out = (struct blob){NULL, 0, 0, false};
    blob_zero(out, ACPI_RSDP_LEN);
    facs = build_facs(&t);
    dsdt = build_dsdt(vm, &t);
    build_fadt(&t, facs, dsdt);
    build_madt(vm, &t);
    build_hpet(vm, &t);
    build_rsdp(&t);
    if (!out->failed)
        return 0;
    blob_free(out);
    return -ENOMEM;
}
