/* SPDX-License-Identifier: MIT */
/* System control port A at port 92 (82371SB data sheet 2.5.7): the fast A20 gate and the fast
 * reset, and the place where the two sources of A20 meet. The other bits are kept for whoever wrote
 * them. */
#include "devices/port92.h"

#include "vmm/vm.h"

#define PORT92_RESET 0x01
#define PORT92_A20   0x02

struct port92 {
    struct device dev;
    uint8_t val;
    bool keyboard_a20;
};

static void update_a20(struct port92 *s)
{
    vcpu_set_a20(s->dev.vm, s->keyboard_a20 || (s->val & PORT92_A20) != 0);
}

void port92_set_keyboard_a20(struct vm *vm, bool level)
{
    struct port92 *s = (struct port92 *)device_find(vm, &port92_class, 0);

    if (s == NULL) {
        vcpu_set_a20(vm, level);
        return;
    }
    s->keyboard_a20 = level;
    update_a20(s);
}

static uint64_t port92_read(void *dev, uint32_t off, unsigned n)
{
    struct port92 *s = dev;

    (void)off;
    (void)n;
    return s->val;
}

static void port92_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct port92 *s = dev;
    bool resets = (val & PORT92_RESET) && !(s->val & PORT92_RESET);

    (void)off;
    (void)n;
    s->val = (uint8_t)val;
    update_a20(s);
    if (resets)
        vm_request_reset(s->dev.vm);
}

static void reset(struct device *d)
{
    struct port92 *s = (struct port92 *)d;

    s->val = 0;
    s->keyboard_a20 = true; /* the pin floats high until the controller's firmware drives it */
    update_a20(s);
}

static void loaded(struct device *d)
{
    update_a20((struct port92 *)d);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {port92_read, port92_write, IO_8};

    return bus_claim_ports(d->vm, "port92", 0x92, 1, &ops, d);
}

static const struct field port92_fields[] = {
    FIELDS_DEVICE(struct port92),
    FIELD(struct port92, val),
    FIELD(struct port92, keyboard_a20),
    FIELDS_END,
};

const struct device_class port92_class = {
    .name = "port92",
    .desc = "system control port A (fast A20 and reset)",
    .size = sizeof(struct port92),
    .fields = port92_fields,
    .realize = realize,
    .reset = reset,
    .loaded = loaded,
};
