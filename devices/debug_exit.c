/* SPDX-License-Identifier: MIT */
/* isa-debug-exit, as QEMU has it: writing val to one of its ports ends the program with exit status
 * (val << 1) | 1, so that status 0 cannot be had. Reads give zero. Not on the board by itself. */
#include "devices/debug_exit.h"

#include <errno.h>

#include "vmm/vm.h"

struct debug_exit {
    struct device dev;
};

static uint64_t debug_exit_read(void *dev, uint32_t off, unsigned n)
{
    (void)dev;
    (void)off;
    (void)n;
    return 0;
}

static void debug_exit_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct debug_exit *s = dev;

    (void)off;
    (void)n;
    vm_request_debug_exit(s->dev.vm, (int)((val << 1 | 1) & 0x7fffffff));
}

static void reset(struct device *d)
{
    (void)d;
}

static int realize(struct device *d)
{
    static const struct debug_exit_cfg usual = {0x501, 2};
    static const struct io_ops ops = {debug_exit_read, debug_exit_write, IO_8 | IO_16 | IO_32};
    const struct debug_exit_cfg *cfg = d->cfg != NULL ? d->cfg : &usual;

    if (cfg->iosize == 0 || cfg->iobase + cfg->iosize > 0x10000)
        return vm_fail(d->vm, -EINVAL, "isa-debug-exit: no such ports: iobase=%#x,iosize=%#x",
                       cfg->iobase, cfg->iosize);
    return bus_claim_ports(d->vm, "isa-debug-exit", cfg->iobase, cfg->iosize, &ops, d);
}

static const struct field debug_exit_fields[] = {
    FIELDS_DEVICE(struct debug_exit),
    FIELDS_END,
};

const struct device_class debug_exit_class = {
    .name = "isa-debug-exit",
    .desc = "port that ends the program",
    .size = sizeof(struct debug_exit),
    .fields = debug_exit_fields,
    .realize = realize,
    .reset = reset,
};
