/* SPDX-License-Identifier: MIT */
/* 82441FX host bridge (PMC): 8086:1237, function 0:0.0 (data sheet 290549, 3.2).
 *
 * What has effects are the programmable attribute maps PAM0-6. Thirteen segments of C0000-FFFFF go,
 * for reads and for writes separately, to RAM or to PCI, where the firmware's ROM lies or nothing.
 * Under them and under the display's window at A0000 lies a region of nothing, so that RAM there is
 * seen only where a PAM opens it. A segment that reads from PCI and writes to RAM (the way to copy
 * a ROM onto itself) shows the ROM below 4 GiB; its writes take a second view of that RAM, far
 * above what a processor can address. SMRAM is stored only, as the processor has no system
 * management mode; the DRAM timing and boundary registers are plain bytes. The maps stay at the end
 * of a sleep: SeaBIOS tells that from a start by what its copy in RAM has noted. */
#include "devices/i440fx.h"

#include <string.h>

#include "devices/acpi_pm.h"
#include "devices/pci.h"
#include "vmm/vm.h"

#define RE   1u
#define WE   2u
#define PAMS 7

#define WINDOW   UINT64_C(0xa0000) /* display memory, adapter ROMs, firmware */
#define SHADOW   UINT64_C(0xc0000)
#define MIB      UINT64_C(0x100000)
#define ROM_TOP  (UINT64_C(1) << 32)
#define ALIAS    (UINT64_C(1) << 51)
#define SEGMENTS 13

struct segment {
    struct region region;
    uint8_t attr; /* RE, WE: how it is mapped now */
    struct vm *vm;
};

struct i440fx {
    struct pci_device pci;
    struct region nothing, alias;
    struct segment seg[SEGMENTS];
};

/* Segment 0 is the 64 KiB at F0000, in the high half of PAM0; the others are 16 KiB each. */
static uint64_t seg_base(unsigned n)
{
    return n == 0 ? 0xf0000 : SHADOW + (n - 1) * 0x4000;
}

static uint64_t seg_size(unsigned n)
{
    return n == 0 ? 0x10000 : 0x4000;
}

static unsigned seg_attr(const struct i440fx *s, unsigned n)
{
    unsigned reg = I440FX_PAM + (n + 1) / 2;

    return s->pci.config[reg] >> ((n + 1) % 2 * 4) & (RE | WE);
}

static uint64_t split_read(void *dev, uint32_t off, unsigned n)
{
    const struct segment *seg = dev;
    uint64_t val = 0;

    if (!dma_read(seg->vm, ROM_TOP - MIB + seg->region.base + off, &val, n))
        return UINT64_MAX;
    return val;
}

static void split_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    const struct segment *seg = dev;

    dma_write(seg->vm, ALIAS + (seg->region.base - SHADOW) + off, &val, n);
}

static void seg_update(struct i440fx *s, unsigned n)
{
    struct segment *seg = &s->seg[n];
    unsigned attr = seg_attr(s, n);

    if (attr == seg->attr)
        return;
    mem_map(seg->vm, &seg->region, MEM_UNMAPPED);
    seg->attr = (uint8_t)attr;
    seg->region.kind = attr == (RE | WE) ? REGION_RAM : attr == RE ? REGION_ROM : REGION_MMIO;
    if (attr != 0)
        mem_map(seg->vm, &seg->region, seg_base(n));
}

static void update(struct i440fx *s)
{
    for (unsigned n = 0; n < SEGMENTS; n++)
        seg_update(s, n);
}

static void written(struct pci_device *p, unsigned off, unsigned n)
{
    if (off < I440FX_PAM + 7 && off + n > I440FX_PAM)
        update((struct i440fx *)p);
}

static void reset(struct device *d)
{
    struct i440fx *s = (struct i440fx *)d;
    uint64_t units = mem_below_4g(d->vm) >> 23;
    uint8_t pams[PAMS];

    memcpy(pams, s->pci.config + I440FX_PAM, PAMS);
    pci_device_reset(&s->pci);
    memset(s->pci.config + 0x40, 0, PCI_CONFIG_SIZE - 0x40);
    s->pci.config[0x57] = (uint8_t)(units < 255 ? units : 255); /* DRAM in 8 MiB, for firmware */
    s->pci.config[I440FX_SMRAM] = 0x02;
    if (acpi_pm_wakes(d->vm))
        memcpy(s->pci.config + I440FX_PAM, pams, PAMS);
    update(s);
}

static void loaded(struct device *d)
{
    struct i440fx *s = (struct i440fx *)d;

    pci_device_loaded(&s->pci);
    update(s);
}

static int map_segments(struct i440fx *s)
{
    static const struct io_ops split_ops = {split_read, split_write, IO_8 | IO_16 | IO_32 | IO_64};
    struct vm *vm = s->pci.dev.vm;
    int err;

    s->nothing = (struct region){
        .name = "no-memory", .base = MEM_UNMAPPED, .size = MIB - WINDOW, .kind = REGION_MMIO};
    s->alias = (struct region){.name = "shadow-ram",
                               .base = MEM_UNMAPPED,
                               .size = MIB - SHADOW,
                               .kind = REGION_RAM,
                               .ram_off = SHADOW};
    err = mem_map(vm, &s->nothing, WINDOW);
    if (err == 0)
        err = mem_map(vm, &s->alias, ALIAS);
    for (unsigned n = 0; n < SEGMENTS; n++) {
        s->seg[n].vm = vm;
        s->seg[n].region = (struct region){.name = "pam",
                                           .base = MEM_UNMAPPED,
                                           .size = seg_size(n),
                                           .ram_off = seg_base(n),
                                           .ops = &split_ops,
                                           .dev = &s->seg[n]};
    }
    return err;
}

static void unrealize(struct device *d)
{
    struct i440fx *s = (struct i440fx *)d;

    for (unsigned n = 0; n < SEGMENTS; n++) {
        if (s->seg[n].attr != 0)
            mem_map(d->vm, &s->seg[n].region, MEM_UNMAPPED);
    }
    mem_map(d->vm, &s->alias, MEM_UNMAPPED);
    mem_map(d->vm, &s->nothing, MEM_UNMAPPED);
    pci_unregister(&s->pci);
}

static int realize(struct device *d)
{
    static const struct pci_ident id = {
        .vendor = 0x8086, .device = 0x1237, .class_code = 0x0600, .revision = 2};
    struct i440fx *s = (struct i440fx *)d;
    int err = pci_register(&s->pci, I440FX_DEVFN, &id);

    if (err != 0)
        return err;
    s->pci.written = written;
    err = map_segments(s);
    if (err != 0)
        unrealize(d);
    return err;
}

static const struct field i440fx_fields[] = {
    FIELD_SUB(struct i440fx, pci, pci_device_fields),
    UNSAVED(struct i440fx, nothing),
    UNSAVED(struct i440fx, alias),
    UNSAVED(struct i440fx, seg),
    FIELDS_END,
};

const struct device_class i440fx_class = {
    .name = "i440fx",
    .desc = "82441FX host bridge",
    .size = sizeof(struct i440fx),
    .fields = i440fx_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
