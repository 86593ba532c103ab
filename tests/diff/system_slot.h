/* SPDX-License-Identifier: MIT */
/* Selectors and descriptors under test. */
#ifndef TESTS_SYSTEM_SLOT_H
#define TESTS_SYSTEM_SLOT_H

#include "tests/diff/system.h"

/* Types as in descriptors (SDM 3A tables 3-1 and 3-2), bit 4 is S. */
enum {
    T_TSS16 = 1,
    T_LDT = 2,
    T_TSS16_BUSY = 3,
    T_CALL16 = 4,
    T_TASK = 5,
    T_INT16 = 6,
    T_TRAP16 = 7,
    T_TSS32 = 9,
    T_TSS32_BUSY = 11,
    T_CALL32 = 12,
    T_INT32 = 14,
    T_TRAP32 = 15,
    T_DATA = 0x12,
    T_CODE = 0x1a,
    T_CONFORMING = 0x1e,
};

enum slot_where { IN_GDT, IN_LDT, IS_NULL, BEYOND_GDT, BEYOND_LDT, NO_LDT };

struct slot {
    const char *name; /* before the names of its choices: "slot." */
    enum slot_where where;
    uint16_t sel;
    uint8_t type, dpl, rpl;
    bool present, granular, big, is_long;
    uint32_t base, limit; /* of segments; limit in bytes */
};

/* Choose all of a descriptor and of the selector that names it, plain: this type, at the level that
 * code runs at, flat. `at` is where the descriptor goes in its table: SEL_SLOT... */
struct slot choose_slot(struct sys *s, const char *name, uint16_t at, unsigned plain);

/* The parts of that. */
unsigned choose_type(struct sys *s, const char *prefix, unsigned plain);
/* plain: this level */
unsigned choose_level(struct sys *s, const char *prefix, const char *what, unsigned plain);
void choose_selector(struct sys *s, struct slot *x, uint16_t at);

/* Write the descriptor of a segment. */
void put_slot(struct sys *s, const struct slot *x);

/* Known when all selectors have been chosen: one may take away the LDT. */
static inline bool slot_is_there(const struct sys *s, const struct slot *x)
{
    return x->where == IN_GDT || (x->where == IN_LDT && s->cpu->ldtr.usable);
}

#endif
