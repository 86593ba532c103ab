/* SPDX-License-Identifier: MIT */
/* Interrupt lines of the ISA bus: each is the wired OR of the devices on it and fans out to the PIC
 * pair and to the I/O APIC, where the timer's line 0 is on input 2 (MultiProcessor
 * Specification 1.4, appendix D; the ACPI tables name it as an override). Line 2 is the PIC's
 * cascade and no bus line. */
#include "devices/isa.h"

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "vmm/vm.h"

#define ISA_LINES   16
#define ISA_DRIVERS 32 /* of one line */

struct isa {
    struct device dev;
    uint32_t driven[ISA_LINES]; /* bit: that driver holds the line high */
    uint8_t drivers[ISA_LINES]; /* handed out */
    struct irq pic[ISA_LINES], ioapic[ISA_LINES];
};

/* n: line and driver. */
static void drive(void *opaque, int n, bool level)
{
    struct isa *s = opaque;
    unsigned line = n & (ISA_LINES - 1);
    uint32_t bit = UINT32_C(1) << ((unsigned)n / ISA_LINES);

    s->driven[line] = level ? s->driven[line] | bit : s->driven[line] & ~bit;
    irq_set(&s->pic[line], s->driven[line] != 0);
    irq_set(&s->ioapic[line], s->driven[line] != 0);
}

struct irq isa_irq(struct vm *vm, unsigned n)
{
    struct isa *s = (struct isa *)device_find(vm, &isa_class, 0);

    if (s == NULL || n >= ISA_LINES || s->drivers[n] == ISA_DRIVERS)
        return (struct irq){NULL, NULL, 0};
    return (struct irq){drive, s, (int)(n + ISA_LINES * s->drivers[n]++)};
}

static int realize(struct device *d)
{
    struct isa *s = (struct isa *)d;

    for (unsigned n = 0; n < ISA_LINES; n++) {
        s->pic[n] = pic_input(d->vm, n);
        if (n != 2)
            s->ioapic[n] = ioapic_input(d->vm, n == 0 ? 2 : n);
    }
    return 0;
}

static void reset(struct device *d)
{
    (void)d; /* the levels are the drivers' */
}

static const struct field isa_fields[] = {
    FIELDS_DEVICE(struct isa), FIELD_ARRAY(struct isa, driven), UNSAVED(struct isa, drivers),
    UNSAVED(struct isa, pic),  UNSAVED(struct isa, ioapic),     FIELDS_END,
};

const struct device_class isa_class = {
    .name = "isa",
    .desc = "ISA interrupt lines",
    .size = sizeof(struct isa),
    .fields = isa_fields,
    .realize = realize,
    .reset = reset,
};
