/* SPDX-License-Identifier: MIT */
/* PS/2 keyboard and mouse (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
 * Device Controller", "Keyboards" and "Mouse"; IntelliMouse and Explorer extensions by Microsoft).
 *
 * Self-tests take no time and commands are answered at once. Repeating keys is the front end's
 * business: it sees its own host repeat them, so the typematic setting is accepted and kept. Left
 * out: scan code set 3 (selecting it is acknowledged, and the set in use stays). */
#include "devices/ps2.h"

#include <string.h>

#define PS2_ACK              0xfa
#define PS2_RESEND           0xfe
#define PS2_SELF_TEST_PASSED 0xaa
#define PS2_BREAK            0xf0 /* set 2 prefix */
#define PS2_EXTENDED         0xe0

#define KEY_EXTENDED 0x80
#define KEY_PRINT    0xb7
#define KEY_PAUSE    0xc6

enum keyboard_command {
    KEYBOARD_LEDS = 0xed,
    KEYBOARD_ECHO = 0xee,
    KEYBOARD_SET = 0xf0,
    KEYBOARD_ID = 0xf2,
    KEYBOARD_TYPEMATIC = 0xf3,
    KEYBOARD_ENABLE = 0xf4,
    KEYBOARD_DISABLE = 0xf5,
    KEYBOARD_DEFAULTS = 0xf6,
    KEYBOARD_ALL_FIRST = 0xf7, /* F7-FA: set 3, all keys */
    KEYBOARD_ALL_LAST = 0xfa,
    KEYBOARD_KEY_FIRST = 0xfb, /* FB-FD: set 3, the key that follows */
    KEYBOARD_KEY_LAST = 0xfd,
    KEYBOARD_RESEND = 0xfe,
    KEYBOARD_RESET = 0xff,
};

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

/* -- Queues --------------------------------------------------------------------------------------
 */

static bool queue_has_room(const struct ps2_queue *q, unsigned n)
{
    return q->len + n <= PS2_QUEUE_LEN;
}

static void queue_put(struct ps2_queue *q, uint8_t val)
{
    if (!queue_has_room(q, 1))
        return;
    q->data[(q->head + q->len) % PS2_QUEUE_LEN] = val;
    q->len++;
}

static int queue_take(struct ps2_queue *q)
{
    uint8_t val = q->data[q->head];

    if (q->len == 0)
        return -1;
    q->head = (q->head + 1) % PS2_QUEUE_LEN;
    q->len--;
    return val;
}

static void queue_clear(struct ps2_queue *q)
{
    q->len = 0;
}

static void queue_loaded(struct ps2_queue *q)
{
    q->head %= PS2_QUEUE_LEN;
    if (q->len > PS2_QUEUE_LEN)
        q->len = 0;
}

/* -- Scan codes ----------------------------------------------------------------------------------
 */

uint8_t ps2_translate(uint8_t set2)
{
    static const uint8_t table[128] = {
        0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
        0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
        0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
        0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
        0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
        0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
        0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
        0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
        0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    };

    if (set2 < 0x80)
        return table[set2];
    if (set2 == 0x83) /* F7 */
        return 0x41;
    return set2 == 0x84 ? 0x54 : set2; /* Alt+SysRq */
}

/* The set 2 code of a set 1 make code. From above, for 83 and 84 are the keys, not their namesakes.
 */
static uint8_t set2_code(uint8_t set1)
{
    uint8_t code = 0x84;

    while (code > 0 && ps2_translate(code) != set1)
        code--;
    return code;
}

static void put_key(struct ps2_keyboard *k, uint8_t make, bool extended, bool down)
{
    if (extended)
        queue_put(&k->scans, PS2_EXTENDED);
    if (k->set == 1) {
        queue_put(&k->scans, down ? make : make | 0x80);
        return;
    }
    if (!down)
        queue_put(&k->scans, PS2_BREAK);
    queue_put(&k->scans, set2_code(make));
}

static void put_pause(struct ps2_keyboard *k)
{
    static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
    static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
    const uint8_t *seq = k->set == 1 ? set1 : set2;
    size_t n = k->set == 1 ? sizeof(set1) : sizeof(set2);

    while (n-- > 0)
        queue_put(&k->scans, *seq++);
}

void ps2_keyboard_key(struct ps2_keyboard *k, uint8_t key, bool down)
{
    if (!k->scanning || !queue_has_room(&k->scans, 8))
        return;
    if (key == KEY_PAUSE) {
        if (down)
            put_pause(k); /* has no break code */
    } else if (key == KEY_PRINT) {
        put_key(k, down ? 0x2a : 0x37, true, down); /* a shift of its own around it */
        put_key(k, down ? 0x37 : 0x2a, true, down);
    } else {
        put_key(k, key & 0x7f, (key & KEY_EXTENDED) != 0, down);
    }
}

/* -- Keyboard ------------------------------------------------------------------------------------
 */

static void keyboard_defaults(struct ps2_keyboard *k)
{
    k->set = 2;
    k->typematic = 0x2b; /* 10.9 per second after 500 ms */
    queue_clear(&k->scans);
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    memset(k, 0, sizeof(*k));
    keyboard_defaults(k);
    k->scanning = true;
}

static void keyboard_argument(struct ps2_keyboard *k, uint8_t val)
{
    switch (k->command) {
    case KEYBOARD_LEDS: k->leds = val & 7; break;
    case KEYBOARD_TYPEMATIC: k->typematic = val; break;
    case KEYBOARD_SET:
        if (val == 1 || val == 2) {
            k->set = val;
            queue_clear(&k->scans);
        }
        break;
    default: break;
    }
    queue_put(&k->replies, PS2_ACK);
    if (k->command == KEYBOARD_SET && val == 0)
        queue_put(&k->replies, k->set);
    k->command = 0;
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val)
{
    if (k->command != 0 && val < KEYBOARD_LEDS) {
        keyboard_argument(k, val);
        return;
    }
    k->command = 0;
    queue_clear(&k->replies); /* a new command cancels what the last one had to say */
    if (val == KEYBOARD_RESEND) {
        queue_put(&k->replies, k->last);
        return;
    }
    if (val == KEYBOARD_ECHO) {
        queue_put(&k->replies, KEYBOARD_ECHO);
        return;
    }
    queue_put(&k->replies,
              val < KEYBOARD_LEDS || val == 0xef || val == 0xf1 ? PS2_RESEND : PS2_ACK);
    switch (val) {
    case KEYBOARD_LEDS:
    case KEYBOARD_SET:
    case KEYBOARD_TYPEMATIC: k->command = val; break;
    case KEYBOARD_ID:
        queue_put(&k->replies, 0xab);
        queue_put(&k->replies, 0x83);
        break;
    case KEYBOARD_ENABLE: k->scanning = true; break;
    case KEYBOARD_DISABLE:
    case KEYBOARD_DEFAULTS:
        keyboard_defaults(k);
        k->scanning = val == KEYBOARD_DEFAULTS;
        break;
    case KEYBOARD_RESET:
        ps2_keyboard_reset(k);
        queue_put(&k->replies, PS2_ACK);
        queue_put(&k->replies, PS2_SELF_TEST_PASSED);
        break;
    default:
        if (val >= KEYBOARD_KEY_FIRST && val <= KEYBOARD_KEY_LAST)
            k->command = val;
        break;
    }
}

int ps2_keyboard_read(struct ps2_keyboard *k)
{
    int val = queue_take(k->replies.len > 0 ? &k->replies : &k->scans);

    if (val >= 0)
        k->last = (uint8_t)val;
    return val;
}

void ps2_keyboard_loaded(struct ps2_keyboard *k)
{
    queue_loaded(&k->replies);
    queue_loaded(&k->scans);
}

/* -- Mouse ---------------------------------------------------------------------------------------
 */

static void mouse_defaults(struct ps2_mouse *m)
{
    m->rates[0] = 100;
    m->resolution = 2;
    m->scaling = m->reporting = m->remote = false;
    m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
    uint8_t buttons = m->buttons;

    memset(m, 0, sizeof(*m));
    mouse_defaults(m);
    m->buttons = m->sent_buttons = buttons;
}

/* The part of *delta that fits into a packet is taken from it. */
static int take_delta(int32_t *delta, int max)
{
    int part = *delta > max ? max : *delta < -max ? -max : *delta;

    *delta -= part;
    return part;
}

static void put_packet(struct ps2_mouse *m)
{
    int dx = take_delta(&m->dx, 127), dy = take_delta(&m->dy, 127), dz;

    queue_put(&m->out,
              (uint8_t)(0x08 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
    queue_put(&m->out, (uint8_t)dx);
    queue_put(&m->out, (uint8_t)dy);
    if (m->id == 3) {
        dz = take_delta(&m->dz, 127);
        queue_put(&m->out, (uint8_t)dz);
    } else if (m->id == 4) {
        dz = take_delta(&m->dz, 7);
        queue_put(&m->out, (uint8_t)((dz & 0x0f) | (m->buttons & 0x18) << 1));
    } else {
        m->dz = 0;
    }
    m->sent_buttons = m->buttons;
}

/* Report what has happened, as far as the buffer goes; the rest is added up. */
static void report(struct ps2_mouse *m)
{
    while (m->reporting && !m->remote && queue_has_room(&m->out, PS2_QUEUE_LEN / 2) &&
           (m->dx != 0 || m->dy != 0 || m->dz != 0 || m->buttons != m->sent_buttons))
        put_packet(m);
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

    queue_put(&m->out, (uint8_t)(swapped | (m->scaling ? 0x10 : 0) | (m->reporting ? 0x20 : 0) |
                                 (m->remote ? 0x40 : 0)));
    queue_put(&m->out, m->resolution);
    queue_put(&m->out, m->rates[0]);
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
    case MOUSE_POLL: put_packet(m); break;
    case MOUSE_WRAP: m->wrap = true; break;
    case MOUSE_REMOTE: m->remote = true; break;
    case MOUSE_ID: queue_put(&m->out, m->id); break;
    case MOUSE_ENABLE: m->reporting = true; break;
    case MOUSE_DISABLE: m->reporting = false; break;
    case MOUSE_DEFAULTS: mouse_defaults(m); break;
    case MOUSE_RESET:
        ps2_mouse_reset(m);
        queue_put(&m->out, PS2_ACK);
        queue_put(&m->out, PS2_SELF_TEST_PASSED);
        queue_put(&m->out, m->id);
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
    queue_clear(&m->out);
    if (m->wrap && val != MOUSE_UNWRAP && val != MOUSE_RESET) {
        queue_put(&m->out, val);
    } else if (m->command != 0) {
        if (m->command == MOUSE_RATE)
            set_rate(m, val);
        else
            m->resolution = val & 3;
        m->command = 0;
        queue_put(&m->out, PS2_ACK);
    } else if (val == MOUSE_RESEND) {
        queue_put(&m->out, m->last);
    } else if (!is_mouse_command(val)) {
        queue_put(&m->out, PS2_RESEND);
    } else {
        m->wrap = false;
        queue_put(&m->out, PS2_ACK);
        mouse_command(m, val);
    }
}

int ps2_mouse_read(struct ps2_mouse *m)
{
    int val = queue_take(&m->out);

    if (val >= 0)
        m->last = (uint8_t)val;
    if (m->command == 0)
        report(m);
    return val;
}

void ps2_mouse_loaded(struct ps2_mouse *m)
{
    queue_loaded(&m->out);
    m->dx = add_clamped(m->dx, 0);
    m->dy = add_clamped(m->dy, 0);
    m->dz = add_clamped(m->dz, 0);
}

/* -- State ---------------------------------------------------------------------------------------
 */

static const struct field queue_fields[] = {
    FIELD_ARRAY(struct ps2_queue, data),
    FIELD(struct ps2_queue, head),
    FIELD(struct ps2_queue, len),
    FIELDS_END,
};

const struct field ps2_keyboard_fields[] = {
    FIELD_SUB(struct ps2_keyboard, replies, queue_fields),
    FIELD_SUB(struct ps2_keyboard, scans, queue_fields),
    FIELD(struct ps2_keyboard, command),
    FIELD(struct ps2_keyboard, last),
    FIELD(struct ps2_keyboard, set),
    FIELD(struct ps2_keyboard, leds),
    FIELD(struct ps2_keyboard, typematic),
    FIELD(struct ps2_keyboard, scanning),
    FIELDS_END,
};

const struct field ps2_mouse_fields[] = {
    FIELD_SUB(struct ps2_mouse, out, queue_fields),
    FIELD(struct ps2_mouse, command),
    FIELD(struct ps2_mouse, last),
    FIELD(struct ps2_mouse, id),
    FIELD_ARRAY(struct ps2_mouse, rates),
    FIELD(struct ps2_mouse, resolution),
    FIELD(struct ps2_mouse, buttons),
    FIELD(struct ps2_mouse, sent_buttons),
    FIELD(struct ps2_mouse, reporting),
    FIELD(struct ps2_mouse, remote),
    FIELD(struct ps2_mouse, wrap),
    FIELD(struct ps2_mouse, scaling),
    FIELD(struct ps2_mouse, dx),
    FIELD(struct ps2_mouse, dy),
    FIELD(struct ps2_mouse, dz),
    FIELDS_END,
};
