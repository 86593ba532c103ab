/* SPDX-License-Identifier: MIT */
/* What a guest finds after the power-on set-up: tables with right checksums that point at each
 * other, chips where the tables say, the data areas. And the encoding of AML. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/acpi_pm.h"
#include "devices/acpi_tables.h"
#include "devices/aml.h"
#include "devices/pc.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/post.h"
#include "devices/rtc.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define SHADOW   0xe0000u
#define SHADOW_N 0x20000u

static struct vm *vm;
static uint8_t shadow[SHADOW_N];

static void boot(uint64_t ram)
{
    static const struct drive_config floppy = {.interface = DRIVE_FLOPPY};
    const struct vm_config cfg = {.ram_bytes = ram,
                                  .cpus = 1,
                                  .serial = {"null", NULL, "null"},
                                  .parallel = "null",
                                  .drives = &floppy,
                                  .drive_count = 1};

    vm = fake_vm_with(&cfg, &pc_board);
    vm_lock(vm);
    ck_assert_int_eq(post_run(vm), 0);
    ck_assert(dma_read(vm, SHADOW, shadow, sizeof(shadow)));
    vm_unlock(vm);
}

static void setup(void)
{
    boot(UINT64_C(512) << 20);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static const uint8_t *at(uint64_t pa)
{
    ck_assert_uint_ge(pa, SHADOW);
    ck_assert_uint_lt(pa, SHADOW + SHADOW_N - 64);
    return shadow + (pa - SHADOW);
}

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)u32(p);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;

    while (n-- > 0)
        s += *p++;
    return s;
}

/* As guests do: the first 16-byte boundary from `from` with this text. */
static const uint8_t *scan(uint32_t from, const char *text)
{
    for (uint32_t pa = from; pa < SHADOW + SHADOW_N - 64; pa += 16) {
        if (memcmp(at(pa), text, strlen(text)) == 0)
            return at(pa);
    }
    return NULL;
}

/* The n-th table that RSDT and XSDT list; NULL after the last. */
static const uint8_t *listed(unsigned n)
{
    const uint8_t *rsdp = scan(SHADOW, "RSD PTR "), *rsdt, *xsdt;

    ck_assert_ptr_nonnull(rsdp);
    ck_assert_uint_eq(sum(rsdp, 20), 0);
    ck_assert_uint_eq(sum(rsdp, 36), 0);
    rsdt = at(u32(rsdp + 16));
    xsdt = at(u32(rsdp + 24));
    ck_assert_int_eq(memcmp(rsdt, "RSDT", 4), 0);
    ck_assert_int_eq(memcmp(xsdt, "XSDT", 4), 0);
    ck_assert_uint_eq(sum(rsdt, u32(rsdt + 4)), 0);
    ck_assert_uint_eq(sum(xsdt, u32(xsdt + 4)), 0);
    if (36 + 4 * n >= u32(rsdt + 4))
        return NULL;
    ck_assert_uint_eq(u32(rsdt + 36 + 4 * n), u32(xsdt + 36 + 8 * n));
    return at(u32(rsdt + 36 + 4 * n));
}

static const uint8_t *acpi(const char *signature)
{
    const uint8_t *t;

    for (unsigned n = 0; (t = listed(n)) != NULL; n++) {
        ck_assert_uint_eq(sum(t, u32(t + 4)), 0);
        if (memcmp(t, signature, 4) == 0)
            return t;
    }
    return NULL;
}

START_TEST(fadt_matches_the_chip)
{
    const uint8_t *f = acpi("FACP"), *dsdt, *facs;
    uint16_t pm1_cnt;

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(u32(f + 4), 244);
    facs = at(u32(f + 36));
    ck_assert_int_eq(memcmp(facs, "FACS", 4), 0);
    ck_assert_uint_eq(u32(f + 36) % 64, 0);
    dsdt = at(u32(f + 40));
    ck_assert_int_eq(memcmp(dsdt, "DSDT", 4), 0);
    ck_assert_uint_eq(sum(dsdt, u32(dsdt + 4)), 0);
    ck_assert_uint_eq(u32(f + 140), u32(f + 40));
    pm1_cnt = u16(f + 64);
    ck_assert_uint_eq(u32(f + 172 + 4), pm1_cnt);
    ck_assert_uint_eq(bus_port_in(vm, pm1_cnt, 2), 0);
    bus_port_out(vm, (uint16_t)u32(f + 48), 1, f[52]); /* ACPI on */
    ck_assert_uint_eq(bus_port_in(vm, pm1_cnt, 2), 1);
    ck_assert_uint_eq(bus_port_in(vm, (uint16_t)u32(f + 76), 4) >> 24, 0);
    ck_assert_uint_eq(bus_port_in(vm, (uint16_t)u32(f + 80), 4), 0);
}
END_TEST

START_TEST(madt)
{
    const uint8_t *m = acpi("APIC"), *end;
    unsigned cpus = 0, ioapics = 0, overrides = 0, nmis = 0;

    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(u32(m + 36), 0xfee00000);
    end = m + u32(m + 4);
    for (const uint8_t *e = m + 44; e < end; e += e[1]) {
        ck_assert_uint_ge(e[1], 6);
        cpus += e[0] == 0;
        ioapics += e[0] == 1 && u32(e + 4) == 0xfec00000;
        overrides += e[0] == 2;
        nmis += e[0] == 4;
        if (e[0] == 2 && e[3] == 0)
            ck_assert_uint_eq(u32(e + 4), 2);
    }
    ck_assert_uint_eq(cpus, 1);
    ck_assert_uint_eq(ioapics, 1);
    ck_assert_uint_eq(overrides, 5);
    ck_assert_uint_eq(nmis, 1);
}
END_TEST

START_TEST(hpet)
{
    const uint8_t *h = acpi("HPET");

    ck_assert_ptr_nonnull(h);
    ck_assert_uint_eq(phys_read(fake_cpu_of(vm), u32(h + 44), 4), u32(h + 36));
}
END_TEST

START_TEST(mp_table)
{
    static const unsigned length[] = {20, 8, 8, 8, 8};
    const uint8_t *f = scan(0xf0000, "_MP_"), *t, *e;
    bool timer = false, sci = false;

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(sum(f, 16), 0);
    t = at(u32(f + 4));
    ck_assert_int_eq(memcmp(t, "PCMP", 4), 0);
    ck_assert_uint_eq(sum(t, u16(t + 4)), 0);
    e = t + 44;
    for (unsigned n = 0; n < u16(t + 34); n++) {
        ck_assert_uint_le(e[0], 4);
        timer |= e[0] == 3 && e[4] == 1 && e[5] == 0 && e[7] == 2;
        sci |= e[0] == 3 && e[4] == 0 && e[5] == 4 && e[7] == ACPI_PM_SCI;
        e += length[e[0]];
    }
    ck_assert_ptr_eq(e, t + u16(t + 4));
    ck_assert(timer && sci);
}
END_TEST

START_TEST(smbios)
{
    const uint8_t *s = scan(0xf0000, "_SM_"), *p, *end;
    unsigned n = 0;

    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(sum(s, s[5]), 0);
    ck_assert_uint_eq(sum(s + 16, 15), 0);
    p = at(u32(s + 24));
    end = p + u16(s + 22);
    for (bool last = false; !last && p < end; n++) {
        last = p[0] == 127;
        if (p[0] == 17)
            ck_assert_uint_eq(u16(p + 12), 512);
        p += p[1];
        while (p[0] != 0 || p[1] != 0)
            p++;
        p += 2;
    }
    ck_assert_ptr_eq(p, end);
    ck_assert_uint_eq(n, u16(s + 28));
}
END_TEST

START_TEST(chips_and_data_areas)
{
    uint8_t bda[32];

    vm_lock(vm);
    ck_assert_uint_eq(pci_config_read(vm, PIIX3_DEVFN, PIIX3_PIRQRC, 4), 0x0b0b0a0a);
    ck_assert_uint_eq(pci_config_read(vm, ACPI_PM_DEVFN, PCI_IRQ_LINE, 1), 9);
    ck_assert(dma_read(vm, 0x400, bda, sizeof(bda)));
    vm_unlock(vm);
    ck_assert_uint_eq(u16(bda), 0x3f8);
    ck_assert_uint_eq(u16(bda + 2), 0x3e8);
    ck_assert_uint_eq(u16(bda + 4), 0);
    ck_assert_uint_eq(u16(bda + 8), 0x378);
    ck_assert_uint_eq(u16(bda + 10), 0);
    ck_assert_uint_eq(u16(bda + 0x10), 0x4427);
    ck_assert_uint_eq(u16(bda + 0x0e), 0x9fc0);
    ck_assert_uint_eq(u16(bda + 0x13), 639);
    ck_assert_ptr_nonnull(phys_page(fake_cpu_of(vm), 0xc0000, true));
}
END_TEST

START_TEST(again_after_a_reset)
{
    uint8_t before[SHADOW_N];

    memcpy(before, shadow, sizeof(before));
    vm_lock(vm);
    vm_reset_locked(vm);
    ck_assert(!dma_read(vm, SHADOW, shadow, 16));
    ck_assert_int_eq(post_run(vm), 0);
    ck_assert(dma_read(vm, SHADOW, shadow, sizeof(shadow)));
    vm_unlock(vm);
    ck_assert_int_eq(memcmp(before, shadow, sizeof(before)), 0);
}
END_TEST

/* A sleep ends with memory as it was, shadow RAM too, and where the guest has said, if it has. */
START_TEST(end_of_a_sleep)
{
    static const uint32_t vectors[] = {0x12345, 0, 0x100000};
    struct cpu *c = fake_cpu_of(vm);
    uint8_t after[SHADOW_N];

    for (unsigned k = 0; k < sizeof(vectors) / sizeof(vectors[0]); k++) {
        vm_lock(vm);
        ck_assert(dma_write(vm, SHADOW + ACPI_FACS_AT + 12, &vectors[k], 4));
        ck_assert(dma_read(vm, SHADOW, shadow, sizeof(shadow)));
        bus_out_locked(vm, ACPI_PMBA + ACPI_PM1_CNT, 2, 0x2400);
        acpi_pm_power_button(vm);
        vm_reset_locked(vm);
        ck_assert(dma_read(vm, SHADOW, after, sizeof(after)));
        ck_assert(acpi_pm_has_woken(vm));
        ck_assert_uint_eq(rtc_cmos(vm, RTC_SHUTDOWN), 0xfe);
        ck_assert_int_eq(post_resume(vm), k == 0);
        ck_assert_uint_eq(rtc_cmos(vm, RTC_SHUTDOWN), 0);
        vm_unlock(vm);
        ck_assert_int_eq(memcmp(after, shadow, sizeof(after)), 0);
        ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x1234);
        ck_assert_uint_eq(c->seg[SEG_CS].base, 0x12340);
        ck_assert_uint_eq(c->r[RIP], 5);
    }
}
END_TEST

START_TEST(any_memory_size)
{
    static const uint64_t sizes[] = {UINT64_C(1) << 20, UINT64_C(4) << 20, UINT64_C(3) << 30,
                                     UINT64_C(8) << 30, UINT64_C(64) << 30};

    vm_destroy(vm);
    for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        boot(sizes[k]);
        ck_assert_ptr_nonnull(acpi("FACP"));
        vm_destroy(vm);
    }
    boot(UINT64_C(16) << 20);
}
END_TEST

/* A device's name in the DSDT, with this descriptor for its last resource but the end tag. */
static void find_isa_device(const char *name, const uint8_t *last, size_t n)
{
    const uint8_t *dsdt = at(u32(acpi("FACP") + 40)), *end = dsdt + u32(dsdt + 4), *p = dsdt;

    while (p + 4 < end && memcmp(p, name, 4) != 0)
        p++;
    ck_assert_msg(p + 4 < end, "no %s", name);
    while (p + n + 2 < end && (memcmp(p, last, n) != 0 || p[n] != 0x79))
        p++;
    ck_assert_msg(p + n + 2 < end, "no resource of %s", name);
}

START_TEST(ports_and_floppies_are_listed)
{
    static const uint8_t lpt[] = {0x22, 0x80, 0}, fdc[] = {0x22, 0x40, 0, 0x2a, 4, 0};

    find_isa_device("LPT1", lpt, sizeof(lpt));
    find_isa_device("FDC0", fdc, sizeof(fdc));
}
END_TEST

START_TEST(aml_encoding)
{
    static const uint8_t expected[] = {
        0x10, 0x10, '\\', '_',  'S', 'B', '_', 0x08, '_',  'H',  'I', 'D', 0x0c, 0x41,
        0xd0, 0x0a, 0x03, 0x08, 'A', '_', '_', '_',  0x01, 0x08, 'B', '_', '_',  '_',
        0x0b, 0x34, 0x12, 0x2e, 'C', '_', '_', '_',  'D',  'E',  '_', '_',
    };
    struct blob b = {NULL, 0, 0, false};
    size_t mark = aml_scope(&b, "\\_SB"), inner;

    aml_name_eisaid(&b, "_HID", "PNP0A03");
    aml_end(&b, mark);
    aml_name_int(&b, "A", 1);
    aml_name_int(&b, "B", 0x1234);
    aml_path(&b, "C.DE");
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, sizeof(expected));
    ck_assert_mem_eq(b.data, expected, sizeof(expected));
    blob_free(&b);
    mark = aml_package(&b, 1); /* two levels of two-byte lengths */
    inner = aml_package(&b, 0);
    blob_zero(&b, 62);
    aml_end(&b, inner);
    aml_end(&b, mark);
    ck_assert_uint_eq(b.data[1], 0x40 | (69 & 15));
    ck_assert_uint_eq(b.data[2], 69 >> 4);
    ck_assert_uint_eq(b.data[5], 0x40 | (65 & 15));
    ck_assert_uint_eq(b.data[6], 65 >> 4);
    blob_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("post");
    TCase *t = tcase_create("post");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fadt_matches_the_chip);
    tcase_add_test(t, madt);
    tcase_add_test(t, hpet);
    tcase_add_test(t, mp_table);
    tcase_add_test(t, smbios);
    tcase_add_test(t, chips_and_data_areas);
    tcase_add_test(t, again_after_a_reset);
    tcase_add_test(t, end_of_a_sleep);
    tcase_add_test(t, any_memory_size);
    tcase_add_test(t, ports_and_floppies_are_listed);
    tcase_add_test(t, aml_encoding);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
