/* SPDX-License-Identifier: MIT */
/* PS/2 keyboard and mouse, as the keyboard controller sees them: it writes bytes to a device and
 * takes the bytes that the device wants to send. Both live inside their controller. */
#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/state.h"

#define PS2_QUEUE_LEN 64 /* a power of two */

struct ps2_queue {
    uint8_t data[PS2_QUEUE_LEN];
    uint8_t head, len;
};

struct ps2_keyboard {
    struct ps2_queue replies; /* to commands; sent before scan codes */
    struct ps2_queue scans;
    uint8_t command; /* that waits for its argument; 0: none */
    uint8_t last;    /* byte sent last */
    uint8_t set;     /* scan code set, 1 or 2 */
    uint8_t leds;    /* bits 0..2: scroll, num, caps lock */
    uint8_t typematic;
    bool scanning; /* enabled */
};

struct ps2_mouse {
    struct ps2_queue out;
    uint8_t command;  /* that waits for its argument; 0: none */
    uint8_t last;     /* byte sent last */
    uint8_t id;       /* 0: three buttons; 3: and a wheel; 4: and two more buttons */
    uint8_t rates[3]; /* sample rates set last, newest first: they unlock the ids */
    uint8_t resolution;
    uint8_t buttons, sent_buttons; /* left, right, middle, side, extra */
    bool reporting, remote, wrap, scaling;
    int32_t dx, dy, dz; /* moved since the last packet; y upwards, wheel towards the user */
};

extern const struct field ps2_keyboard_fields[];
extern const struct field ps2_mouse_fields[];

/* Power-on state, nothing to send. */
void ps2_keyboard_reset(struct ps2_keyboard *k);
void ps2_mouse_reset(struct ps2_mouse *m);

/* A byte from the host: a command or the argument of one. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t val);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t val);

/* Take the next byte to the host; -1: nothing to send. */
int ps2_keyboard_read(struct ps2_keyboard *k);
int ps2_mouse_read(struct ps2_mouse *m);

/* A key goes down (again, while it repeats) or up. `key` is its make code in set 1, plus 0x80 where
 * that has the prefix E0; 0xc6 is Pause. Keys that find the buffer full are lost. */
void ps2_keyboard_key(struct ps2_keyboard *k, uint8_t key, bool down);

/* The mouse moved (dy > 0: upwards, dz > 0: wheel towards the user) and has these buttons pressed.
 */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons);

/* Scan code set 2 to set 1, as the controller's firmware does it: one byte without F0. */
uint8_t ps2_translate(uint8_t set2);

/* After a load: bring what a file may hold into range. */
void ps2_keyboard_loaded(struct ps2_keyboard *k);
void ps2_mouse_loaded(struct ps2_mouse *m);

#endif
