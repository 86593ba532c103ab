/* SPDX-License-Identifier: MIT */
/* The files of fw_cfg from which firmware takes its tables: ACPI with a script that says where to
 * load them and which fields then change (QEMU, hw/acpi/bios-linker-loader.c documents the format),
 * SMBIOS as an entry point and structures, and, for our own BIOS, the MP table made for address 0.
 * And ROMs of the user's, and how long a boot menu is offered. */
#include <errno.h>
#include <string.h>

#include "devices/acpi_tables.h"
#include "devices/fwcfg.h"
#include "devices/image.h"
#include "devices/mptable.h"
#include "devices/smbios.h"
#include "vmm/vm.h"

/* -- The script -------------------------------------------------------------------------------- */

#define ENTRY_LEN 128
#define NAME_LEN  56

enum command { ALLOCATE = 1, ADD_POINTER, ADD_CHECKSUM };
enum zone { ZONE_HIGH = 1, ZONE_F0000 };

static const char rsdp_file[] = "etc/acpi/rsdp", tables_file[] = "etc/acpi/tables";

static void open_entry(struct blob *b, enum command command, const char *file)
{
    blob_u32(b, command);
    blob_text(b, file, NAME_LEN, 0);
}

static void close_entry(struct blob *b)
{
    blob_align(b, ENTRY_LEN);
}

static void allocate(struct blob *b, const char *file, uint32_t align, enum zone zone)
{
    open_entry(b, ALLOCATE, file);
    blob_u32(b, align);
    blob_u8(b, (uint8_t)zone);
    close_entry(b);
}

/* The field at `at` of `file` is an offset in the tables. */
static void add_pointer(struct blob *b, const char *file, uint32_t at, uint32_t len)
{
    open_entry(b, ADD_POINTER, file);
    blob_text(b, tables_file, NAME_LEN, 0);
    blob_u32(b, at);
    blob_u8(b, (uint8_t)len);
    close_entry(b);
}

static void add_checksum(struct blob *b, const char *file, uint32_t at, uint32_t from, uint32_t len)
{
    open_entry(b, ADD_CHECKSUM, file);
    blob_u32(b, at);
    blob_u32(b, from);
    blob_u32(b, len);
    close_entry(b);
}

static void build_script(struct blob *b, const struct acpi_fixups *f)
{
    allocate(b, rsdp_file, 16, ZONE_F0000);
    allocate(b, tables_file, 64, ZONE_HIGH);
    for (unsigned k = 0; k < f->addresses; k++)
        add_pointer(b, tables_file, f->address[k].at, f->address[k].len);
    for (unsigned k = 0; k < f->tables; k++)
        add_checksum(b, tables_file, f->table[k].at + 9, f->table[k].at, f->table[k].len);
    add_pointer(b, rsdp_file, ACPI_RSDP_RSDT, 4);
    add_pointer(b, rsdp_file, ACPI_RSDP_XSDT, 8);
    add_checksum(b, rsdp_file, 8, 0, 20);
    add_checksum(b, rsdp_file, 32, 0, ACPI_RSDP_LEN);
}

/* -- Files ------------------------------------------------------------------------------------- */

static int add_blob(struct vm *vm, const char *name, struct blob *b)
{
    int err = b->failed ? vm_fail(vm, -ENOMEM, "fwcfg: out of memory")
                        : fwcfg_add_file(vm, name, b->data, b->len);

    blob_free(b);
    return err;
}

static int add_acpi(struct vm *vm)
{
    struct blob b, script = {NULL, 0, 0, false};
    struct acpi_fixups fixups;
    int err = acpi_tables_build(vm, 0, &b, &fixups);

    if (err != 0)
        return vm_fail(vm, err, "fwcfg: out of memory");
    err = fwcfg_add_file(vm, rsdp_file, b.data, ACPI_RSDP_LEN);
    if (err == 0)
        err = add_blob(vm, tables_file, &b);
    else
        blob_free(&b);
    if (err != 0)
        return err;
    build_script(&script, &fixups);
    return add_blob(vm, "etc/table-loader", &script);
}

static int add_smbios(struct vm *vm)
{
    struct blob b = {NULL, 0, 0, false};
    int err;

    smbios_build(vm, 0, &b);
    if (b.failed)
        return vm_fail(vm, -ENOMEM, "fwcfg: out of memory");
    err = fwcfg_add_file(vm, "etc/smbios/smbios-anchor", b.data, SMBIOS_ENTRY_LEN);
    if (err == 0)
        err = fwcfg_add_file(vm, "etc/smbios/smbios-tables", b.data + SMBIOS_STRUCTURES_AT,
                             b.len - SMBIOS_STRUCTURES_AT);
    blob_free(&b);
    return err;
}

static int add_mptable(struct vm *vm)
{
    struct blob b = {NULL, 0, 0, false};

    mptable_build(vm, 0, &b);
    return add_blob(vm, "etc/mptable", &b);
}

static int add_option_rom(struct vm *vm, const char *path)
{
    const char *base = strrchr(path, '/');
    struct image rom = {NULL, NULL, 0};
    char name[FWCFG_NAME_LEN];
    int err = image_read(vm, path, &rom);

    snprintf(name, sizeof(name), "genroms/%s", base != NULL ? base + 1 : path);
    if (err == 0)
        err = fwcfg_add_file(vm, name, rom.data, rom.size);
    free(rom.data);
    return err;
}

int fwcfg_add_tables(struct vm *vm)
{
    const struct vm_config *cfg = vm_config(vm);
    int err = add_acpi(vm);

    if (err == 0)
        err = add_smbios(vm);
    if (err == 0)
        err = add_mptable(vm);
    for (unsigned k = 0; err == 0 && k < cfg->option_rom_count; k++)
        err = add_option_rom(vm, cfg->option_rom[k]);
    if (err == 0 && cfg->boot.menu_ms != 0)
        err = fwcfg_add_file(vm, "etc/boot-menu-wait", &cfg->boot.menu_ms, 2);
    return err;
}
