/* SPDX-License-Identifier: MIT */
#include "tests/diff/system_slot.h"

static const struct type_row {
    const char *name;
    uint8_t type;
} types[] = {
    {"data", T_DATA},
    {"data-ro", 0x10},
    {"down", 0x16},
    {"down-ro", 0x14},
    {"code", T_CODE},
    {"code-x", 0x18},
    {"conforming", T_CONFORMING},
    {"conforming-x", 0x1c},
    {"tss16", T_TSS16},
    {"ldt", T_LDT},
    {"tss16-busy", T_TSS16_BUSY},
    {"call16", T_CALL16},
    {"task", T_TASK},
    {"int16", T_INT16},
    {"trap16", T_TRAP16},
    {"tss32", T_TSS32},
    {"tss32-busy", T_TSS32_BUSY},
    {"call32", T_CALL32},
    {"int32", T_INT32},
    {"trap32", T_TRAP32},
    {"type0", 0},
    {"type8", 8},
    {"type10", 10},
    {"type13", 13},
};

/* The plain one has to have value 0, so it changes places with the first. */
unsigned choose_type(struct sys *s, const char *prefix, unsigned plain)
{
    struct type_row rows[ROWS(types)];
    unsigned at = 0;

    memcpy(rows, types, sizeof(rows));
    while (rows[at].type != plain)
        at++;
    rows[at] = types[0];
    rows[0] = types[at];
    return rows[CHOOSE_AT(s->ch, prefix, "type", rows)].type;
}

unsigned choose_level(struct sys *s, const char *prefix, const char *what, unsigned plain)
{
    static const char *const names[] = {"plain", "0", "1", "2", "3"};
    unsigned n = CHOOSE_AT(s->ch, prefix, what, names);

    return n == 0 ? plain : n - 1;
}

static const char *const wheres[] = {"gdt", "ldt", "null", "beyond-gdt", "beyond-ldt", "no-ldt"};

void choose_selector(struct sys *s, struct slot *x, uint16_t at)
{
    x->where = (enum slot_where)CHOOSE_AT(s->ch, x->name, "where", wheres);
    x->rpl = (uint8_t)choose_level(s, x->name, "rpl", s->level);
    x->sel = at;
    switch (x->where) {
    case IN_GDT: break;
    case IN_LDT: x->sel |= 4; break;
    case IS_NULL: x->sel = 0; break;
    case BEYOND_GDT: x->sel = SYS_GDT_BYTES; break;
    case BEYOND_LDT: x->sel = 0x100 | 4; break;
    case NO_LDT:
        x->sel |= 4;
        s->cpu->ldtr = (struct seg){0};
        break;
    }
    x->sel |= x->rpl;
}

static const struct {
    const char *name;
    uint32_t limit; /* in bytes */
} limits[] = {{"4g", 0xffffffff}, {"64k", 0xffff},   {"4k", 0xfff},
              {"0", 0},           {"500k", 0x7ffff}, {"7", 7},
              {"1m", 0xfffff},    {"tiny", 1},       {"huge", 0xfffeffff}};

static const struct {
    const char *name;
    uint32_t base;
} bases[] = {{"0", 0}, {"data", AT_DATA}, {"odd", AT_DATA + 3}, {"wraps", 0xfffff000}};

void put_slot(struct sys *s, const struct slot *x)
{
    uint32_t limit = x->granular ? x->limit >> 12 : x->limit;
    unsigned attr = x->type | (unsigned)x->dpl << 5 | (x->present ? SEG_P : 0u) |
                    (x->granular ? SEG_G : 0u) | (x->big ? SEG_DB : 0u) | (x->is_long ? SEG_L : 0u);

    if (x->where != IS_NULL && x->where != BEYOND_GDT && x->where != BEYOND_LDT)
        sys_put_desc(s, x->sel, sys_desc(x->base, limit, attr));
}

/* A limit of less than 1 MiB may be one in bytes; others are not. */
static void choose_shape(struct sys *s, struct slot *x)
{
    static const char *const sizes[] = {"plain", "16", "32", "64", "none"};
    unsigned size = CHOOSE_AT(s->ch, x->name, "size", sizes);
    bool code = x->type & SEG_S && x->type & SEG_CODE;

    if (size == 0)
        size = code && s->mode == SYS_LONG ? 3 : code && is_code16(s) ? 1 : 2;
    x->big = size == 2 || size == 4;
    x->is_long = size >= 3;
    x->limit = limits[CHOOSE_AT(s->ch, x->name, "limit", limits)].limit;
    x->base = bases[CHOOSE_AT(s->ch, x->name, "base", bases)].base;
    x->granular = x->limit > 0xfffff;
}

struct slot choose_slot(struct sys *s, const char *name, uint16_t at, unsigned plain)
{
    static const char *const yes[] = {"yes", "no"};
    struct slot x = {.name = name};

    choose_selector(s, &x, at);
    x.type = (uint8_t)choose_type(s, name, plain);
    x.dpl = (uint8_t)choose_level(s, name, "dpl", s->level);
    x.present = CHOOSE_AT(s->ch, name, "present", yes) == 0;
    choose_shape(s, &x);
    if (x.type & SEG_S)
        x.type |= (uint8_t)CHOOSE_AT(s->ch, name, "accessed", yes) == 0 ? SEG_A : 0;
    put_slot(s, &x);
    return x;
}
