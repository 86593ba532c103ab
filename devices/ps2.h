/* SPDX-License-Identifier: MIT */
/* PS/2 keyboard and mouse, as the keyboard controller sees them: it writes bytes to a device and
 * takes the bytes that the device wants to send. Both live inside their controller. */
#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/clock.h"
#include "vmm/input.h"
#include "vmm/state.h"

#define PS2_QUEUE_LEN 64 /* a power of two */
#define PS2_SET3_KEYS 0x90

struct ps2_queue {
    uint8_t data[PS2_QUEUE_LEN];
    uint8_t head, len;
};

/* Whom a device tells that it has something to send, when time passes. */
struct ps2_host {
    struct vm *vm;
    void (*ready)(void *opaque);
    void *opaque;
};

struct ps2_keyboard {
    struct ps2_host host;
    struct ps2_queue replies; /* to commands; sent before scan codes */
    struct ps2_queue scans;
    uint8_t command;   /* that waits for its argument; 0: none */
    uint8_t last;      /* byte sent last */
    uint8_t set;       /* scan code set: 1, 2 or 3 */
    uint8_t leds;      /* bits 0..2: scroll, num, caps lock */
    uint8_t typematic; /* bits 0..4 rate, 5..6 delay */
    uint8_t modifiers; /* that are down */
    uint8_t print;     /* how the Print key went down */
    uint8_t repeated;  /* enum key_code: key that repeats, or none */
    bool scanning;     /* enabled */
    struct timer repeat;
    uint8_t kinds[PS2_SET3_KEYS]; /* by scan code in set 3: how the key behaves there */
};

struct ps2_mouse {
    struct ps2_host host;
    struct ps2_queue out;
    uint8_t command;  /* that waits for its argument; 0: none */
    uint8_t last;     /* byte sent last */
    uint8_t id;       /* 0: three buttons; 3: and a wheel; 4: and two more buttons */
    uint8_t rates[3]; /* sample rates set last, newest first: they unlock the ids */
    uint8_t resolution;
    uint8_t buttons, sent_buttons; /* left, right, middle, side, extra */
    bool reporting, remote, wrap, scaling;
    int32_t dx, dy, dz;  /* moved since the last packet; y upwards, wheel towards the user */
    struct timer sample; /* armed: movements wait until then */
};

extern const struct field ps2_keyboard_fields[];
extern const struct field ps2_mouse_fields[];

/* Once, before anything else. */
void ps2_keyboard_init(struct ps2_keyboard *k, const struct ps2_host *host);
void ps2_mouse_init(struct ps2_mouse *m, const struct ps2_host *host);

/* Power-on state, nothing to send. */
void ps2_keyboard_reset(struct ps2_keyboard *k);
void ps2_mouse_reset(struct ps2_mouse *m);

/* A byte from the host: a command or the argument of one. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t val);

/* Take the next byte to the host; -1: nothing to send. */
int ps2_keyboard_read(struct ps2_keyboard *k);
int ps2_mouse_read(struct ps2_mouse *m);

/* A key goes down or up. Where the buffer is full, keys that go down are lost, and the host is told
 * so. */
void ps2_keyboard_key(struct ps2_keyboard *k, enum key_code key, bool down);

/* The mouse moved (dy > 0: upwards, dz > 0: wheel towards the user) and has these buttons pressed.
 */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons);

/* Scan code set 2 to set 1, as the controller's firmware does it: one byte without F0. */
uint8_t ps2_translate(uint8_t set2);

/* After a load: bring what a file may hold into range. */
void ps2_keyboard_loaded(struct ps2_keyboard *k);
void ps2_mouse_loaded(struct ps2_mouse *m);

#endif
