/* SPDX-License-Identifier: MIT */
/* Debug consoles: port E9 of Bochs and port 402 of SeaBIOS. What is written goes to the user's
 * debugcon; reading gives E9, by which guests know that the port is there. Absent without a
 * debugcon. */
#include "devices/debugport.h"

#include <errno.h>

#include "vmm/vm.h"

#define DEBUGPORT_ID 0xe9

struct debugport {
    struct device dev;
    struct chardev *cd;
};

static uint64_t debugport_read(void *dev, uint32_t off, unsigned n)
{
    (void)dev;
    (void)off;
    (void)n;
    return DEBUGPORT_ID;
}

static void debugport_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct debugport *s = dev;
    uint8_t byte = (uint8_t)val;

    (void)off;
    (void)n;
    chardev_write(s->cd, &byte, 1);
}

static void reset(struct device *d)
{
    (void)d;
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {debugport_read, debugport_write, IO_8};
    struct debugport *s = (struct debugport *)d;
    const char *spec = vm_config(d->vm)->debugcon;
    char err[VM_ERR_LEN];
    int rc;

    if (spec == NULL)
        return 0;
    s->cd = chardev_open(d->vm, "debugcon", spec, err);
    if (s->cd == NULL)
        return vm_fail(d->vm, -EINVAL, "debugcon: %s", err);
    chardev_attach(s->cd, &chardev_no_input, s);
    rc = bus_claim_ports(d->vm, "debugport-e9", 0xe9, 1, &ops, s);
    if (rc == 0)
        rc = bus_claim_ports(d->vm, "debugport-402", 0x402, 1, &ops, s);
    return rc;
}

static void unrealize(struct device *d)
{
    struct debugport *s = (struct debugport *)d;

    if (s->cd != NULL)
        chardev_close(s->cd);
    s->cd = NULL;
}

static const struct field debugport_fields[] = {
    FIELDS_DEVICE(struct debugport),
    UNSAVED(struct debugport, cd),
    FIELDS_END,
};

const struct device_class debugport_class = {
    .name = "debugport",
    .desc = "debug consoles at ports E9 and 402",
    .size = sizeof(struct debugport),
    .fields = debugport_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
};
