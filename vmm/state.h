/* SPDX-License-Identifier: MIT */
/* Declarative state: each device lists every member of its struct once, as saved or as unsaved.
 * Snapshots, `info`, the generic device test and fuzzers read this one table. */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_END,     /* ends a table */
    FIELD_BYTES,   /* array of bytes, or a byte */
    FIELD_INT,     /* integers of 1, 2, 4 or 8 bytes, `count` of them */
    FIELD_BOOL,    /* bools: what is loaded becomes 0 or 1 */
    FIELD_STRUCT,  /* `count` structs with a table of their own */
    FIELD_TIMER,   /* struct timer: its due time is saved; the clock re-arms it on load */
    FIELD_UNSAVED, /* wiring: pointers, claims, host handles */
};

struct field {
    const char *name;
    enum field_kind kind;
    uint32_t off;   /* in the struct */
    uint32_t size;  /* of one element */
    uint32_t count; /* elements */
    const struct field *sub;
};

#define FIELD_AT(s, m, k, sz, n, tab)                                                              \
    {                                                                                              \
#m, (k), offsetof(s, m), (sz), (n), (tab)                                                  \
    }
#define MEMBER_SIZE(s, m) sizeof(((s *)0)->m)
#define SCALAR_KIND(x)    _Generic((x), _Bool : FIELD_BOOL, default : FIELD_INT)

/* One integer, bool or enum member. */
#define FIELD(s, m) FIELD_AT(s, m, SCALAR_KIND(((s *)0)->m), MEMBER_SIZE(s, m), 1, NULL)
/* Array of integers or bools (one-dimensional; of bytes too). */
#define FIELD_ARRAY(s, m)                                                                          \
    FIELD_AT(s, m, SCALAR_KIND(((s *)0)->m[0]), sizeof(((s *)0)->m[0]),                            \
             MEMBER_SIZE(s, m) / sizeof(((s *)0)->m[0]), NULL)
/* One struct, or an array of structs, with its own table. */
#define FIELD_SUB(s, m, tab) FIELD_AT(s, m, FIELD_STRUCT, MEMBER_SIZE(s, m), 1, (tab))
#define FIELD_SUBS(s, m, tab)                                                                      \
    FIELD_AT(s, m, FIELD_STRUCT, sizeof(((s *)0)->m[0]),                                           \
             MEMBER_SIZE(s, m) / sizeof(((s *)0)->m[0]), (tab))
#define FIELD_TIMER(s, m) FIELD_AT(s, m, FIELD_TIMER, MEMBER_SIZE(s, m), 1, NULL)
#define UNSAVED(s, m)     FIELD_AT(s, m, FIELD_UNSAVED, MEMBER_SIZE(s, m), 1, NULL)
/* Every device struct begins with this. */
#define FIELDS_DEVICE(s) UNSAVED(s, dev)
#define FIELDS_END                                                                                 \
    {                                                                                              \
        NULL, FIELD_END, 0, 0, 0, NULL                                                             \
    }

/* Bytes that a table's saved fields take in a buffer (fixed for a table). */
size_t state_size(const struct field *tab);

/* Copy the saved fields of `obj` into buf, little-endian, in table order, and back. */
void state_save(const struct field *tab, const void *obj, uint8_t *buf);
void state_load(const struct field *tab, void *obj, const uint8_t *buf);

struct timer;

/* Call fn for every timer of obj, those of nested structs included. */
void state_each_timer(const struct field *tab, void *obj, void (*fn)(void *arg, struct timer *t),
                      void *arg);

/* 0 where every byte of a struct of `size` bytes is named by exactly one field, but for padding of
 * at most 7 bytes in front of a field or at the end. Otherwise -EINVAL, and *where is the first bad
 * offset. */
int state_covers(const struct field *tab, size_t size, size_t *where);

#endif
