/* SPDX-License-Identifier: MIT */
/* The firmware's ROM: an image of the user's (-bios), or our own BIOS. It ends at 4 GiB, where the
 * processor fetches its first instruction; its last 128 KiB, or all of a smaller one, are seen
 * below 1 MiB too (82371SB data sheet 290550, 2.2.4), until the host bridge's PAM registers put RAM
 * there. Absent where a kernel is booted without it. */
#include "devices/firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/image.h"
#include "devices/roms.h"
#include "vmm/vm.h"

#define UNIT    0x10000u   /* what a segment register reaches */
#define MAX     0x1000000u /* below lie the interrupt controllers */
#define LOW_MAX 0x20000u
#define LOW_END UINT64_C(0x100000)
#define END     (UINT64_C(1) << 32)

struct firmware {
    struct device dev;
    struct region high, low;
};

static int check_size(struct vm *vm, const struct image *rom)
{
    if (rom->size % UNIT != 0)
        return vm_fail(vm, -EINVAL, "-bios %s: %zu bytes are not a multiple of 64 KiB", rom->path,
                       rom->size);
    if (rom->size > MAX)
        return vm_fail(vm, -EFBIG, "-bios %s: larger than 16 MiB", rom->path);
    return 0;
}

static int map_rom(struct firmware *s, const struct image *rom)
{
    struct vm *vm = s->dev.vm;
    uint64_t low = rom->size < LOW_MAX ? rom->size : LOW_MAX, at;
    int err = mem_alloc(vm, rom->size, &at);

    if (err != 0)
        return err;
    s->high = (struct region){.name = "firmware",
                              .base = MEM_UNMAPPED,
                              .size = rom->size,
                              .kind = REGION_ROM,
                              .ram_off = at};
    s->low = (struct region){.name = "firmware-low",
                             .base = MEM_UNMAPPED,
                             .size = low,
                             .kind = REGION_ROM,
                             .ram_off = at + rom->size - low};
    err = mem_map(vm, &s->high, END - rom->size);
    if (err == 0)
        mem_load(vm, END - rom->size, rom->data, rom->size);
    return err != 0 ? err : mem_map(vm, &s->low, LOW_END - low);
}

/* Our own: an image as read from a file, in memory that the caller frees. */
static int copy_built_in(struct vm *vm, struct image *rom)
{
    rom->path = "built-in";
    rom->size = (size_t)(rom_bios_end - rom_bios);
    rom->data = malloc(rom->size);
    if (rom->data == NULL)
        return vm_fail(vm, -ENOMEM, "firmware: out of memory");
    memcpy(rom->data, rom_bios, rom->size);
    return 0;
}

/* `file`: NULL is our own. */
static int add(struct firmware *s, const char *file)
{
    struct vm *vm = s->dev.vm;
    struct image rom = {NULL, NULL, 0};
    int err = file != NULL ? image_read(vm, file, &rom) : copy_built_in(vm, &rom);

    if (err == 0)
        err = check_size(vm, &rom);
    if (err == 0)
        err = map_rom(s, &rom);
    free(rom.data);
    return err;
}

int firmware_add_built_in(struct vm *vm)
{
    return add((struct firmware *)device_find(vm, &firmware_class, 0), NULL);
}

static int realize(struct device *d)
{
    struct firmware *s = (struct firmware *)d;
    const struct vm_config *cfg = vm_config(d->vm);

    s->high.base = s->low.base = MEM_UNMAPPED;
    if (cfg->bios == NULL && (cfg->kernel != NULL || cfg->kernel_data != NULL))
        return 0;
    return add(s, cfg->bios);
}

static void unrealize(struct device *d)
{
    struct firmware *s = (struct firmware *)d;

    mem_map(d->vm, &s->high, MEM_UNMAPPED);
    mem_map(d->vm, &s->low, MEM_UNMAPPED);
}

static void reset(struct device *d)
{
    (void)d;
}

static const struct field firmware_fields[] = {
    FIELDS_DEVICE(struct firmware),
    UNSAVED(struct firmware, high),
    UNSAVED(struct firmware, low),
    FIELDS_END,
};

const struct device_class firmware_class = {
    .name = "firmware",
    .desc = "firmware ROM",
    .size = sizeof(struct firmware),
    .fields = firmware_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
};
