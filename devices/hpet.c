/* SPDX-License-Identifier: MIT */
/* High precision event timers at FED00000 (IA-PC HPET Specification 1.0a): a 64-bit counter of 100
 * MHz and three timers, each one-shot or periodic, edge or level.
 *
 * The counter is computed from the clock. A comparator interrupts when the counter has reached it,
 * also where that lies in the past when it is written (a chip would wait for the counter to wrap
 * around): a guest that is late loses no event. A periodic timer fires no more often than every 20
 * us. In legacy mode timers 0 and 1 take the places of the PIT's and the RTC's interrupts;
 * otherwise input 2 of the I/O APIC is the only route, as in QEMU's pc. Left out: FSB delivery; the
 * further matches of a one-shot timer each time that a 32-bit counter wraps. */
#include "devices/hpet.h"

#include "devices/ioapic.h"
#include "devices/isa.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "vmm/vm.h"

#define TIMERS     3
#define TICK_NS    10
#define PERIOD_FS  (TICK_NS * UINT64_C(1000000))
#define MIN_PERIOD (UINT64_C(20000) / TICK_NS)
#define FAR_AWAY   (UINT64_C(1) << 50)  /* ticks; a timer is armed no further ahead */
#define SILENT     UINT64_C(1000000000) /* ticks until one is looked at that nothing shows */
#define ROUTE_CAP  UINT32_C(4)

#define REG_CAPS    0x000
#define REG_CONFIG  0x010
#define REG_STATUS  0x020
#define REG_COUNTER 0x0f0
#define REG_TIMERS  0x100
#define TN_CONFIG   0x00
#define TN_COMPARE  0x08
#define TN_SPAN     0x20

#define CONFIG_ENABLE 0x1u
#define CONFIG_LEGACY 0x2u

#define TN_LEVEL        UINT64_C(0x0002)
#define TN_ENABLE       UINT64_C(0x0004)
#define TN_PERIODIC     UINT64_C(0x0008)
#define TN_PERIODIC_CAP UINT64_C(0x0010)
#define TN_SIZE_CAP     UINT64_C(0x0020)
#define TN_SET_VALUE    UINT64_C(0x0040)
#define TN_32BIT        UINT64_C(0x0100)
#define TN_ROUTE_SHIFT  9
#define TN_WRITABLE     UINT64_C(0x3f4e)
#define TN_FIXED        (TN_PERIODIC_CAP | TN_SIZE_CAP | (uint64_t)ROUTE_CAP << 32)

struct hpet;

struct hpet_timer {
    uint64_t config, compare, period;
    bool waiting; /* the counter has not reached the comparator yet */
    bool level;   /* drives its line */
    struct timer timer;
    struct hpet *hpet;
};

struct hpet {
    struct device dev;
    uint64_t config;
    uint64_t status; /* of level-triggered timers */
    uint64_t offset; /* counter at virtual time 0; while it stands, the counter */
    struct hpet_timer t[TIMERS];
    struct irq legacy[2];
    struct irq input[IOAPIC_INPUTS];
    struct region region;
};

static uint64_t ticks_now(const struct hpet *s)
{
    return clock_now(s->dev.vm) / TICK_NS;
}

static bool is_running(const struct hpet *s)
{
    return (s->config & CONFIG_ENABLE) != 0;
}

static uint64_t counter(const struct hpet *s)
{
    return is_running(s) ? s->offset + ticks_now(s) : s->offset;
}

static bool is_periodic(const struct hpet_timer *t)
{
    return (t->config & TN_PERIODIC) && t->period != 0;
}

/* -- Interrupts -------------------------------------------------------------------------------- */

static unsigned timer_index(const struct hpet_timer *t)
{
    return (unsigned)(t - t->hpet->t);
}

static const struct irq *line(const struct hpet_timer *t)
{
    const struct hpet *s = t->hpet;
    unsigned n = timer_index(t), route = t->config >> TN_ROUTE_SHIFT & 0x1f;

    if ((s->config & CONFIG_LEGACY) && n < 2)
        return &s->legacy[n];
    return &s->input[route < IOAPIC_INPUTS && (ROUTE_CAP >> route & 1) ? route : 0];
}

static void drive(struct hpet_timer *t, bool level)
{
    if (t->level == level)
        return;
    t->level = level;
    irq_set(line(t), level);
}

/* The level that a level-triggered timer should have. */
static void drive_status(struct hpet_timer *t)
{
    bool is_set = t->hpet->status >> timer_index(t) & 1;

    drive(t, is_set && (t->config & TN_ENABLE) && (t->config & TN_LEVEL));
}

static void interrupt(struct hpet_timer *t)
{
    if (t->config & TN_LEVEL) {
        t->hpet->status |= UINT64_C(1) << timer_index(t);
        drive_status(t);
    } else if (t->config & TN_ENABLE) {
        irq_pulse(line(t));
    }
}

/* -- Timers ------------------------------------------------------------------------------------ */

/* Ticks until the comparator is reached; 0: it has been. */
static uint64_t ticks_left(const struct hpet_timer *t)
{
    uint64_t left = t->compare - counter(t->hpet);

    if (t->config & TN_32BIT)
        left = (uint64_t)(int64_t)(int32_t)left;
    return (int64_t)left < 0 ? 0 : left;
}

/* Periods of a periodic timer until its comparator is ahead again. */
static void advance(struct hpet_timer *t)
{
    uint64_t behind = counter(t->hpet) - t->compare, period = t->period;

    if (t->config & TN_32BIT)
        behind = (uint32_t)behind;
    t->compare += (behind / period + 1) * period;
    if (t->config & TN_32BIT)
        t->compare = (uint32_t)t->compare;
}

/* Does nothing but its registers tell that the comparator has been reached? */
static bool is_silent(const struct hpet_timer *t)
{
    return !(t->config & (TN_ENABLE | TN_LEVEL));
}

static void arm(struct hpet_timer *t)
{
    struct hpet *s = t->hpet;
    uint64_t left = ticks_left(t);

    if (!is_running(s) || !t->waiting) {
        timer_cancel(s->dev.vm, &t->timer);
        return;
    }
    if (is_periodic(t) && t->period < MIN_PERIOD && left < MIN_PERIOD)
        left = MIN_PERIOD;
    if (is_silent(t) && left < SILENT)
        left = SILENT;
    if (left > FAR_AWAY)
        left = FAR_AWAY;
    timer_arm(s->dev.vm, &t->timer, clock_now(s->dev.vm) + left * TICK_NS);
}

/* Has the counter reached the comparator since this was asked last? */
static bool has_come(struct hpet_timer *t)
{
    if (!is_running(t->hpet) || !t->waiting || ticks_left(t) != 0)
        return false;
    if (is_periodic(t))
        advance(t);
    else
        t->waiting = false;
    return true;
}

static void fire(void *opaque)
{
    struct hpet_timer *t = opaque;

    if (has_come(t))
        interrupt(t);
    arm(t);
}

/* Before registers are used: silent timers have not fired when they should have. */
static void catch_up(struct hpet *s)
{
    for (unsigned n = 0; n < TIMERS; n++) {
        if (is_silent(&s->t[n]))
            has_come(&s->t[n]);
    }
}

static void arm_all(struct hpet *s)
{
    for (unsigned n = 0; n < TIMERS; n++)
        arm(&s->t[n]);
}

/* -- Registers --------------------------------------------------------------------------------- */

static void inhibit_others(struct hpet *s)
{
    bool inhibit = (s->config & CONFIG_LEGACY) != 0;

    pit_inhibit_irq(s->dev.vm, inhibit);
    rtc_inhibit_irq(s->dev.vm, inhibit);
}

static void write_config(struct hpet *s, uint64_t val)
{
    uint64_t count = counter(s);

    for (unsigned n = 0; n < TIMERS; n++)
        drive(&s->t[n], false); /* lines may change */
    s->config = val & (CONFIG_ENABLE | CONFIG_LEGACY);
    s->offset = is_running(s) ? count - ticks_now(s) : count;
    inhibit_others(s);
    for (unsigned n = 0; n < TIMERS; n++)
        drive_status(&s->t[n]);
    arm_all(s);
}

static void write_counter(struct hpet *s, uint64_t val)
{
    s->offset = is_running(s) ? val - ticks_now(s) : val;
    for (unsigned n = 0; n < TIMERS; n++)
        s->t[n].waiting = true;
    arm_all(s);
}

static void write_timer_config(struct hpet_timer *t, uint64_t val)
{
    drive(t, false);
    t->config = (t->config & ~TN_WRITABLE) | (val & TN_WRITABLE);
    if (t->config & TN_32BIT) {
        t->compare = (uint32_t)t->compare;
        t->period = (uint32_t)t->period;
    }
    if (!(t->config & TN_LEVEL))
        t->hpet->status &= ~(UINT64_C(1) << timer_index(t));
    drive_status(t);
    arm(t);
}

/* In periodic mode a write sets the period; the comparator too, where it was announced. */
static void write_compare(struct hpet_timer *t, uint64_t val, uint64_t mask)
{
    if (t->config & TN_32BIT)
        mask &= UINT32_MAX;
    if (!(t->config & TN_PERIODIC) || (t->config & TN_SET_VALUE))
        t->compare = (t->compare & ~mask) | (val & mask);
    if (t->config & TN_PERIODIC)
        t->period = (t->period & ~mask) | (val & mask);
    t->config &= ~TN_SET_VALUE;
    t->waiting = true;
    arm(t);
}

/* The 64-bit register at an aligned offset. */
static uint64_t reg_read(const struct hpet *s, uint32_t off)
{
    unsigned n = (off - REG_TIMERS) / TN_SPAN;

    switch (off) {
    case REG_CAPS: return HPET_ID | PERIOD_FS << 32;
    case REG_CONFIG: return s->config;
    case REG_STATUS: return s->status;
    case REG_COUNTER: return counter(s);
    default: break;
    }
    if (off < REG_TIMERS || n >= TIMERS)
        return 0;
    switch (off % TN_SPAN) {
    case TN_CONFIG: return s->t[n].config;
    case TN_COMPARE: return s->t[n].compare;
    default: return 0;
    }
}

/* mask: the bits that are written. */
static void reg_write(struct hpet *s, uint32_t off, uint64_t val, uint64_t mask)
{
    unsigned n = (off - REG_TIMERS) / TN_SPAN;
    uint64_t whole = (reg_read(s, off) & ~mask) | (val & mask);

    switch (off) {
    case REG_CONFIG: write_config(s, whole); return;
    case REG_STATUS:
        s->status &= ~(val & mask);
        for (unsigned k = 0; k < TIMERS; k++)
            drive_status(&s->t[k]);
        return;
    case REG_COUNTER: write_counter(s, whole); return;
    default: break;
    }
    if (off < REG_TIMERS || n >= TIMERS)
        return;
    if (off % TN_SPAN == TN_CONFIG)
        write_timer_config(&s->t[n], whole);
    else if (off % TN_SPAN == TN_COMPARE)
        write_compare(&s->t[n], val, mask);
}

static uint64_t mmio_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    catch_up(dev);
    return reg_read(dev, off & ~7u) >> (8 * (off & 7));
}

static void mmio_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    unsigned shift = 8 * (off & 7);
    uint64_t mask = n == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;

    catch_up(dev);
    reg_write(dev, off & ~7u, val << shift, mask);
}

/* -- The device -------------------------------------------------------------------------------- */

static void reset(struct device *d)
{
    struct hpet *s = (struct hpet *)d;

    for (unsigned n = 0; n < TIMERS; n++) {
        struct hpet_timer *t = &s->t[n];

        drive(t, false);
        t->config = TN_FIXED;
        t->compare = UINT64_MAX;
        t->period = 0;
        t->waiting = false;
    }
    s->config = s->status = s->offset = 0;
    inhibit_others(s);
    arm_all(s);
}

static void loaded(struct device *d)
{
    struct hpet *s = (struct hpet *)d;

    s->config &= CONFIG_ENABLE | CONFIG_LEGACY; /* a file may hold anything */
    for (unsigned n = 0; n < TIMERS; n++)
        s->t[n].config = (s->t[n].config & TN_WRITABLE) | TN_FIXED;
    inhibit_others(s);
    for (unsigned n = 0; n < TIMERS; n++)
        irq_set(line(&s->t[n]), s->t[n].level);
}

static void unrealize(struct device *d)
{
    mem_map(d->vm, &((struct hpet *)d)->region, MEM_UNMAPPED);
}

static int realize(struct device *d)
{
    static const struct io_ops ops = {mmio_read, mmio_write, IO_32 | IO_64};
    struct hpet *s = (struct hpet *)d;

    for (unsigned n = 0; n < TIMERS; n++) {
        s->t[n].hpet = s;
        timer_init(&s->t[n].timer, fire, &s->t[n]);
    }
    s->legacy[0] = isa_irq(d->vm, 0);
    s->legacy[1] = isa_irq(d->vm, 8);
    for (unsigned n = 0; n < IOAPIC_INPUTS; n++) {
        if (ROUTE_CAP >> n & 1)
            s->input[n] = ioapic_input(d->vm, n);
    }
    s->region = (struct region){.name = "hpet",
                                .base = MEM_UNMAPPED,
                                .size = HPET_SIZE,
                                .kind = REGION_MMIO,
                                .ops = &ops,
                                .dev = s};
    return mem_map(d->vm, &s->region, HPET_BASE);
}

static const struct field hpet_timer_fields[] = {
    FIELD(struct hpet_timer, config), FIELD(struct hpet_timer, compare),
    FIELD(struct hpet_timer, period), FIELD(struct hpet_timer, waiting),
    FIELD(struct hpet_timer, level),  FIELD_TIMER(struct hpet_timer, timer),
    UNSAVED(struct hpet_timer, hpet), FIELDS_END,
};

static const struct field hpet_fields[] = {
    FIELDS_DEVICE(struct hpet),
    FIELD(struct hpet, config),
    FIELD(struct hpet, status),
    FIELD(struct hpet, offset),
    FIELD_SUBS(struct hpet, t, hpet_timer_fields),
    UNSAVED(struct hpet, legacy),
    UNSAVED(struct hpet, input),
    UNSAVED(struct hpet, region),
    FIELDS_END,
};

const struct device_class hpet_class = {
    .name = "hpet",
    .desc = "high precision event timers",
    .size = sizeof(struct hpet),
    .fields = hpet_fields,
    .realize = realize,
    .reset = reset,
    .unrealize = unrealize,
    .loaded = loaded,
};
