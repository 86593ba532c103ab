/* SPDX-License-Identifier: MIT */
/* A host that drives the IDE controller by its registers: for the tests of disks and CD-ROMs. What
 * the images hold is pattern(); results of requests come when the host waits for them. */
#ifndef TESTS_IDE_HOST_H
#define TESTS_IDE_HOST_H

#include "devices/ide.h"
#include "devices/ide_state.h"
#include "tests/unit/disk_files.h"
#include "tests/unit/fake_cpu.h"
#include "vmm/vmm_internal.h"

#define PRIMARY   0x1f0
#define SECONDARY 0x170
#define CONTROL   0x206 /* from the command block's ports */
#define BM        0xc000
#define TABLE     0x10000u /* of descriptors */

enum { R_DATA, R_ERROR, R_COUNT, R_LBA0, R_LBA1, R_LBA2, R_DEVICE, R_STATUS };

struct host {
    struct vm *vm;
    uint16_t port; /* of the channel in use */
    bool irq[IDE_CHANNELS];
    unsigned irqs[IDE_CHANNELS]; /* rising edges */
};

static inline uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 7 + (at >> 9) * 13 + (at >> 17));
}

static inline void make_image(const char *name, uint64_t size)
{
    uint64_t n = size < (4u << 20) ? size : 4u << 20;
    uint8_t *bytes = malloc(n);

    for (uint64_t k = 0; k < n; k++)
        bytes[k] = pattern(k);
    make_file(name, bytes, n, size);
    free(bytes);
}

static inline void host_irq(void *opaque, int n, bool level)
{
    struct host *h = opaque;

    h->irqs[n] += level && !h->irq[n];
    h->irq[n] = level;
}

static inline unsigned channel_of(const struct host *h)
{
    return h->port == SECONDARY;
}

static inline struct ide *ide_of(const struct host *h)
{
    return (struct ide *)device_find(h->vm, &ide_class, 0);
}

static inline struct ide_channel *ide_channel_of(const struct host *h)
{
    return &ide_of(h)->channel[channel_of(h)];
}

static inline struct host host_create(const struct drive_config *drives, unsigned count)
{
    static const struct board_row rows[] = {{&pci_class, NULL}, {&ide_class, NULL}, {NULL, NULL}};
    static const struct board board = {"ide", rows};
    const struct vm_config cfg = {.drives = drives, .drive_count = count};
    struct host h = {.port = PRIMARY};

    fake_guest = NULL;
    h.vm = fake_vm_with(&cfg, &board);
    vm_lock(h.vm);
    pci_config_write(h.vm, IDE_DEVFN, PCI_BAR0 + 16, 4, BM);
    pci_config_write(h.vm, IDE_DEVFN, PCI_COMMAND, 2, 5);
    vm_unlock(h.vm);
    return h;
}

/* The host does not move once its lines are connected. */
static inline void host_connect(struct host *h)
{
    for (int n = 0; n < IDE_CHANNELS; n++)
        ide_of(h)->channel[n].line = (struct irq){host_irq, h, n};
}

static inline uint8_t in(const struct host *h, unsigned reg)
{
    return (uint8_t)bus_port_in(h->vm, (uint16_t)(h->port + reg), 1);
}

static inline void out(const struct host *h, unsigned reg, unsigned val)
{
    bus_port_out(h->vm, (uint16_t)(h->port + reg), 1, val);
}

/* Until no drive has anything to do. */
static inline void settle(const struct host *h)
{
    vm_lock(h->vm);
    drives_drain(h->vm);
    vm_unlock(h->vm);
}

static inline uint8_t wait_status(const struct host *h)
{
    settle(h);
    return in(h, R_STATUS);
}

static inline void read_data(const struct host *h, void *to, unsigned n)
{
    for (unsigned k = 0; k < n; k += 2) {
        uint16_t val = (uint16_t)bus_port_in(h->vm, h->port, 2);

        memcpy((uint8_t *)to + k, &val, n - k < 2 ? 1 : 2);
    }
}

static inline void write_data(const struct host *h, const void *from, unsigned n)
{
    for (unsigned k = 0; k < n; k += 2) {
        uint16_t val;

        memcpy(&val, (const uint8_t *)from + k, 2);
        bus_port_out(h->vm, h->port, 2, val);
    }
}

/* -- Bus master -------------------------------------------------------------------------------- */

static inline uint16_t bm_port(const struct host *h, unsigned off)
{
    return (uint16_t)(BM + 8 * channel_of(h) + off);
}

static inline uint8_t bm_status(const struct host *h)
{
    return (uint8_t)bus_port_in(h->vm, bm_port(h, 2), 1);
}

static inline void put_descriptor(const struct host *h, unsigned n, uint32_t at, uint32_t bytes,
                                  bool last)
{
    uint32_t prd[2] = {at, (bytes & 0xffff) | (last ? 0x80000000 : 0)};

    vm_lock(h->vm);
    ck_assert(dma_write(h->vm, TABLE + 8 * n, prd, sizeof(prd)));
    vm_unlock(h->vm);
}

static inline void bm_start(const struct host *h, bool to_memory)
{
    bus_port_out(h->vm, bm_port(h, 4), 4, TABLE);
    bus_port_out(h->vm, bm_port(h, 2), 1, BM_ERROR | BM_INTERRUPT);
    bus_port_out(h->vm, bm_port(h, 0), 1, (to_memory ? BM_TO_MEMORY : 0) | BM_START);
}

static inline void bm_stop(const struct host *h)
{
    bus_port_out(h->vm, bm_port(h, 0), 1, 0);
}

static inline void from_memory(const struct host *h, uint32_t at, void *to, size_t n)
{
    vm_lock(h->vm);
    ck_assert(dma_read(h->vm, at, to, n));
    vm_unlock(h->vm);
}

static inline void to_memory(const struct host *h, uint32_t at, const void *from, size_t n)
{
    vm_lock(h->vm);
    ck_assert(dma_write(h->vm, at, from, n));
    vm_unlock(h->vm);
}

static inline void check_pattern(const uint8_t *bytes, uint64_t at, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (bytes[k] != pattern(at + k))
            ck_abort_msg("byte %zu of %zu, from %llu", k, n, (unsigned long long)at);
    }
}

/* Save, reset and load the controller: nothing may be noticed. */
static inline void save_and_load(const struct host *h)
{
    struct device *d = device_find(h->vm, &ide_class, 0);
    size_t n = device_state_size(d);
    uint8_t *a = malloc(n), *b = malloc(n);

    vm_lock(h->vm);
    device_save(d, a);
    ide_class.reset(d);
    device_load(d, a);
    if (ide_channel_of(h)->phase != IDE_DISK) { /* then the buffer is the worker's */
        device_save(d, b);
        for (size_t k = 0; k < n; k++) {
            if (a[k] != b[k])
                ck_abort_msg("byte %zu of the state was %u and is %u", k, a[k], b[k]);
        }
    }
    vm_unlock(h->vm);
    free(a);
    free(b);
}

#endif
