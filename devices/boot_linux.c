/* SPDX-License-Identifier: MIT */
/* The Linux/x86 boot protocol, 32-bit entry (Linux, Documentation/arch/x86/boot.rst): the
 * protected-mode part of a bzImage goes to 1 MiB (or where a relocatable kernel prefers), the zero
 * page with the setup header, the E820 map and the addresses of command line and initrd is built in
 * low memory. For the 16-bit entry, which needs a BIOS, all of it is only offered by fw_cfg. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "devices/boot.h"
#include "devices/e820.h"
#include "devices/fwcfg.h"

/* Setup header, as offsets in the file and in the zero page */
#define HDR_SETUP_SECTS    0x1f1
#define HDR_SYSSIZE        0x1f4
#define HDR_BOOT_FLAG      0x1fe
#define HDR_JUMP           0x200
#define HDR_MAGIC          0x202
#define HDR_VERSION        0x206
#define HDR_TYPE_OF_LOADER 0x210
#define HDR_LOADFLAGS      0x211
#define HDR_CODE32_START   0x214
#define HDR_RAMDISK_IMAGE  0x218
#define HDR_RAMDISK_SIZE   0x21c
#define HDR_HEAP_END       0x224
#define HDR_CMD_LINE_PTR   0x228
#define HDR_INITRD_MAX     0x22c
#define HDR_CMDLINE_SIZE   0x238
#define HDR_PREF_ADDRESS   0x258
#define HDR_INIT_SIZE      0x260
#define HDR_END_MIN        0x22c /* last byte of version 2.02's header */

#define HDRS_MAGIC   0x53726448u /* "HdrS" */
#define LOADED_HIGH  0x01
#define CAN_USE_HEAP 0x80

/* Zero page, beside the header */
#define ZP_E820_ENTRIES  0x1e8
#define ZP_E820_TABLE    0x2d0
#define ZP_E820_MAX      128
#define ZP_SCREEN_MODE   0x06
#define ZP_SCREEN_COLS   0x07
#define ZP_SCREEN_LINES  0x0e
#define ZP_SCREEN_ISVGA  0x0f
#define ZP_SCREEN_POINTS 0x10

/* Low memory */
#define GDT_ADDR       0x1000
#define STACK_TOP      0x8000
#define ZERO_PAGE_ADDR 0x10000
#define CMDLINE_ADDR   0x20000
#define CMDLINE_ROOM   0x10000
#define KERNEL_ADDR    0x100000

bool boot_is_linux(const struct image *k)
{
    return k->size >= 0x400 && image_u16(k, HDR_BOOT_FLAG) == 0xaa55 &&
           image_u32(k, HDR_MAGIC) == HDRS_MAGIC;
}

static size_t setup_bytes(const struct image *k)
{
    unsigned sects = k->data[HDR_SETUP_SECTS];
    return ((sects == 0 ? 4 : sects) + 1) * (size_t)512;
}

int boot_linux_check(struct vm *vm, const struct image *k)
{
    if (image_u16(k, HDR_VERSION) < 0x202)
        return vm_fail(vm, -ENOEXEC, "%s: boot protocol %u.%02u is too old", k->path,
                       k->data[HDR_VERSION + 1], k->data[HDR_VERSION]);
    if (!(k->data[HDR_LOADFLAGS] & LOADED_HIGH))
        return vm_fail(vm, -ENOEXEC, "%s: zImage kernels (loaded low) are not supported", k->path);
    size_t setup = setup_bytes(k);
    if (setup >= k->size || (uint64_t)image_u32(k, HDR_SYSSIZE) * 16 > k->size - setup + 15)
        return vm_fail(vm, -ENOEXEC, "%s: truncated: the header promises %llu bytes", k->path,
                       (unsigned long long)(setup + (uint64_t)image_u32(k, HDR_SYSSIZE) * 16));
    return 0;
}

/* Linux has 100000h there, or where else it wants to be. */
bool boot_linux_is_real_mode(const struct image *k)
{
    return image_u32(k, HDR_CODE32_START) == 0;
}

static void put32(uint8_t *page, unsigned off, uint64_t v)
{
    uint32_t v32 = (uint32_t)v;
    memcpy(page + off, &v32, 4);
}

/* The setup header's bytes as the kernel wants them back. */
static void copy_header(const struct image *k, uint8_t *page)
{
    size_t end = HDR_MAGIC + k->data[HDR_JUMP + 1];
    if (end < HDR_END_MIN)
        end = HDR_END_MIN;
    if (end > 0x290)
        end = 0x290;
    memcpy(page + HDR_SETUP_SECTS, k->data + HDR_SETUP_SECTS, end - HDR_SETUP_SECTS);
    page[HDR_TYPE_OF_LOADER] = 0xff;
    page[HDR_LOADFLAGS] |= CAN_USE_HEAP;
    put32(page, HDR_HEAP_END, 0xfe00);
}

static void put_e820(struct vm *vm, uint8_t *page)
{
    struct e820_entry map[ZP_E820_MAX];
    unsigned n = e820_build(vm, map, ZP_E820_MAX);
    page[ZP_E820_ENTRIES] = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = page + ZP_E820_TABLE + 20 * (size_t)i;
        memcpy(e, &map[i].base, 8);
        memcpy(e + 8, &map[i].size, 8);
        memcpy(e + 16, &map[i].type, 4);
    }
}

/* 80x25 colour text, so that a VGA console has a mode to start from. */
static void put_screen(uint8_t *page)
{
    page[ZP_SCREEN_MODE] = 3;
    page[ZP_SCREEN_COLS] = 80;
    page[ZP_SCREEN_LINES] = 25;
    page[ZP_SCREEN_ISVGA] = 1;
    page[ZP_SCREEN_POINTS] = 16;
}

static int put_cmdline(struct boot *b, uint8_t *page)
{
    size_t len = strlen(b->cmdline), max = 255;
    if (image_u16(&b->kernel, HDR_VERSION) >= 0x206)
        max = image_u32(&b->kernel, HDR_CMDLINE_SIZE);
    if (max >= CMDLINE_ROOM)
        max = CMDLINE_ROOM - 1;
    if (len > max)
        return vm_fail(b->dev.vm, -E2BIG, "-append: longer than the %zu characters that %s takes",
                       max, b->kernel.path);
    put32(page, HDR_CMD_LINE_PTR, CMDLINE_ADDR);
    return mem_load(b->dev.vm, CMDLINE_ADDR, b->cmdline, len + 1) ? 0 : -EFAULT;
}

/* End of what the kernel needs: where it is put, and from protocol 2.10 on the room in which it
 * unpacks itself, which begins at the address that it was built for unless it is put above that. */
static uint64_t kernel_end(const struct image *k)
{
    uint64_t end = KERNEL_ADDR + (k->size - setup_bytes(k)), from = KERNEL_ADDR;
    if (image_u16(k, HDR_VERSION) < 0x20a)
        return end;
    if (image_uint(k, HDR_PREF_ADDRESS, 8) > from)
        from = image_uint(k, HDR_PREF_ADDRESS, 8);
    if (from > UINT32_MAX)
        from = UINT32_MAX;
    from += image_u32(k, HDR_INIT_SIZE);
    return from > end ? from : end;
}

/* As high as the kernel and the memory allow, above what the kernel needs. */
static int put_initrd(struct boot *b, uint8_t *page)
{
    struct vm *vm = b->dev.vm;
    const struct image *k = &b->kernel, *r = &b->module[0];
    if (b->module_count == 0)
        return 0;
    uint64_t limit = 0x38000000;
    if (image_u16(k, HDR_VERSION) >= 0x203)
        limit = (uint64_t)image_u32(k, HDR_INITRD_MAX) + 1;
    if (limit > e820_low_ram_end(vm))
        limit = e820_low_ram_end(vm);
    uint64_t addr = limit < r->size ? 0 : (limit - r->size) & ~(PAGE_SIZE - 1);
    if (addr < kernel_end(k))
        return vm_fail(vm, -ENOMEM, "%s: does not fit in %llu MiB of memory beside the kernel",
                       r->path, (unsigned long long)(mem_below_4g(vm) >> 20));
    put32(page, HDR_RAMDISK_IMAGE, addr);
    put32(page, HDR_RAMDISK_SIZE, r->size);
    return mem_load(vm, addr, r->data, r->size) ? 0 : -EFAULT;
}

static uint32_t get32(const uint8_t *page, unsigned off)
{
    uint32_t v;
    memcpy(&v, page + off, 4);
    return v;
}

/* One of the parts of a boot: where it is, how large, and its bytes; copied or borrowed. */
static int tell_part(struct vm *vm, const uint16_t key[3], uint32_t addr, const struct image *part,
                     bool copy)
{
    int err = fwcfg_set_int(vm, key[0], addr, 4);
    if (err == 0)
        err = fwcfg_set_int(vm, key[1], part->size, 4);
    if (err == 0)
        err = copy ? fwcfg_set(vm, key[2], part->data, part->size)
                   : fwcfg_lend(vm, key[2], part->data, part->size);
    return err;
}

/* fw_cfg shows what was loaded: the initrd is empty where there is none, the setup code has the
 * header that the kernel got. */
static int tell_fwcfg(struct boot *b, const uint8_t *page)
{
    static const uint16_t keys[][3] = {
        {FWCFG_KERNEL_ADDR, FWCFG_KERNEL_SIZE, FWCFG_KERNEL_DATA},
        {FWCFG_INITRD_ADDR, FWCFG_INITRD_SIZE, FWCFG_INITRD_DATA},
        {FWCFG_CMDLINE_ADDR, FWCFG_CMDLINE_SIZE, FWCFG_CMDLINE_DATA},
        {FWCFG_SETUP_ADDR, FWCFG_SETUP_SIZE, FWCFG_SETUP_DATA},
    };
    struct vm *vm = b->dev.vm;
    size_t size = setup_bytes(&b->kernel);
    const struct image kernel = {NULL, b->kernel.data + size, b->kernel.size - size};
    const struct image cmdline = {NULL, (uint8_t *)b->cmdline, strlen(b->cmdline) + 1};

    if (device_find(vm, &fwcfg_class, 0) == NULL)
        return 0;
    const struct image setup = {NULL, malloc(size), size};
    if (setup.data == NULL)
        return -ENOMEM;
    memcpy(setup.data, b->kernel.data, size);
    memcpy(setup.data + HDR_SETUP_SECTS, page + HDR_SETUP_SECTS, HDR_END_MIN - HDR_SETUP_SECTS);
    int err = tell_part(vm, keys[0], KERNEL_ADDR, &kernel, false);
    if (err == 0)
        err = tell_part(vm, keys[1], get32(page, HDR_RAMDISK_IMAGE), &b->module[0], false);
    if (err == 0)
        err = tell_part(vm, keys[2], CMDLINE_ADDR, &cmdline, false);
    if (err == 0)
        err = tell_part(vm, keys[3], ZERO_PAGE_ADDR, &setup, true);
    free(setup.data);
    return err;
}

int boot_linux_load(struct boot *b, struct cpu *c)
{
    struct vm *vm = b->dev.vm;
    const struct image *k = &b->kernel;
    uint8_t page[4096] = {0};
    size_t setup = setup_bytes(k);

    if (kernel_end(k) > e820_low_ram_end(vm))
        return vm_fail(vm, -ENOMEM, "%s: needs %llu MiB of memory, and there are %llu", k->path,
                       (unsigned long long)((kernel_end(k) + 0xfffff) >> 20),
                       (unsigned long long)(mem_below_4g(vm) >> 20));
    copy_header(k, page);
    put_e820(vm, page);
    put_screen(page);
    int err = put_cmdline(b, page);
    if (err == 0)
        err = put_initrd(b, page);
    if (err != 0)
        return err;
    if (b->by_bios)
        return tell_fwcfg(b, page);
    put32(page, HDR_CODE32_START, KERNEL_ADDR);
    if (!mem_load(vm, KERNEL_ADDR, k->data + setup, k->size - setup) ||
        !mem_load(vm, ZERO_PAGE_ADDR, page, sizeof(page)))
        return vm_fail(vm, -EFAULT, "%s: does not fit in memory", k->path);
    err = tell_fwcfg(b, page);
    if (err == 0)
        err = boot_protected_mode(vm, c, GDT_ADDR, KERNEL_ADDR);
    c->r[RSI] = ZERO_PAGE_ADDR;
    c->r[RSP] = STACK_TOP;
    return err;
}
