/* SPDX-License-Identifier: MIT */
/* fw_cfg: how firmware asks the machine about itself (QEMU, docs/specs/fw_cfg). A key is selected
 * at port 510; its bytes are read one by one at 511, or copied to memory by a command block whose
 * address is written, big-endian, to 514 and 518. Reads behind the end give zeroes. What a guest
 * writes to an item is dropped, and is an error in a command block. */
#include "devices/fwcfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/hpet.h"
#include "vmm/vm.h"

#define ITEMS     64
#define DIR_ENTRY 64
#define PAD_MAX   (UINT64_C(16) << 20) /* zeroes that one command stores behind an item's end */

#define DMA_ERROR  0x01u
#define DMA_READ   0x02u
#define DMA_SKIP   0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE  0x10u

#define ID_TRADITIONAL 1
#define ID_DMA         2

static const char dma_signature[8] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

struct item {
    uint16_t key;
    const uint8_t *data;
    uint8_t *owned; /* the same, where it must be freed */
    size_t len;
    char name[FWCFG_NAME_LEN]; /* files */
};

struct fwcfg {
    struct device dev;
    uint16_t key;
    uint64_t off;
    uint32_t dma_high;
    struct item items[ITEMS];
    unsigned count;
    uint8_t dir[4 + ITEMS * DIR_ENTRY];
};

/* -- Items ------------------------------------------------------------------------------------- */

static struct fwcfg *device_of(struct vm *vm)
{
    return (struct fwcfg *)device_find(vm, &fwcfg_class, 0);
}

static struct item *find(struct fwcfg *s, uint16_t key)
{
    for (unsigned n = 0; n < s->count; n++) {
        if (s->items[n].key == key)
            return &s->items[n];
    }
    return NULL;
}

static int put(struct fwcfg *s, uint16_t key, const char *name, const void *data, uint8_t *owned,
               size_t len)
{
    struct item *i = find(s, key);

    if (i == NULL) {
        if (s->count == ITEMS)
            return vm_fail(s->dev.vm, -ENOSPC, "fwcfg: too many items");
        i = &s->items[s->count++];
        *i = (struct item){.key = key};
    }
    free(i->owned);
    i->data = data;
    i->owned = owned;
    i->len = len;
    snprintf(i->name, FWCFG_NAME_LEN, "%s", name);
    return 0;
}

static int put_copy(struct fwcfg *s, uint16_t key, const char *name, const void *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    int err;

    if (copy == NULL)
        return vm_fail(s->dev.vm, -ENOMEM, "fwcfg: out of memory");
    if (len > 0)
        memcpy(copy, data, len);
    err = put(s, key, name, copy, copy, len);
    if (err != 0)
        free(copy);
    return err;
}

int fwcfg_set(struct vm *vm, uint16_t key, const void *data, size_t len)
{
    struct fwcfg *s = device_of(vm);

    return s == NULL ? -ENODEV : put_copy(s, key, "", data, len);
}

int fwcfg_lend(struct vm *vm, uint16_t key, const void *data, size_t len)
{
    struct fwcfg *s = device_of(vm);

    return s == NULL ? -ENODEV : put(s, key, "", data, NULL, len);
}

int fwcfg_set_int(struct vm *vm, uint16_t key, uint64_t val, unsigned bytes)
{
    return fwcfg_set(vm, key, &val, bytes < 8 ? bytes : 8);
}

/* The directory: a count, then size, key, two unused bytes and name of each file; big-endian. */
static int rebuild_dir(struct fwcfg *s)
{
    uint8_t *e = s->dir + 4;
    uint32_t files = 0, be32;

    memset(s->dir, 0, sizeof(s->dir));
    for (unsigned n = 0; n < s->count; n++) {
        const struct item *i = &s->items[n];
        uint16_t be16 = __builtin_bswap16(i->key);

        if (i->name[0] == 0)
            continue;
        be32 = __builtin_bswap32((uint32_t)i->len);
        memcpy(e, &be32, 4);
        memcpy(e + 4, &be16, 2);
        memcpy(e + 8, i->name, FWCFG_NAME_LEN);
        e += DIR_ENTRY;
        files++;
    }
    be32 = __builtin_bswap32(files);
    memcpy(s->dir, &be32, 4);
    return put(s, FWCFG_FILE_DIR, "", s->dir, NULL, (size_t)(e - s->dir));
}

int fwcfg_add_file(struct vm *vm, const char *name, const void *data, size_t len)
{
    struct fwcfg *s = device_of(vm);
    uint16_t key = FWCFG_FILE_FIRST;
    int err;

    if (s == NULL)
        return -ENODEV;
    if (strlen(name) >= FWCFG_NAME_LEN)
        return vm_fail(vm, -EINVAL, "fwcfg: file name is too long: %s", name);
    for (unsigned n = 0; n < s->count; n++) {
        const struct item *i = &s->items[n];

        if (i->name[0] != 0 && strcmp(i->name, name) == 0) {
            key = i->key;
            break;
        }
        if (i->name[0] != 0 && i->key >= key)
            key = i->key + 1;
    }
    err = put_copy(s, key, name, data, len);
    return err != 0 ? err : rebuild_dir(s);
}

/* -- Command blocks ---------------------------------------------------------------------------- */

/* Store n bytes of the selected item at pa; false: a bus error, or too much padding. */
static bool store(struct fwcfg *s, const struct item *i, uint64_t pa, uint64_t n)
{
    static const uint8_t zeroes[4096];
    uint64_t have = i != NULL && s->off < i->len ? i->len - s->off : 0;

    if (have > n)
        have = n;
    if (have > 0 && !dma_write(s->dev.vm, pa, i->data + s->off, have))
        return false;
    if (n - have > PAD_MAX)
        return false;
    for (pa += have, n -= have; n > 0;) {
        uint64_t len = n < sizeof(zeroes) ? n : sizeof(zeroes);

        if (!dma_write(s->dev.vm, pa, zeroes, len))
            return false;
        pa += len;
        n -= len;
    }
    return true;
}

static void select_key(struct fwcfg *s, uint16_t key)
{
    s->key = key;
    s->off = 0;
}

static void run_command(struct fwcfg *s, uint64_t block)
{
    struct vm *vm = s->dev.vm;
    uint32_t control, len, result = 0;
    uint8_t cmd[16];
    uint64_t pa;

    if (!dma_read(vm, block, cmd, sizeof(cmd))) {
        vm_log(vm, LOG_GUEST_ERROR, "fwcfg: command block at %llx", (unsigned long long)block);
        return;
    }
    memcpy(&control, cmd, 4);
    memcpy(&len, cmd + 4, 4);
    memcpy(&pa, cmd + 8, 8);
    control = __builtin_bswap32(control);
    len = __builtin_bswap32(len);
    pa = __builtin_bswap64(pa);
    if (control & DMA_SELECT)
        select_key(s, (uint16_t)(control >> 16));
    if (control & DMA_READ) {
        if (!store(s, find(s, s->key), pa, len))
            result = __builtin_bswap32(DMA_ERROR);
    } else if (control & DMA_WRITE) {
        result = __builtin_bswap32(DMA_ERROR);
    }
    if (result == 0 && (control & (DMA_READ | DMA_SKIP)))
        s->off += len;
    dma_write(vm, block, &result, 4);
}

/* -- Ports ------------------------------------------------------------------------------------- */

static uint64_t data_read(void *dev, uint32_t off, unsigned n)
{
    struct fwcfg *s = dev;
    const struct item *i = find(s, s->key);

    (void)off;
    (void)n;
    if (i == NULL || s->off >= i->len)
        return 0;
    return i->data[s->off++];
}

static void select_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    if (off == 0 && n == 2)
        select_key(dev, (uint16_t)val);
}

static uint64_t dma_port_read(void *dev, uint32_t off, unsigned n)
{
    uint64_t val = 0;

    (void)dev;
    memcpy(&val, dma_signature + (off & 7), n <= 8 - (off & 7) ? n : 0);
    return val;
}

static void dma_port_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct fwcfg *s = dev;
    uint32_t half = __builtin_bswap32((uint32_t)val);

    if (n != 4)
        return;
    if (off == 0) {
        s->dma_high = half;
    } else if (off == 4) {
        uint64_t block = (uint64_t)s->dma_high << 32 | half;

        s->dma_high = 0;
        run_command(s, block);
    }
}

/* -- The device -------------------------------------------------------------------------------- */

/* RAM as firmware is to lay it out: base, size, type 1. */
static int add_e820(struct vm *vm)
{
    const uint64_t ranges[2][2] = {{0, mem_below_4g(vm)}, {UINT64_C(1) << 32, mem_above_4g(vm)}};
    uint8_t map[2 * 20];
    size_t len = 0;

    for (unsigned n = 0; n < 2; n++) {
        uint32_t type = 1;

        if (ranges[n][1] == 0)
            continue;
        memcpy(map + len, ranges[n], 16);
        memcpy(map + len + 16, &type, 4);
        len += 20;
    }
    return fwcfg_add_file(vm, "etc/e820", map, len);
}

/* A count, then ID, address, minimal tick and protection. */
static int add_hpet(struct vm *vm)
{
    uint8_t info[1 + 8 * 15] = {1};
    const uint32_t id = HPET_ID;
    const uint64_t at = HPET_BASE;

    memcpy(info + 1, &id, 4);
    memcpy(info + 5, &at, 8);
    return fwcfg_set(vm, FWCFG_HPET, info, sizeof(info));
}

static int add_standard(struct vm *vm)
{
    const struct vm_config *cfg = vm_config(vm);
    static const uint8_t none[16];
    int err = 0;
    const struct {
        uint16_t key;
        uint8_t bytes;
        uint64_t val;
    } ints[] = {
        {FWCFG_ID, 4, ID_TRADITIONAL | ID_DMA},
        {FWCFG_RAM_SIZE, 8, cfg->ram_bytes},
        {FWCFG_NOGRAPHIC, 2, 0},
        {FWCFG_CPUS, 2, cfg->cpus},
        {FWCFG_MAX_CPUS, 2, cfg->cpus},
        {FWCFG_BOOT_MENU, 2, cfg->boot.menu},
        {FWCFG_IRQ0_OVERRIDE, 4, 1},
    };

    for (unsigned n = 0; err == 0 && n < sizeof(ints) / sizeof(ints[0]); n++)
        err = fwcfg_set_int(vm, ints[n].key, ints[n].val, ints[n].bytes);
    if (err == 0)
        err = fwcfg_set(vm, FWCFG_SIGNATURE, dma_signature, 4);
    if (err == 0)
        err = fwcfg_set(vm, FWCFG_UUID, none, sizeof(none));
    if (err == 0)
        err = fwcfg_set(vm, FWCFG_NUMA, none, sizeof(none));
    if (err == 0 && device_find(vm, &hpet_class, 0) != NULL)
        err = add_hpet(vm);
    return err != 0 ? err : add_e820(vm);
}

static void reset(struct device *d)
{
    struct fwcfg *s = (struct fwcfg *)d;

    select_key(s, 0);
    s->dma_high = 0;
}

static void unrealize(struct device *d)
{
    struct fwcfg *s = (struct fwcfg *)d;

    for (unsigned n = 0; n < s->count; n++)
        free(s->items[n].owned);
    s->count = 0;
}

static int realize(struct device *d)
{
    static const struct io_ops data_ops = {data_read, select_write, IO_8 | IO_16};
    static const struct io_ops dma_ops = {dma_port_read, dma_port_write, IO_8 | IO_16 | IO_32};
    int err = bus_claim_ports(d->vm, "fwcfg", 0x510, 2, &data_ops, d);

    if (err == 0)
        err = bus_claim_ports(d->vm, "fwcfg-dma", 0x514, 8, &dma_ops, d);
    if (err == 0)
        err = add_standard(d->vm);
    if (err == 0)
        err = fwcfg_add_tables(d->vm);
    if (err != 0)
        unrealize(d);
    return err;
}

static const struct field fwcfg_fields[] = {
    FIELDS_DEVICE(struct fwcfg),  FIELD(struct fwcfg, key),
    FIELD(struct fwcfg, off),     FIELD(struct fwcfg, dma_high),
    UNSAVED(struct fwcfg, items), UNSAVED(struct fwcfg, count),
    UNSAVED(struct fwcfg, dir),   FIELDS_END,
};

const struct device_class fwcfg_class = {
    .name = "fwcfg",
    .desc = "firmware configuration",
    .size = sizeof(struct fwcfg),
    .fields = fwcfg_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
};
