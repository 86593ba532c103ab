/* SPDX-License-Identifier: MIT */
/* 93C46 serial EEPROM (Microwire, 64 words): what network cards keep their address in. */
#ifndef DEVICES_EEPROM93_H
#define DEVICES_EEPROM93_H

#include <stdbool.h>

#include "vmm/state.h"

#define EEPROM93_WORDS 64

struct eeprom93 {
    uint16_t word[EEPROM93_WORDS];
    bool cs, sk, data_out; /* pins */
    bool can_write;
    uint8_t bits; /* shifted in since the start bit, itself included; 0: none yet */
    uint8_t left; /* bits of `out` that wait to be shifted out */
    uint32_t in;  /* opcode and address, and a word */
    uint16_t out;
    uint8_t at; /* the word that is read */
};

extern const struct field eeprom93_fields[];

/* Drive its pins; the level of DO. */
bool eeprom93_pins(struct eeprom93 *e, bool cs, bool sk, bool di);
/* As after power-on; the words stay. */
void eeprom93_reset(struct eeprom93 *e);
/* After the fields were loaded. */
void eeprom93_check(struct eeprom93 *e);

#endif
