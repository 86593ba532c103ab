/* SPDX-License-Identifier: MIT */
/* 93C46 (Microchip data sheet DS21749, organised as 64 words). After a start bit come two bits of
 * opcode and six of address; writes take no time. Reading goes on with the next word while the
 * clock does. */
#include "devices/eeprom93.h"

#include <string.h>

#define COMMAND_BITS 9  /* with the start bit */
#define WRITE_BITS   25 /* and a word */

enum { OP_EXTENDED, OP_WRITE, OP_READ, OP_ERASE };

static void fill(struct eeprom93 *e, uint16_t val)
{
    for (unsigned k = 0; e->can_write && k < EEPROM93_WORDS; k++)
        e->word[k] = val;
}

/* The two upper bits of the address say which. */
static void extended(struct eeprom93 *e, unsigned address, bool has_word)
{
    switch (address >> 4) {
    case 0: e->can_write = false; break;
    case 3: e->can_write = true; break;
    case 2: fill(e, 0xffff); break;
    default:
        if (has_word)
            fill(e, (uint16_t)e->in);
        break;
    }
}

/* The last bit of a command, or of its word, has come. */
static void execute(struct eeprom93 *e)
{
    bool has_word = e->bits == WRITE_BITS;
    uint32_t command = has_word ? e->in >> 16 : e->in;
    unsigned op = command >> 6 & 3, address = command & 63;

    if (op == OP_READ && !has_word) {
        e->at = (uint8_t)address;
        e->out = e->word[address];
        e->left = 16;
        e->data_out = false; /* a dummy bit comes first */
    } else if (op == OP_WRITE && has_word && e->can_write) {
        e->word[address] = (uint16_t)e->in;
    } else if (op == OP_ERASE && !has_word && e->can_write) {
        e->word[address] = 0xffff;
    } else if (op == OP_EXTENDED) {
        extended(e, address, has_word);
    }
}

static void clock_bit(struct eeprom93 *e, bool di)
{
    if (e->left > 0) {
        e->data_out = e->out >> 15;
        e->out = (uint16_t)(e->out << 1);
        if (--e->left == 0) {
            e->at = (e->at + 1) % EEPROM93_WORDS;
            e->out = e->word[e->at];
            e->left = 16;
        }
        return;
    }
    if ((e->bits == 0 && !di) || e->bits == WRITE_BITS)
        return;
    e->in = e->in << 1 | di;
    e->bits++;
    if (e->bits == COMMAND_BITS || e->bits == WRITE_BITS) {
        e->data_out = true; /* ready */
        execute(e);
    }
}

bool eeprom93_pins(struct eeprom93 *e, bool cs, bool sk, bool di)
{
    if (!cs) {
        e->bits = e->left = 0;
        e->in = 0;
        e->data_out = true;
    } else if (sk && !e->sk && e->cs) {
        clock_bit(e, di);
    }
    e->cs = cs;
    e->sk = sk;
    return e->data_out;
}

void eeprom93_reset(struct eeprom93 *e)
{
    eeprom93_pins(e, false, false, false);
    e->can_write = false;
}

void eeprom93_check(struct eeprom93 *e)
{
    e->at %= EEPROM93_WORDS;
    if (e->bits > WRITE_BITS)
        e->bits = 0;
}

const struct field eeprom93_fields[] = {
    FIELD_ARRAY(struct eeprom93, word),
    FIELD(struct eeprom93, cs),
    FIELD(struct eeprom93, sk),
    FIELD(struct eeprom93, data_out),
    FIELD(struct eeprom93, can_write),
    FIELD(struct eeprom93, bits),
    FIELD(struct eeprom93, left),
    FIELD(struct eeprom93, in),
    FIELD(struct eeprom93, out),
    FIELD(struct eeprom93, at),
    FIELDS_END,
};
