/* SPDX-License-Identifier: MIT */
/* Parallel port of the PC/AT (IEEE 1284 compatibility mode; IBM's Technical Reference, "Printer
 * Adapter") and a printer whose paper is a chardev.
 *
 * The printer takes a byte when Strobe goes active. It is busy for some microseconds, then pulses
 * nAck, which interrupts if that is enabled, and is ready. Who polls for the pulse must not miss it
 * on a host that is slow: it lasts until the status is read, or the next byte comes. Left out:
 * input and the modes that need it (nibble, byte, EPP, ECP). */
#include "devices/parallel.h"

#include <errno.h>

#include "devices/isa.h"
#include "vmm/vm.h"

#define PARALLEL_LINE 7

enum parallel_reg { PARALLEL_DATA, PARALLEL_STATUS, PARALLEL_CONTROL };

/* Bits 0-2 read as zeros: firmware passes them on, and 0 would mean a timeout. */
#define STATUS_NERROR   0x08
#define STATUS_SELECTED 0x10
#define STATUS_NACK     0x40
#define STATUS_NBUSY    0x80

#define CONTROL_STROBE   0x01
#define CONTROL_NINIT    0x04
#define CONTROL_SELECT   0x08
#define CONTROL_IRQ      0x10
#define CONTROL_WRITABLE 0x1f
#define CONTROL_UNUSED   0xc0

#define BUSY_NS UINT64_C(10000)

struct parallel {
    struct device dev;
    uint8_t data, control;
    bool acking;        /* nAck is active */
    struct timer ready; /* armed while the printer is busy */
    struct chardev *cd;
    struct irq irq;
};

static void ready_due(void *opaque)
{
    struct parallel *s = opaque;

    s->acking = true;
    if (s->control & CONTROL_IRQ)
        irq_pulse(&s->irq);
}

static uint8_t status(const struct parallel *s)
{
    uint8_t val = STATUS_NERROR | STATUS_SELECTED;
    bool busy = s->ready.due_ns != TIMER_IDLE;

    if (!s->acking)
        val |= STATUS_NACK;
    if (!busy && (s->control & CONTROL_NINIT))
        val |= STATUS_NBUSY;
    return val;
}

/* A busy printer takes nothing, and neither does one that is being initialized. */
static void write_control(struct parallel *s, uint8_t val)
{
    bool strobes = (val & CONTROL_STROBE) && !(s->control & CONTROL_STROBE);

    if (strobes && (status(s) & STATUS_NBUSY)) {
        chardev_write(s->cd, &s->data, 1);
        s->acking = false;
        timer_arm(s->dev.vm, &s->ready, clock_now(s->dev.vm) + BUSY_NS);
    }
    s->control = val & CONTROL_WRITABLE;
}

static uint64_t parallel_read(void *dev, uint32_t off, unsigned n)
{
    struct parallel *s = dev;
    uint8_t val;

    (void)n;
    switch (off) {
    case PARALLEL_DATA: return s->data;
    case PARALLEL_STATUS:
        val = status(s);
        s->acking = false;
        return val;
    default: return s->control | CONTROL_UNUSED;
    }
}

static void parallel_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct parallel *s = dev;

    (void)n;
    if (off == PARALLEL_DATA)
        s->data = (uint8_t)val;
    else if (off == PARALLEL_CONTROL)
        write_control(s, (uint8_t)val);
}

static void reset(struct device *d)
{
    struct parallel *s = (struct parallel *)d;

    s->data = 0;
    s->control = CONTROL_NINIT | CONTROL_SELECT;
    s->acking = false;
    timer_cancel(d->vm, &s->ready);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {parallel_read, parallel_write, IO_8};
    struct parallel *s = (struct parallel *)d;
    const char *spec = vm_config(d->vm)->parallel;
    char err[VM_ERR_LEN];

    timer_init(&s->ready, ready_due, s);
    if (spec == NULL)
        return 0; /* an empty socket */
    s->cd = chardev_open(d->vm, "parallel0", spec, err);
    if (s->cd == NULL)
        return vm_fail(d->vm, -EINVAL, "parallel port: %s", err);
    chardev_attach(s->cd, &chardev_no_input, s);
    s->irq = isa_irq(d->vm, PARALLEL_LINE);
    return bus_claim_ports(d->vm, "parallel", PARALLEL_BASE, 3, &ops, s);
}

static void unrealize(struct device *d)
{
    struct parallel *s = (struct parallel *)d;

    if (s->cd != NULL)
        chardev_close(s->cd);
    s->cd = NULL;
}

static const struct field parallel_fields[] = {
    FIELDS_DEVICE(struct parallel),      FIELD(struct parallel, data),
    FIELD(struct parallel, control),     FIELD(struct parallel, acking),
    FIELD_TIMER(struct parallel, ready), UNSAVED(struct parallel, cd),
    UNSAVED(struct parallel, irq),       FIELDS_END,
};

const struct device_class parallel_class = {
    .name = "parallel",
    .desc = "parallel port with a printer",
    .size = sizeof(struct parallel),
    .fields = parallel_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
};
