/* SPDX-License-Identifier: MIT */
/* PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards"; the keys and their
 * codes are in vmm/keys.def).
 *
 * Self-tests take no time and commands are answered at once. Left out: the shifts that a keyboard
 * puts around its cursor keys while Shift or Num Lock is on, for old programs. */
#include "devices/ps2_queue.h"

#include <string.h>

#define PS2_BREAK    0xf0 /* prefix in sets 2 and 3 */
#define PS2_EXTENDED 0xe0

/* What a key does in set 3, a set. */
#define REPEATS    0x01
#define BREAKS     0x02
#define MAKE       0x00
#define MAKE_BREAK BREAKS

enum modifier {
    SHIFT = 1 << 0,
    SHIFT_R = 1 << 1,
    CTRL = 1 << 2,
    CTRL_R = 1 << 3,
    ALT = 1 << 4,
    ALT_R = 1 << 5
};

/* What the Print key is, by the modifiers that are down with it. */
enum print { PRINT_SHIFTED, PRINT_PLAIN, PRINT_SYSRQ };

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

static const struct key {
    uint16_t set[3]; /* scan code in set n + 1; E0 in the high byte is a prefix */
    uint8_t kind;
} keys[INPUT_KEY_COUNT] = {
#define KEY(symbol, name, set1, set2, set3, kind) [INPUT_KEY_##symbol] = {{set1, set2, set3}, kind},
#include "vmm/keys.def"
#undef KEY
};

/* -- Scan codes -------------------------------------------------------------------------------- */

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

static void put_code(struct ps2_keyboard *k, unsigned code, bool down)
{
    if (code >> 8 != 0)
        ps2_queue_put(&k->scans, PS2_EXTENDED);
    if (k->set == 1) {
        ps2_queue_put(&k->scans, (uint8_t)(down ? code : code | 0x80));
        return;
    }
    if (!down)
        ps2_queue_put(&k->scans, PS2_BREAK);
    ps2_queue_put(&k->scans, (uint8_t)code);
}

static void put_key(struct ps2_keyboard *k, enum key_code key, bool down)
{
    unsigned code = keys[key].set[k->set - 1];

    if (code != 0 && (down || k->set != 3 || k->kinds[code] & BREAKS))
        put_code(k, code, down);
}

/* In sets 1 and 2 this key has no break code. */
static void put_pause(struct ps2_keyboard *k)
{
    static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
    static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
    const uint8_t *seq = k->set == 1 ? set1 : set2;
    size_t n = k->set == 1 ? sizeof(set1) : sizeof(set2);

    if (k->modifiers & (CTRL | CTRL_R)) { /* it is Break */
        put_key(k, INPUT_KEY_PAUSE, true);
        put_key(k, INPUT_KEY_PAUSE, false);
        return;
    }
    while (n-- > 0)
        ps2_queue_put(&k->scans, *seq++);
}

/* In sets 1 and 2 this key brings a shift of its own. */
static void put_print(struct ps2_keyboard *k, bool down)
{
    unsigned shift = k->set == 1 ? 0xe02a : 0xe012;

    if (down && k->modifiers & (ALT | ALT_R))
        k->print = PRINT_SYSRQ;
    else if (down)
        k->print = k->modifiers != 0 ? PRINT_SHIFTED : PRINT_PLAIN;
    if (k->print == PRINT_PLAIN && down)
        put_code(k, shift, true);
    put_key(k, k->print == PRINT_SYSRQ ? INPUT_KEY_SYSRQ : INPUT_KEY_PRINT, down);
    if (k->print == PRINT_PLAIN && !down)
        put_code(k, shift, false);
}

/* -- Keys -------------------------------------------------------------------------------------- */

static uint8_t modifier_of(enum key_code key)
{
    static const uint8_t modifiers[INPUT_KEY_COUNT] = {
        [INPUT_KEY_SHIFT] = SHIFT,     [INPUT_KEY_CTRL] = CTRL,     [INPUT_KEY_ALT] = ALT,
        [INPUT_KEY_SHIFT_R] = SHIFT_R, [INPUT_KEY_CTRL_R] = CTRL_R, [INPUT_KEY_ALT_R] = ALT_R,
    };

    return modifiers[key];
}

static uint64_t repeat_delay_ns(const struct ps2_keyboard *k)
{
    return (1 + (k->typematic >> 5 & 3)) * (NS_PER_SEC / 4);
}

static uint64_t repeat_period_ns(const struct ps2_keyboard *k)
{
    return ((8 + (k->typematic & 7)) << (k->typematic >> 3 & 3)) * UINT64_C(4170000);
}

static void stop_repeating(struct ps2_keyboard *k)
{
    k->repeated = INPUT_KEY_NONE;
    timer_cancel(k->host.vm, &k->repeat);
}

static bool repeats(const struct ps2_keyboard *k, enum key_code key)
{
    if (k->set == 3)
        return (k->kinds[keys[key].set[2]] & REPEATS) != 0;
    return key != INPUT_KEY_PAUSE;
}

/* A repetition that the host has not fetched holds up the next one. */
static void repeat(void *opaque)
{
    struct ps2_keyboard *k = opaque;
    enum key_code key = k->repeated;

    if (key == INPUT_KEY_NONE)
        return;
    if (k->scans.len == 0) {
        if (key == INPUT_KEY_PRINT && k->print == PRINT_SYSRQ)
            key = INPUT_KEY_SYSRQ;
        put_key(k, key, true);
        k->host.ready(k->host.opaque);
    }
    timer_arm(k->host.vm, &k->repeat, clock_now(k->host.vm) + repeat_period_ns(k));
}

/* A key that goes down leaves room for keys that go up: none of them hangs because the buffer was
 * full. */
static bool has_room(struct ps2_keyboard *k, bool down)
{
    uint8_t overrun = k->set == 1 ? 0xff : 0x00;
    uint8_t end = k->scans.data[(k->scans.head + k->scans.len + PS2_QUEUE_LEN - 1) % PS2_QUEUE_LEN];

    if (ps2_queue_has_room(&k->scans, down ? PS2_QUEUE_LEN / 2 : 8))
        return true;
    if (end != overrun)
        ps2_queue_put(&k->scans, overrun);
    return false;
}

static void track(struct ps2_keyboard *k, enum key_code key, bool down)
{
    if (down)
        k->modifiers |= modifier_of(key);
    else
        k->modifiers &= (uint8_t)~modifier_of(key);
    if (down ? repeats(k, key) : key == k->repeated)
        stop_repeating(k);
}

void ps2_keyboard_key(struct ps2_keyboard *k, enum key_code key, bool down)
{
    track(k, key, down);
    if (!k->scanning || !has_room(k, down))
        return;
    if (key == INPUT_KEY_PRINT && k->set != 3)
        put_print(k, down);
    else if (key != INPUT_KEY_PAUSE || k->set == 3)
        put_key(k, key, down);
    else if (down)
        put_pause(k);
    if (down && repeats(k, key)) {
        k->repeated = (uint8_t)key;
        timer_arm(k->host.vm, &k->repeat, clock_now(k->host.vm) + repeat_delay_ns(k));
    }
}

/* -- Commands ---------------------------------------------------------------------------------- */

static void set_kinds(struct ps2_keyboard *k, uint8_t kind)
{
    memset(k->kinds, kind, sizeof(k->kinds));
}

static void set_scan_set(struct ps2_keyboard *k, uint8_t set)
{
    k->set = set;
    ps2_queue_clear(&k->scans);
    stop_repeating(k);
}

static void set_defaults(struct ps2_keyboard *k)
{
    set_scan_set(k, 2);
    k->typematic = 0x2b; /* 10.9 per second after 500 ms */
    for (unsigned n = 0; n < INPUT_KEY_COUNT; n++)
        k->kinds[keys[n].set[2]] = keys[n].kind;
}

void ps2_keyboard_init(struct ps2_keyboard *k, const struct ps2_host *host)
{
    k->host = *host;
    timer_init(&k->repeat, repeat, k);
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    ps2_queue_clear(&k->replies);
    k->command = k->last = k->leds = 0;
    k->scanning = true;
    set_defaults(k);
}

/* The argument of FB-FD: a key by its code in set 3, and the next one, until a command ends it. */
static void set_kind_of(struct ps2_keyboard *k, uint8_t code)
{
    static const uint8_t kinds[] = {REPEATS, BREAKS, MAKE};

    if (code < PS2_SET3_KEYS)
        k->kinds[code] = kinds[k->command - KEYBOARD_KEY_FIRST];
    ps2_queue_put(&k->replies, PS2_ACK);
}

static void take_argument(struct ps2_keyboard *k, uint8_t val)
{
    uint8_t command = k->command;

    if (command >= KEYBOARD_KEY_FIRST) {
        set_kind_of(k, val);
        return;
    }
    k->command = 0;
    ps2_queue_put(&k->replies, PS2_ACK);
    if (command == KEYBOARD_LEDS)
        k->leds = val & 7;
    else if (command == KEYBOARD_TYPEMATIC)
        k->typematic = val & 0x7f;
    else if (val == 0)
        ps2_queue_put(&k->replies, k->set);
    else if (val <= 3)
        set_scan_set(k, val);
}

static void set_all(struct ps2_keyboard *k, uint8_t command)
{
    static const uint8_t kinds[] = {REPEATS, BREAKS, MAKE, REPEATS | BREAKS};

    set_kinds(k, kinds[command - KEYBOARD_ALL_FIRST]);
}

static void run_command(struct ps2_keyboard *k, uint8_t val)
{
    ps2_queue_put(&k->replies, PS2_ACK);
    switch (val) {
    case KEYBOARD_LEDS:
    case KEYBOARD_SET:
    case KEYBOARD_TYPEMATIC: k->command = val; break;
    case KEYBOARD_ID:
        ps2_queue_put(&k->replies, 0xab);
        ps2_queue_put(&k->replies, 0x83);
        break;
    case KEYBOARD_ENABLE: k->scanning = true; break;
    case KEYBOARD_DISABLE:
    case KEYBOARD_DEFAULTS:
        set_defaults(k);
        k->scanning = val == KEYBOARD_DEFAULTS;
        break;
    case KEYBOARD_RESET:
        ps2_keyboard_reset(k);
        ps2_queue_put(&k->replies, PS2_ACK);
        ps2_queue_put(&k->replies, PS2_SELF_TEST_PASSED);
        break;
    default:
        if (val <= KEYBOARD_ALL_LAST) {
            set_all(k, val);
            break;
        }
        k->command = val; /* FB-FD */
        k->scanning = false;
        stop_repeating(k);
        break;
    }
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val)
{
    if (k->command != 0 && val < KEYBOARD_LEDS) {
        take_argument(k, val);
        return;
    }
    k->command = 0;
    ps2_queue_clear(&k->replies); /* a new command cancels what the last one had to say */
    if (val == KEYBOARD_RESEND)
        ps2_queue_put(&k->replies, k->last);
    else if (val == KEYBOARD_ECHO)
        ps2_queue_put(&k->replies, KEYBOARD_ECHO);
    else if (val < KEYBOARD_LEDS || val == 0xef || val == 0xf1)
        ps2_queue_put(&k->replies, PS2_RESEND);
    else
        run_command(k, val);
}

int ps2_keyboard_read(struct ps2_keyboard *k)
{
    int val = ps2_queue_take(k->replies.len > 0 ? &k->replies : &k->scans);

    if (val >= 0)
        k->last = (uint8_t)val;
    return val;
}

void ps2_keyboard_loaded(struct ps2_keyboard *k)
{
    ps2_queue_loaded(&k->replies);
    ps2_queue_loaded(&k->scans);
    if (k->set < 1 || k->set > 3)
        k->set = 2;
    if (k->repeated >= INPUT_KEY_COUNT)
        k->repeated = INPUT_KEY_NONE;
    if (k->command != 0 && k->command != KEYBOARD_LEDS && k->command != KEYBOARD_SET &&
        k->command != KEYBOARD_TYPEMATIC &&
        (k->command < KEYBOARD_KEY_FIRST || k->command > KEYBOARD_KEY_LAST))
        k->command = 0;
}

const struct field ps2_keyboard_fields[] = {
    UNSAVED(struct ps2_keyboard, host),
    FIELD_SUB(struct ps2_keyboard, replies, ps2_queue_fields),
    FIELD_SUB(struct ps2_keyboard, scans, ps2_queue_fields),
    FIELD(struct ps2_keyboard, command),
    FIELD(struct ps2_keyboard, last),
    FIELD(struct ps2_keyboard, set),
    FIELD(struct ps2_keyboard, leds),
    FIELD(struct ps2_keyboard, typematic),
    FIELD(struct ps2_keyboard, modifiers),
    FIELD(struct ps2_keyboard, print),
    FIELD(struct ps2_keyboard, repeated),
    FIELD(struct ps2_keyboard, scanning),
    FIELD_TIMER(struct ps2_keyboard, repeat),
    FIELD_ARRAY(struct ps2_keyboard, kinds),
    FIELDS_END,
};
