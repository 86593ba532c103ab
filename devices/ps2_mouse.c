/* SPDX-License-Identifier: MIT */
/* PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse"; IntelliMouse and Explorer
 * extensions by Microsoft).
 *
 * Self-tests take no time and commands are answered at once. A movement is one count for each that
 * the frontend gives, whatever the resolution, which is kept and reported. */
#include "devices/ps2_queue.h"

#include <string.h>

enum mouse_command {
    MOUSE_SCALING_1_1 = 0xe6,
    MOUSE_SCALING_2_1 = 0xe7,
    MOUSE_RESOLUTION = 0xe8,
    MOUSE_STATUS = 0xe9,
    MOUSE_STREAM = 0xea,
    MOUSE_POLL = 0xeb,
    MOUSE_UNWRAP = 0xec,
    MOUSE_WRAP = 0xee,
    MOUSE_REMOTE = 0xf0,
    MOUSE_ID = 0xf2,
    MOUSE_RATE = 0xf3,
    MOUSE_ENABLE = 0xf4,
    MOUSE_DISABLE = 0xf5,
    MOUSE_DEFAULTS = 0xf6,
    MOUSE_RESEND = 0xfe,
    MOUSE_RESET = 0xff,
};

static void mouse_defaults(struct ps2_mouse *m)
{
    m->rates[0] = 100;
    m->resolution = 2;
    m->scaling = m->reporting = m->remote = false;
    m->dx = m->dy = m->dz = 0;
    timer_cancel(m->host.vm, &m->sample);
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
    ps2_queue_clear(&m->out);
    m->command = m->last = m->id = 0;
    m->rates[1] = m->rates[2] = 0;
    m->wrap = false;
    mouse_defaults(m);
    m->sent_buttons = m->buttons;
}

/* The part of *delta that fits into a packet is taken from it. */
static int take_delta(int32_t *delta, int max)
{
    int part = *delta > max ? max : *delta < -max ? -max : *delta;

    *delta -= part;
    return part;
}

/* Scaling 2:1: slow movements are made slower, fast ones faster. */
static int scaled(int delta)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int n = delta < 0 ? -delta : delta;

    n = n < 6 ? small[n] : 2 * n;
    return delta < 0 ? -n : n;
}

static void put_packet(struct ps2_mouse *m, bool scale)
{
    int dx = take_delta(&m->dx, scale ? 63 : 127), dy = take_delta(&m->dy, scale ? 63 : 127), dz;

    if (scale) {
        dx = scaled(dx);
        dy = scaled(dy);
    }
    ps2_queue_put(&m->out,
                  (uint8_t)(0x08 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
    ps2_queue_put(&m->out, (uint8_t)dx);
    ps2_queue_put(&m->out, (uint8_t)dy);
    if (m->id == 3) {
        dz = take_delta(&m->dz, 127);
        ps2_queue_put(&m->out, (uint8_t)dz);
    } else if (m->id == 4) {
        dz = take_delta(&m->dz, 7);
        ps2_queue_put(&m->out, (uint8_t)((dz & 0x0f) | (m->buttons & 0x18) << 1));
    } else {
        m->dz = 0;
    }
    m->sent_buttons = m->buttons;
}

/* Report what has happened, as far as the buffer goes; the rest is added up. Movements are sent as
 * often as the sample rate says, buttons at once, for a click may be shorter. */
static void report(struct ps2_mouse *m)
{
    bool clicked = m->buttons != m->sent_buttons;
    bool moved = m->dx != 0 || m->dy != 0 || m->dz != 0;

    if (!m->reporting || m->remote || m->wrap || m->command != 0 || (!clicked && !moved) ||
        (!clicked && m->sample.due_ns != TIMER_IDLE) ||
        !ps2_queue_has_room(&m->out, PS2_QUEUE_LEN / 2))
        return;
    put_packet(m, m->scaling);
    timer_arm(m->host.vm, &m->sample,
              clock_now(m->host.vm) + NS_PER_SEC / (m->rates[0] != 0 ? m->rates[0] : 100));
}

static void sample(void *opaque)
{
    struct ps2_mouse *m = opaque;

    report(m);
    m->host.ready(m->host.opaque);
}

void ps2_mouse_init(struct ps2_mouse *m, const struct ps2_host *host)
{
    m->host = *host;
    timer_init(&m->sample, sample, m);
}

static int32_t add_clamped(int32_t sum, int delta)
{
    int64_t v = (int64_t)sum + delta;

    return (int32_t)(v > 4096 ? 4096 : v < -4096 ? -4096 : v);
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons)
{
    m->dx = add_clamped(m->dx, dx);
    m->dy = add_clamped(m->dy, dy);
    m->dz = add_clamped(m->dz, dz);
    m->buttons = buttons & 0x1f;
    report(m);
}

/* Three sample rates in a row are a knock on the door. */
static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
    m->rates[2] = m->rates[1];
    m->rates[1] = m->rates[0];
    m->rates[0] = rate;
    if (m->rates[2] == 200 && rate == 80 && m->rates[1] == 100)
        m->id = 3;
    else if (m->rates[2] == 200 && rate == 80 && m->rates[1] == 200)
        m->id = 4;
}

static void put_status(struct ps2_mouse *m)
{
    uint8_t swapped =
        (uint8_t)((m->buttons & 1) << 2 | (m->buttons & 2) >> 1 | (m->buttons & 4) >> 1);

    ps2_queue_put(&m->out, (uint8_t)(swapped | (m->scaling ? 0x10 : 0) | (m->reporting ? 0x20 : 0) |
                                     (m->remote ? 0x40 : 0)));
    ps2_queue_put(&m->out, m->resolution);
    ps2_queue_put(&m->out, m->rates[0]);
}

static void mouse_command(struct ps2_mouse *m, uint8_t val)
{
    switch (val) {
    case MOUSE_SCALING_1_1:
    case MOUSE_SCALING_2_1: m->scaling = val == MOUSE_SCALING_2_1; break;
    case MOUSE_RESOLUTION:
    case MOUSE_RATE: m->command = val; break;
    case MOUSE_STATUS: put_status(m); break;
    case MOUSE_STREAM: m->remote = false; break;
    case MOUSE_POLL: put_packet(m, false); break;
    case MOUSE_WRAP: m->wrap = true; break;
    case MOUSE_REMOTE: m->remote = true; break;
    case MOUSE_ID: ps2_queue_put(&m->out, m->id); break;
    case MOUSE_ENABLE: m->reporting = true; break;
    case MOUSE_DISABLE: m->reporting = false; break;
    case MOUSE_DEFAULTS: mouse_defaults(m); break;
    case MOUSE_RESET:
        ps2_mouse_reset(m);
        ps2_queue_put(&m->out, PS2_ACK);
        ps2_queue_put(&m->out, PS2_SELF_TEST_PASSED);
        ps2_queue_put(&m->out, m->id);
        break;
    default: break;
    }
}

static bool is_mouse_command(uint8_t val)
{
    return (val >= MOUSE_SCALING_1_1 && val <= MOUSE_DEFAULTS && val != 0xed && val != 0xef &&
            val != 0xf1) ||
           val == MOUSE_RESET;
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t val)
{
    ps2_queue_clear(&m->out);
    if (m->wrap && val != MOUSE_UNWRAP && val != MOUSE_RESET) {
        ps2_queue_put(&m->out, val);
    } else if (m->command != 0) {
        if (m->command == MOUSE_RATE)
            set_rate(m, val);
        else
            m->resolution = val & 3;
        m->command = 0;
        ps2_queue_put(&m->out, PS2_ACK);
    } else if (val == MOUSE_RESEND) {
        ps2_queue_put(&m->out, m->last);
    } else if (!is_mouse_command(val)) {
        ps2_queue_put(&m->out, PS2_RESEND);
    } else {
        m->wrap = false;
        ps2_queue_put(&m->out, PS2_ACK);
        mouse_command(m, val);
    }
}

int ps2_mouse_read(struct ps2_mouse *m)
{
    int val = ps2_queue_take(&m->out);

    if (val >= 0)
        m->last = (uint8_t)val;
    report(m); /* there may be room now */
    return val;
}

void ps2_mouse_loaded(struct ps2_mouse *m)
{
    ps2_queue_loaded(&m->out);
    m->dx = add_clamped(m->dx, 0);
    m->dy = add_clamped(m->dy, 0);
    m->dz = add_clamped(m->dz, 0);
}

const struct field ps2_mouse_fields[] = {
    UNSAVED(struct ps2_mouse, host),       FIELD_SUB(struct ps2_mouse, out, ps2_queue_fields),
    FIELD(struct ps2_mouse, command),      FIELD(struct ps2_mouse, last),
    FIELD(struct ps2_mouse, id),           FIELD_ARRAY(struct ps2_mouse, rates),
    FIELD(struct ps2_mouse, resolution),   FIELD(struct ps2_mouse, buttons),
    FIELD(struct ps2_mouse, sent_buttons), FIELD(struct ps2_mouse, reporting),
    FIELD(struct ps2_mouse, remote),       FIELD(struct ps2_mouse, wrap),
    FIELD(struct ps2_mouse, scaling),      FIELD(struct ps2_mouse, dx),
    FIELD(struct ps2_mouse, dy),           FIELD(struct ps2_mouse, dz),
    FIELD_TIMER(struct ps2_mouse, sample), FIELDS_END,
};
