/* SPDX-License-Identifier: MIT */
/* System Management BIOS tables (DMTF DSP0134, version 2.8): BIOS, system, enclosure, processors,
 * memory as one array with one device, and the boot status: what guests show their users. */
#include "devices/smbios.h"

#include "vmm/vm.h"

#define MIB       (UINT64_C(1) << 20)
#define NO_HANDLE 0xffff

enum handle {
    HANDLE_BIOS = 0x0000,
    HANDLE_SYSTEM = 0x0100,
    HANDLE_ENCLOSURE = 0x0300,
    HANDLE_CPU = 0x0400,
    HANDLE_ARRAY = 0x1000,
    HANDLE_DEVICE = 0x1100,
    HANDLE_MAPPED = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

struct table {
    struct blob *b;
    size_t start; /* of the structure that is being written */
    uint16_t structures, largest;
};

static void open_structure(struct table *t, uint8_t type, uint16_t handle)
{
    t->start = t->b->len;
    blob_u8(t->b, type);
    blob_u8(t->b, 0);
    blob_u16(t->b, handle);
}

/* The strings follow the formatted part, counted from 1; ends with an empty one. */
static void close_structure(struct table *t, const char *const strings[], unsigned n)
{
    uint8_t len = (uint8_t)(t->b->len - t->start);
    size_t whole;

    blob_patch(t->b, t->start + 1, &len, 1);
    for (unsigned k = 0; k < n; k++)
        blob_bytes(t->b, strings[k], strlen(strings[k]) + 1);
    blob_zero(t->b, n == 0 ? 2 : 1);
    whole = t->b->len - t->start;
    if (whole > t->largest)
        t->largest = (uint16_t)whole;
    t->structures++;
}

static void type_bios(struct table *t)
{
    static const char *const strings[] = {"Calque", CALQUE_VERSION, "01/01/2025"};

    open_structure(t, 0, HANDLE_BIOS);
    blob_u8(t->b, 1); /* vendor, version */
    blob_u8(t->b, 2);
    blob_u16(t->b, 0xe800); /* segment */
    blob_u8(t->b, 3);       /* date */
    blob_u8(t->b, 0);       /* 64 KiB */
    blob_u64(t->b, 0x08);   /* characteristics not given */
    blob_u8(t->b, 0x01);    /* ACPI */
    blob_u8(t->b, 0x14);    /* describes a virtual machine; targeted content distribution */
    blob_u8(t->b, 0);       /* release */
    blob_u8(t->b, 1);
    blob_u16(t->b, 0xffff); /* no embedded controller */
    close_structure(t, strings, 3);
}

static void type_system(struct vm *vm, struct table *t)
{
    static const char *const strings[] = {"Calque", "Calque PC (i440FX + PIIX)", CALQUE_VERSION};

    (void)vm;
    open_structure(t, 1, HANDLE_SYSTEM);
    blob_u8(t->b, 1); /* manufacturer, product, version, serial number */
    blob_u8(t->b, 2);
    blob_u8(t->b, 3);
    blob_u8(t->b, 0);
    blob_zero(t->b, 16); /* UUID: not settable */
    blob_u8(t->b, 6);    /* woken by the power switch */
    blob_u16(t->b, 0);   /* SKU, family */
    close_structure(t, strings, 3);
}

static void type_enclosure(struct table *t)
{
    static const char *const strings[] = {"Calque"};

    open_structure(t, 3, HANDLE_ENCLOSURE);
    blob_u8(t->b, 1);
    blob_u8(t->b, 1); /* type: other */
    blob_u8(t->b, 0); /* version, serial number, asset tag */
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 3); /* boot-up, power supply, thermal state: safe */
    blob_u8(t->b, 3);
    blob_u8(t->b, 3);
    blob_u8(t->b, 2);  /* security unknown */
    blob_u32(t->b, 0); /* OEM */
    blob_u8(t->b, 0);  /* height, power cords, contained elements */
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 0); /* SKU */
    close_structure(t, strings, 1);
}

static void type_processor(struct table *t, unsigned n)
{
    static const char *const strings[] = {"CPU", "Calque"};

    open_structure(t, 4, (uint16_t)(HANDLE_CPU + n));
    blob_u8(t->b, 1);  /* socket */
    blob_u8(t->b, 3);  /* central processor */
    blob_u8(t->b, 1);  /* family: other */
    blob_u8(t->b, 2);  /* manufacturer */
    blob_u64(t->b, 0); /* ID */
    blob_u8(t->b, 0);  /* version */
    blob_u8(t->b, 0);  /* voltage */
    blob_u16(t->b, 0); /* clocks: unknown */
    blob_u16(t->b, 0);
    blob_u16(t->b, 0);
    blob_u8(t->b, 0x41); /* populated, enabled */
    blob_u8(t->b, 1);    /* upgrade: other */
    for (unsigned k = 0; k < 3; k++)
        blob_u16(t->b, NO_HANDLE); /* caches */
    blob_u8(t->b, 0);              /* serial number, asset tag, part number */
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 1); /* cores, enabled cores, threads */
    blob_u8(t->b, 1);
    blob_u8(t->b, 1);
    blob_u16(t->b, 2); /* characteristics: unknown */
    blob_u16(t->b, 1); /* family again */
    close_structure(t, strings, 2);
}

static void type_memory_array(struct table *t, uint64_t bytes)
{
    bool is_large = bytes >= UINT64_C(1) << 41;

    open_structure(t, 16, HANDLE_ARRAY);
    blob_u8(t->b, 1); /* other place, system memory, multi-bit ECC */
    blob_u8(t->b, 3);
    blob_u8(t->b, 6);
    blob_u32(t->b, is_large ? 0x80000000u : (uint32_t)(bytes >> 10));
    blob_u16(t->b, 0xfffe); /* no error information */
    blob_u16(t->b, 1);      /* devices */
    blob_u64(t->b, is_large ? bytes : 0);
    close_structure(t, NULL, 0);
}

static void type_memory_device(struct table *t, uint64_t bytes)
{
    static const char *const strings[] = {"DIMM 0", "Calque"};
    uint64_t mib = bytes / MIB;
    bool is_large = mib >= 0x7fff;

    open_structure(t, 17, HANDLE_DEVICE);
    blob_u16(t->b, HANDLE_ARRAY);
    blob_u16(t->b, 0xfffe);
    blob_u16(t->b, 0xffff); /* widths unknown */
    blob_u16(t->b, 0xffff);
    blob_u16(t->b, is_large ? 0x7fff : (uint16_t)mib);
    blob_u8(t->b, 9); /* DIMM, no set */
    blob_u8(t->b, 0);
    blob_u8(t->b, 1); /* locator */
    blob_u8(t->b, 0);
    blob_u8(t->b, 7);       /* RAM */
    blob_u16(t->b, 0x0002); /* detail: other */
    blob_u16(t->b, 0);      /* speed */
    blob_u8(t->b, 2);       /* manufacturer */
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 0);
    blob_u8(t->b, 0); /* attributes */
    blob_u32(t->b, is_large ? (uint32_t)mib : 0);
    blob_u16(t->b, 0);
    blob_u16(t->b, 0); /* voltages */
    blob_u16(t->b, 0);
    blob_u16(t->b, 0);
    close_structure(t, strings, 2);
}

static void type_mapped(struct table *t, unsigned n, uint64_t base, uint64_t bytes)
{
    if (bytes == 0)
        return;
    open_structure(t, 19, (uint16_t)(HANDLE_MAPPED + n));
    blob_u32(t->b, 0xffffffff); /* in bytes, below */
    blob_u32(t->b, 0xffffffff);
    blob_u16(t->b, HANDLE_ARRAY);
    blob_u8(t->b, 1); /* partition width */
    blob_u64(t->b, base);
    blob_u64(t->b, base + bytes - 1);
    close_structure(t, NULL, 0);
}

static void structures(struct vm *vm, struct table *t)
{
    uint64_t below = mem_below_4g(vm), above = mem_above_4g(vm);

    type_bios(t);
    type_system(vm, t);
    type_enclosure(t);
    for (unsigned n = 0; n < vm_config(vm)->cpus && n < 0x100; n++)
        type_processor(t, n);
    type_memory_array(t, below + above);
    type_memory_device(t, below + above);
    type_mapped(t, 0, 0, below);
    type_mapped(t, 1, UINT64_C(1) << 32, above);
    open_structure(t, 32, HANDLE_BOOT);
    blob_zero(t->b, 7); /* reserved; no errors */
    close_structure(t, NULL, 0);
    open_structure(t, 127, HANDLE_END);
    close_structure(t, NULL, 0);
}

void smbios_build(struct vm *vm, uint32_t base, struct blob *b)
{
    struct table t = {.b = b};
    uint16_t len;
    size_t at, first;

    blob_align(b, 16);
    at = b->len;
    blob_zero(b, SMBIOS_ENTRY_LEN);
    blob_align(b, 16);
    first = b->len;
    structures(vm, &t);
    len = (uint16_t)(b->len - first);
    base += (uint32_t)first;

    blob_patch(b, at, "_SM_", 4);
    blob_patch(b, at + 5, (const uint8_t[]){SMBIOS_ENTRY_LEN, 2, 8}, 3);
    blob_patch(b, at + 8, &t.largest, 2);
    blob_patch(b, at + 16, "_DMI_", 5);
    blob_patch(b, at + 22, &len, 2);
    blob_patch(b, at + 24, &base, 4);
    blob_patch(b, at + 28, &t.structures, 2);
    blob_patch(b, at + 30, (const uint8_t[]){0x28}, 1);
    blob_checksum(b, at + 16, 15, at + 21);
    blob_checksum(b, at, SMBIOS_ENTRY_LEN, at + 4);
}
