/* SPDX-License-Identifier: MIT */
/* pc-testdev, as QEMU has it, for test kernels. Not on the board by itself.
 *
 *   ports E0-E3      four bytes of storage, at any width
 *   ports E4-E7      ask the host to forget a page; there is nothing that a guest would notice
 *   ports E8-EB      the same storage, but byte by byte: wider accesses are split by the bus
 *   ports 2000-2017  levels of the interrupt lines 0-23: those of ISA, then inputs of the I/O APIC
 *   FF000000         64 KiB of storage reached as MMIO */
#include "devices/pc_testdev.h"

#include "devices/ioapic.h"
#include "devices/isa.h"
#include "vmm/mem.h"
#include "vmm/vm.h"

#define STORAGE_PORT 0xe0
#define FLUSH_PORT   0xe4
#define BYTES_PORT   0xe8
#define PORTS        4
#define LINES_PORT   0x2000
#define LINES        IOAPIC_INPUTS
#define ISA_LINES    16
#define MEMORY_BASE  UINT64_C(0xff000000)
#define MEMORY_SIZE  0x10000u

struct pc_testdev {
    struct device dev;
    uint8_t storage[PORTS];
    bool level[LINES];
    uint8_t memory[MEMORY_SIZE];
    struct irq line[LINES];
    struct region region;
};

/* -- Storage: little-endian, and an access that leaves it wraps around --------------------------
 */

static uint64_t load(const uint8_t *bytes, uint32_t size, uint32_t off, unsigned n)
{
    uint64_t val = 0;

    for (unsigned k = 0; k < n; k++)
        val |= (uint64_t)bytes[(off + k) % size] << (8 * k);
    return val;
}

static void store(uint8_t *bytes, uint32_t size, uint32_t off, unsigned n, uint64_t val)
{
    for (unsigned k = 0; k < n; k++)
        bytes[(off + k) % size] = (uint8_t)(val >> (8 * k));
}

static uint64_t storage_read(void *dev, uint32_t off, unsigned n)
{
    return load(((struct pc_testdev *)dev)->storage, PORTS, off, n);
}

static void storage_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    store(((struct pc_testdev *)dev)->storage, PORTS, off, n, val);
}

static uint64_t memory_read(void *dev, uint32_t off, unsigned n)
{
    return load(((struct pc_testdev *)dev)->memory, MEMORY_SIZE, off, n);
}

static void memory_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    store(((struct pc_testdev *)dev)->memory, MEMORY_SIZE, off, n, val);
}

static uint64_t flush_read(void *dev, uint32_t off, unsigned n)
{
    (void)dev, (void)off, (void)n;
    return 0;
}

static void flush_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)dev, (void)off, (void)n, (void)val;
}

/* -- Interrupt lines --------------------------------------------------------------------------- */

static uint64_t lines_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return ((struct pc_testdev *)dev)->level[off];
}

static void lines_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct pc_testdev *s = dev;

    (void)n;
    s->level[off] = val != 0;
    irq_set(&s->line[off], s->level[off]);
}

/* -- Life -------------------------------------------------------------------------------------- */

static void reset(struct device *d)
{
    struct pc_testdev *s = (struct pc_testdev *)d;

    for (unsigned k = 0; k < LINES; k++)
        lines_write(s, k, 1, 0);
    for (unsigned k = 0; k < PORTS; k++)
        s->storage[k] = 0;
    for (unsigned k = 0; k < MEMORY_SIZE; k++)
        s->memory[k] = 0;
}

static void unrealize(struct device *d)
{
    mem_map(d->vm, &((struct pc_testdev *)d)->region, MEM_UNMAPPED);
}

static int claim_ports(struct device *d)
{
    static const struct io_ops storage = {storage_read, storage_write, IO_8 | IO_16 | IO_32};
    static const struct io_ops flush = {flush_read, flush_write, IO_8 | IO_16 | IO_32};
    static const struct io_ops bytes = {storage_read, storage_write, IO_8};
    static const struct io_ops lines = {lines_read, lines_write, IO_8};
    const struct {
        uint16_t first, count;
        const struct io_ops *ops;
    } claims[] = {{STORAGE_PORT, PORTS, &storage},
                  {FLUSH_PORT, PORTS, &flush},
                  {BYTES_PORT, PORTS, &bytes},
                  {LINES_PORT, LINES, &lines}};

    for (unsigned k = 0; k < sizeof(claims) / sizeof(claims[0]); k++) {
        int err = bus_claim_ports(d->vm, "pc-testdev", claims[k].first, claims[k].count,
                                  claims[k].ops, d);
        if (err != 0)
            return err;
    }
    return 0;
}

static int realize(struct device *d)
{
    static const struct io_ops memory = {memory_read, memory_write, IO_8 | IO_16 | IO_32 | IO_64};
    struct pc_testdev *s = (struct pc_testdev *)d;
    int err = claim_ports(d);

    if (err != 0)
        return err;
    for (unsigned k = 0; k < LINES; k++)
        s->line[k] = k < ISA_LINES ? isa_irq(d->vm, k) : ioapic_input(d->vm, k);
    s->region = (struct region){.name = "pc-testdev",
                                .base = MEM_UNMAPPED,
                                .size = MEMORY_SIZE,
                                .kind = REGION_MMIO,
                                .ops = &memory,
                                .dev = s};
    return mem_map(d->vm, &s->region, MEMORY_BASE);
}

static const struct field pc_testdev_fields[] = {
    FIELDS_DEVICE(struct pc_testdev),
    FIELD_ARRAY(struct pc_testdev, storage),
    FIELD_ARRAY(struct pc_testdev, level),
    FIELD_ARRAY(struct pc_testdev, memory),
    UNSAVED(struct pc_testdev, line),
    UNSAVED(struct pc_testdev, region),
    FIELDS_END,
};

const struct device_class pc_testdev_class = {
    .name = "pc-testdev",
    .desc = "ports, memory and interrupt lines for test kernels",
    .size = sizeof(struct pc_testdev),
    .fields = pc_testdev_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
};
