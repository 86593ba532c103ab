/* SPDX-License-Identifier: MIT */
/* Tables for firmware: what a loader that follows the script makes of the files is what would have
 * been built for the addresses that it chose. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/acpi_tables.h"
#include "devices/mptable.h"
#include "devices/pc.h"
#include "devices/smbios.h"
#include "tests/unit/fake_cpu.h"

#define TABLES_AT 0x3fe0000u
#define ENTRY     128u

static struct vm *vm;

static void setup(void)
{
    vm = fake_vm(&pc_board);
}

static void teardown(void)
{
    vm_destroy(vm);
}

static uint32_t read_be32(void)
{
    uint32_t val = 0;

    for (unsigned k = 0; k < 4; k++)
        val = val << 8 | bus_port_in(vm, 0x511, 1) % 256;
    return val;
}

/* The file's contents, which the caller frees. */
static uint8_t *file(const char *name, size_t *len)
{
    bus_port_out(vm, 0x510, 2, 0x19);
    for (uint32_t left = read_be32(); left > 0; left--) {
        uint32_t size = read_be32(), key = read_be32();
        char entry[56];

        for (unsigned k = 0; k < sizeof(entry); k++)
            entry[k] = (char)bus_port_in(vm, 0x511, 1);
        if (strcmp(entry, name) != 0)
            continue;
        uint8_t *data = malloc(size + 1);
        bus_port_out(vm, 0x510, 2, key >> 16);
        for (uint32_t k = 0; k < size; k++)
            data[k] = (uint8_t)bus_port_in(vm, 0x511, 1);
        *len = size;
        return data;
    }
    ck_abort_msg("no file %s", name);
    return NULL;
}

static uint32_t u32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static void fix_checksum(uint8_t *data, uint32_t at, uint32_t from, uint32_t len)
{
    uint8_t sum = 0;

    for (uint32_t k = 0; k < len; k++)
        sum += data[from + k];
    data[at] -= sum;
}

/* Carry out the script on the two files. */
static void load(uint8_t *rsdp, uint8_t *tables)
{
    size_t len;
    uint8_t *script = file("etc/table-loader", &len);

    ck_assert_uint_eq(len % ENTRY, 0);
    for (const uint8_t *e = script; e < script + len; e += ENTRY) {
        uint8_t *to = strcmp((const char *)e + 4, "etc/acpi/rsdp") == 0 ? rsdp : tables;

        switch (u32(e)) {
        case 1: break;
        case 2: {
            uint64_t val = 0;

            ck_assert_str_eq((const char *)e + 60, "etc/acpi/tables");
            memcpy(&val, to + u32(e + 116), e[120]);
            val += TABLES_AT;
            memcpy(to + u32(e + 116), &val, e[120]);
            break;
        }
        case 3: fix_checksum(to, u32(e + 60), u32(e + 64), u32(e + 68)); break;
        default: ck_abort_msg("command %u", u32(e));
        }
    }
    free(script);
}

START_TEST(acpi_as_if_built_in_place)
{
    size_t rsdp_len, tables_len;
    uint8_t *rsdp = file("etc/acpi/rsdp", &rsdp_len);
    uint8_t *tables = file("etc/acpi/tables", &tables_len);
    struct blob wanted;

    ck_assert_uint_eq(rsdp_len, ACPI_RSDP_LEN);
    load(rsdp, tables);
    vm_lock(vm);
    ck_assert_int_eq(acpi_tables_build(vm, TABLES_AT, &wanted, NULL), 0);
    vm_unlock(vm);
    ck_assert_uint_eq(tables_len, wanted.len);
    ck_assert_mem_eq(rsdp, wanted.data, ACPI_RSDP_LEN);
    ck_assert_mem_eq(tables + ACPI_RSDP_LEN, wanted.data + ACPI_RSDP_LEN,
                     tables_len - ACPI_RSDP_LEN);
    blob_free(&wanted);
    free(tables);
    free(rsdp);
}
END_TEST

START_TEST(smbios_in_two_files)
{
    size_t len;
    uint8_t *anchor = file("etc/smbios/smbios-anchor", &len);

    ck_assert_uint_eq(len, 31);
    ck_assert_mem_eq(anchor, "_SM_", 4);
    uint32_t size = anchor[22] | anchor[23] << 8;
    free(anchor);
    uint8_t *structures = file("etc/smbios/smbios-tables", &len);
    ck_assert_uint_eq(len, size);
    ck_assert_uint_eq(structures[0], 0); /* BIOS information comes first, the end last */
    ck_assert_uint_eq(structures[len - 6], 127);
    free(structures);
}
END_TEST

START_TEST(mptable_for_address_0)
{
    size_t len;
    uint8_t *mp = file("etc/mptable", &len);

    ck_assert_mem_eq(mp, "_MP_", 4);
    ck_assert_uint_eq(u32(mp + 4), 16);
    ck_assert_mem_eq(mp + 16, "PCMP", 4);
    ck_assert_uint_eq(16u + (mp[20] | mp[21] << 8), len);
    free(mp);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fwcfg_tables");
    TCase *t = tcase_create("files");
    SRunner *r = srunner_create(s);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, acpi_as_if_built_in_place);
    tcase_add_test(t, smbios_in_two_files);
    tcase_add_test(t, mptable_for_address_0);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
