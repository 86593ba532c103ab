/* SPDX-License-Identifier: MIT */
/* 8254 interval timer (Intel data sheet 231164) at ports 40-43, and port 61 of the PC, which holds
 * the gate and the output of channel 2, the speaker's data bit and the memory refresh toggle.
 *
 * Nothing ticks: a channel stores when its counting element was loaded, and count and output follow
 * from the clock. Time is counted in whole input clocks since the machine was made, so that no
 * rounding adds up. Only channel 0 has a timer, for the rising edges of its output; edges that pass
 * before the guest has taken the one before, because the host does not run us, are made up for
 * eight times as fast. The one-clock low strobes of
 * modes 2, 4 and 5 and the falling half of mode 3 are put on the IRQ line just before the next
 * rising edge; registers show them exactly. Left out: sound, and the NMI sources of port 61. */
#include "devices/pit.h"

#include "devices/isa.h"
#include "devices/pic.h"
#include "devices/ticks.h"
#include "vmm/vm.h"

#define PIT_CHANNELS 3
#define PIT_CONTROL  3 /* port */
#define NO_EDGE      UINT64_MAX

#define CTRL_BCD            0x01
#define READ_BACK_NO_COUNT  0x20
#define READ_BACK_NO_STATUS 0x10
#define STATUS_OUT          0x80
#define STATUS_NULL         0x40

#define PORT61_GATE2    0x01
#define PORT61_WRITABLE 0x0f
#define PORT61_REFRESH  0x10
#define PORT61_OUT2     0x20
#define REFRESH_NS      15085 /* the toggle's half period: 18 clocks */

#define MIN_PERIOD 12 /* clocks: channel 0 interrupts at most each 10 us */

enum access { ACCESS_LATCH, ACCESS_LSB, ACCESS_MSB, ACCESS_BOTH };

struct pit_chan {
    uint64_t start;      /* clock at which the element held `count`; one ahead just after a load */
    uint64_t held;       /* clocks counted, where `counting` is false */
    uint64_t switch_at;  /* modes 2, 3: clock at which `next` takes over, */
    uint64_t next_start; /* and what `start` becomes then */
    uint32_t count;      /* 1..65536; 0: none loaded since the control word */
    uint32_t next;   /* written, not yet loaded: waits for the end of the (half) cycle in modes 2
                      * and 3, for the trigger in modes 1 and 5; 0: none */
    uint16_t latch;  /* latched count */
    uint8_t latched; /* bytes of it still to be read, 0..2 */
    uint8_t status;  /* latched status */
    bool has_status;
    bool gate;
    bool counting;            /* loaded and not held by the gate */
    bool read_msb, write_msb; /* next byte in ACCESS_BOTH */
    uint8_t lsb;              /* first byte written in ACCESS_BOTH */
    uint8_t mode;             /* 0..5 */
    uint8_t access;           /* enum access, not ACCESS_LATCH */
    bool bcd;
};

struct pit {
    struct device dev;
    struct pit_chan ch[PIT_CHANNELS];
    uint8_t port61;
    bool inhibited;
    struct timer edge; /* next rising edge of channel 0, or one that is owed */
    uint64_t edge_at;  /* clock of that next rising edge */
    uint64_t owed;     /* edges that passed unseen */
    struct irq irq0;
};

static uint64_t clocks_now(const struct pit *s)
{
    return clock_muldiv(clock_now(s->dev.vm), PIT_HZ, NS_PER_SEC);
}

/* First nanosecond at which clocks_now() has reached `at`. */
static uint64_t clocks_to_ns(uint64_t at)
{
    uint64_t ns = clock_muldiv(at, NS_PER_SEC, PIT_HZ);

    return clock_muldiv(ns, PIT_HZ, NS_PER_SEC) < at ? ns + 1 : ns;
}

/* -- One channel as a function of the clock -------------------------------------------------------
 */

static bool is_periodic(const struct pit_chan *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool is_triggered(const struct pit_chan *c)
{
    return c->mode == 1 || c->mode == 5;
}

static uint32_t high_half(uint32_t count)
{
    return (count + 1) / 2;
}

static bool is_loading(const struct pit_chan *c, uint64_t now)
{
    return c->counting && (int64_t)(now - c->start) < 0;
}

/* Clocks since the element was loaded. */
static uint64_t elapsed(const struct pit_chan *c, uint64_t now)
{
    if (!c->counting)
        return c->held;
    return is_loading(c, now) ? 0 : now - c->start;
}

/* Let a count take over that waited for the end of the cycle. */
static void chan_sync(struct pit_chan *c, uint64_t now)
{
    if (!is_periodic(c) || !c->counting || c->next == 0 || (int64_t)(now - c->switch_at) < 0)
        return;
    c->start = c->next_start;
    c->count = c->next;
    c->next = 0;
}

static bool chan_out(const struct pit_chan *c, uint64_t now)
{
    uint64_t e = elapsed(c, now);

    if (c->count == 0)
        return c->mode != 0;
    switch (c->mode) {
    case 0: return e >= c->count;
    case 1: return e >= c->count;
    case 2: return !c->counting || e % c->count != c->count - 1;
    case 3: return !c->counting || e % c->count < high_half(c->count);
    default: return !c->counting || e != c->count;
    }
}

/* Mode 3 counts down by twos, with a different first step in each half of an odd count. */
static uint32_t square_value(uint32_t count, uint32_t e)
{
    uint32_t high = high_half(count);
    uint32_t in_half = e < high ? e : e - high;
    uint32_t value = count - 2 * in_half;

    if ((count & 1) && in_half > 0)
        return e < high ? value + 1 : value - 1;
    return value;
}

/* Content of the counting element as its bytes are read. */
static uint16_t chan_value(const struct pit_chan *c, uint64_t now)
{
    uint32_t modulus = c->bcd ? 10000 : 65536;
    uint64_t e = elapsed(c, now);
    uint32_t v;

    if (c->count == 0)
        return 0;
    if (c->mode == 2)
        v = c->count - (uint32_t)(e % c->count);
    else if (c->mode == 3)
        v = square_value(c->count, (uint32_t)(e % c->count));
    else
        v = c->count + modulus - (uint32_t)(e % modulus);
    v %= modulus;
    if (c->bcd)
        v = v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
    return (uint16_t)v;
}

/* First clock after `now` at which the output rises, or NO_EDGE. */
static uint64_t chan_next_edge(const struct pit_chan *c, uint64_t now)
{
    uint64_t e = elapsed(c, now), edge;

    if (!c->counting || c->count == 0)
        return NO_EDGE;
    switch (c->mode) {
    case 0:
    case 1: return e < c->count ? c->start + c->count : NO_EDGE;
    case 2:
    case 3:
        if (c->next !=
            0) /* taken over in the high half: the rest of the cycle has the new length */
            return c->next_start == c->switch_at ? c->switch_at : c->next_start + c->next;
        edge = c->start + (e / c->count + 1) * c->count;
        return c->count < MIN_PERIOD ? edge + MIN_PERIOD / c->count * c->count : edge;
    default: return e <= c->count ? c->start + c->count + 1 : NO_EDGE;
    }
}

static void chan_load(struct pit_chan *c, uint32_t count, uint64_t now)
{
    c->count = count;
    c->next = 0;
    c->held = 0;
    c->start = now + 1; /* the element is loaded by the clock after the write or the trigger */
}

/* A count is complete. */
static void chan_set_count(struct pit_chan *c, uint32_t count, uint64_t now)
{
    uint64_t cycle, in_cycle;

    if (is_triggered(c)) {
        c->next = count;
    } else if (is_periodic(c) && c->counting) {
        in_cycle = elapsed(c, now) % c->count;
        cycle = c->start + elapsed(c, now) - in_cycle;
        c->next = count;
        c->next_start = c->switch_at = cycle + c->count;
        if (c->mode == 3 && in_cycle < high_half(c->count)) {
            c->switch_at = cycle + high_half(c->count);
            c->next_start = c->switch_at - high_half(count);
        }
    } else {
        chan_load(c, count, now);
        c->counting = c->gate;
    }
}

static void chan_set_gate(struct pit_chan *c, bool gate, uint64_t now)
{
    bool rises = gate && !c->gate;

    c->gate = gate;
    if (is_triggered(c)) {
        if (!rises || (c->count == 0 && c->next == 0))
            return;
        chan_load(c, c->next != 0 ? c->next : c->count, now);
        c->counting = true;
    } else if (!gate && c->counting) {
        c->held = elapsed(c, now);
        c->counting = false;
    } else if (rises && c->count != 0) {
        if (is_periodic(c))
            chan_load(c, c->next != 0 ? c->next : c->count, now);
        else
            c->start = now - c->held;
        c->counting = true;
    }
}

/* -- Channel 0 and its interrupt ------------------------------------------------------------------
 */

/* Does every edge follow the one before at the same distance? */
static bool is_steady(const struct pit_chan *c)
{
    return is_periodic(c) && c->next == 0 && c->count >= 2 * MIN_PERIOD;
}

static void arm_edge(struct pit *s, uint64_t now)
{
    uint64_t at = s->edge_at = chan_next_edge(&s->ch[0], now);

    if (!is_steady(&s->ch[0]))
        s->owed = 0;
    if (s->owed != 0 && now + s->ch[0].count / TICKS_CATCH_UP < at)
        at = now + s->ch[0].count / TICKS_CATCH_UP;
    if (at == NO_EDGE)
        timer_cancel(s->dev.vm, &s->edge);
    else
        timer_arm(s->dev.vm, &s->edge, clocks_to_ns(at));
}

/* A steady edge has come, or it is time to try one that is owed: does the line show it? */
static bool steady_edge_due(struct pit *s, uint64_t now)
{
    uint32_t count = s->ch[0].count;
    uint64_t come = now < s->edge_at ? 0 : (now - s->edge_at) / count + 1;

    return ticks_due(&s->owed, come, count, PIT_HZ, pic_is_waiting(s->dev.vm, 0));
}

static void drive_irq0(struct pit *s, bool level)
{
    irq_set(&s->irq0, level && !s->inhibited);
}

static void edge_due(void *opaque)
{
    struct pit *s = opaque;
    uint64_t now = clocks_now(s);

    if (!is_steady(&s->ch[0]) || steady_edge_due(s, now)) {
        if (s->ch[0].mode > 1)
            drive_irq0(s, false);
        drive_irq0(s, true);
    }
    chan_sync(&s->ch[0], now);
    arm_edge(s, now);
}

/* Bring a channel up to `now` before its registers are used, so that no edge is seen late or twice.
 */
static struct pit_chan *chan_at(struct pit *s, unsigned n, uint64_t now)
{
    chan_sync(&s->ch[n], now);
    if (n == 0 && s->edge.due_ns <= clock_now(s->dev.vm)) {
        timer_cancel(s->dev.vm, &s->edge);
        edge_due(s);
    }
    return &s->ch[n];
}

/* After a change of channel n's programming. */
static void chan_changed(struct pit *s, unsigned n, uint64_t now)
{
    if (n != 0)
        return;
    s->owed = 0;
    if (s->ch[0].next == 0)
        drive_irq0(s, chan_out(&s->ch[0], now));
    arm_edge(s, now);
}

void pit_inhibit_irq(struct vm *vm, bool inhibit)
{
    struct pit *s = (struct pit *)device_find(vm, &pit_class, 0);

    if (s == NULL || s->inhibited == inhibit)
        return;
    s->inhibited = inhibit;
    drive_irq0(s, chan_out(&s->ch[0], clocks_now(s)));
}

/* -- Registers -----------------------------------------------------------------------------------
 */

static void latch_count(struct pit_chan *c, uint64_t now)
{
    if (c->latched != 0)
        return;
    c->latch = chan_value(c, now);
    c->latched = c->access == ACCESS_BOTH ? 2 : 1;
}

static void latch_status(struct pit_chan *c, uint64_t now)
{
    bool is_null = c->count == 0 || c->next != 0 || is_loading(c, now);

    if (c->has_status)
        return;
    c->status = (uint8_t)((chan_out(c, now) ? STATUS_OUT : 0) | (is_null ? STATUS_NULL : 0) |
                          c->access << 4 | c->mode << 1 | (c->bcd ? CTRL_BCD : 0));
    c->has_status = true;
}

static void write_control(struct pit *s, uint8_t val)
{
    uint64_t now = clocks_now(s);
    unsigned n = val >> 6, mode = (val >> 1) & 7;
    struct pit_chan *c;

    if (n == PIT_CHANNELS) { /* read-back */
        for (n = 0; n < PIT_CHANNELS; n++) {
            if (!(val & (2u << n)))
                continue;
            c = chan_at(s, n, now);
            if (!(val & READ_BACK_NO_COUNT))
                latch_count(c, now);
            if (!(val & READ_BACK_NO_STATUS))
                latch_status(c, now);
        }
        return;
    }
    c = chan_at(s, n, now);
    if (((val >> 4) & 3) == ACCESS_LATCH) {
        latch_count(c, now);
        return;
    }
    *c = (struct pit_chan){.gate = c->gate, .access = (val >> 4) & 3, .bcd = val & CTRL_BCD};
    c->mode = (uint8_t)(mode > 5 ? mode - 4 : mode);
    chan_changed(s, n, now);
}

static uint32_t decode_count(const struct pit_chan *c, uint16_t raw)
{
    uint32_t count = raw;

    if (c->bcd)
        count = (raw >> 12) * 1000u + (raw >> 8 & 15) * 100u + (raw >> 4 & 15) * 10u + (raw & 15u);
    if (count == 0)
        count = c->bcd ? 10000 : 65536;
    return count;
}

static void write_count(struct pit *s, unsigned n, uint8_t val)
{
    uint64_t now = clocks_now(s);
    struct pit_chan *c = chan_at(s, n, now);
    uint16_t raw = val;

    if (c->access == ACCESS_MSB)
        raw = (uint16_t)(val << 8);
    if (c->access == ACCESS_BOTH) {
        c->write_msb = !c->write_msb;
        if (c->write_msb) {
            c->lsb = val;
            if (c->mode == 0) { /* the first byte stops the count and drives the output low */
                c->count = 0;
                c->counting = false;
                chan_changed(s, n, now);
            }
            return;
        }
        raw = (uint16_t)(val << 8 | c->lsb);
    }
    chan_set_count(c, decode_count(c, raw), now);
    chan_changed(s, n, now);
}

static uint8_t read_count(struct pit *s, unsigned n)
{
    uint64_t now = clocks_now(s);
    struct pit_chan *c = chan_at(s, n, now);
    uint16_t v = c->latch;
    bool msb = c->access == ACCESS_MSB;

    if (c->has_status) {
        c->has_status = false;
        return c->status;
    }
    if (c->latched == 0) {
        v = chan_value(c, now);
        if (c->access == ACCESS_BOTH) {
            msb = c->read_msb;
            c->read_msb = !c->read_msb;
        }
    } else {
        if (c->access == ACCESS_BOTH)
            msb = c->latched == 1;
        c->latched--;
    }
    return (uint8_t)(msb ? v >> 8 : v);
}

static uint64_t pit_read(void *dev, uint32_t off, unsigned n)
{
    (void)n;
    return off == PIT_CONTROL ? 0 : read_count(dev, off);
}

static void pit_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    (void)n;
    if (off == PIT_CONTROL)
        write_control(dev, (uint8_t)val);
    else
        write_count(dev, off, (uint8_t)val);
}

static uint64_t port61_read(void *dev, uint32_t off, unsigned n)
{
    struct pit *s = dev;
    uint64_t now = clocks_now(s);
    uint8_t val = s->port61;

    (void)off;
    (void)n;
    chan_sync(&s->ch[2], now);
    if (clock_now(s->dev.vm) / REFRESH_NS & 1)
        val |= PORT61_REFRESH;
    if (chan_out(&s->ch[2], now))
        val |= PORT61_OUT2;
    return val;
}

static void port61_write(void *dev, uint32_t off, unsigned n, uint64_t val)
{
    struct pit *s = dev;
    uint64_t now = clocks_now(s);

    (void)off;
    (void)n;
    s->port61 = (uint8_t)val & PORT61_WRITABLE;
    chan_sync(&s->ch[2], now);
    chan_set_gate(&s->ch[2], (val & PORT61_GATE2) != 0, now);
}

/* -- Device --------------------------------------------------------------------------------------
 */

/* As firmware finds it: all channels in mode 3 with the longest count. */
static void reset(struct device *d)
{
    struct pit *s = (struct pit *)d;
    uint64_t now = clocks_now(s);

    s->port61 = 0;
    s->inhibited = false;
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        s->ch[n] = (struct pit_chan){.gate = n != 2, .access = ACCESS_BOTH, .mode = 3};
        chan_set_count(&s->ch[n], 65536, now);
    }
    chan_changed(s, 0, now);
}

static void loaded(struct device *d)
{
    struct pit *s = (struct pit *)d;

    uint64_t now = clocks_now(s);

    for (unsigned n = 0; n < PIT_CHANNELS; n++) { /* a file may hold anything */
        struct pit_chan *c = &s->ch[n];

        if (c->mode > 5)
            c->mode = 3;
        if (c->access == ACCESS_LATCH || c->access > ACCESS_BOTH)
            c->access = ACCESS_BOTH;
        if (c->latched > 2)
            c->latched = 0;
        if (c->count > 65536)
            c->count = 65536;
        if (c->next > 65536)
            c->next = 65536;
        if (c->count == 0)
            c->counting = false;
        if (now + 1 - c->start > UINT64_C(1) << 48)
            c->start = now;
    }
}

static int realize(struct device *d)
{
    static const struct io_ops pit_ops = {pit_read, pit_write, IO_8};
    static const struct io_ops port61_ops = {port61_read, port61_write, IO_8};
    struct pit *s = (struct pit *)d;
    int err;

    s->irq0 = isa_irq(d->vm, 0);
    timer_init(&s->edge, edge_due, s);
    err = bus_claim_ports(d->vm, "pit", 0x40, 4, &pit_ops, s);
    if (err == 0)
        err = bus_claim_ports(d->vm, "port61", 0x61, 1, &port61_ops, s);
    return err;
}

static const struct field pit_chan_fields[] = {
    FIELD(struct pit_chan, start),
    FIELD(struct pit_chan, held),
    FIELD(struct pit_chan, switch_at),
    FIELD(struct pit_chan, next_start),
    FIELD(struct pit_chan, count),
    FIELD(struct pit_chan, next),
    FIELD(struct pit_chan, latch),
    FIELD(struct pit_chan, latched),
    FIELD(struct pit_chan, status),
    FIELD(struct pit_chan, has_status),
    FIELD(struct pit_chan, gate),
    FIELD(struct pit_chan, counting),
    FIELD(struct pit_chan, read_msb),
    FIELD(struct pit_chan, write_msb),
    FIELD(struct pit_chan, lsb),
    FIELD(struct pit_chan, mode),
    FIELD(struct pit_chan, access),
    FIELD(struct pit_chan, bcd),
    FIELDS_END,
};

static const struct field pit_fields[] = {
    FIELDS_DEVICE(struct pit),
    FIELD_SUBS(struct pit, ch, pit_chan_fields),
    FIELD(struct pit, port61),
    FIELD(struct pit, inhibited),
    FIELD_TIMER(struct pit, edge),
    FIELD(struct pit, edge_at),
    FIELD(struct pit, owed),
    UNSAVED(struct pit, irq0),
    FIELDS_END,
};

const struct device_class pit_class = {
    .name = "pit",
    .desc = "8254 interval timer",
    .size = sizeof(struct pit),
    .fields = pit_fields,
    .realize = realize,
    .reset = reset,
    .loaded = loaded,
};
