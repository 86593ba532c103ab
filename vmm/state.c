/* SPDX-License-Identifier: MIT */
/* Field tables at work: a struct's saved fields to bytes and back, in table order, little-endian
 * and without padding, so that the bytes mean the same on every host. */
#include "vmm/state.h"

#include <errno.h>
#include <string.h>

#include "vmm/clock.h"

#define MAX_PADDING 7

static size_t element_bytes(const struct field *f)
{
    switch (f->kind) {
    case FIELD_BYTES:
    case FIELD_INT:
    case FIELD_BOOL: return f->size;
    case FIELD_STRUCT: return state_size(f->sub);
    case FIELD_TIMER: return sizeof(uint64_t);
    case FIELD_UNSAVED:
    case FIELD_END: break;
    }
    return 0;
}

size_t state_size(const struct field *tab)
{
    size_t total = 0;

    for (const struct field *f = tab; f->kind != FIELD_END; f++)
        total += element_bytes(f) * f->count;
    return total;
}

/* Is an array of them in a file what it is in memory? */
static bool is_plain(const struct field *f)
{
    return f->kind == FIELD_BYTES || f->kind == FIELD_INT;
}

void state_save(const struct field *tab, const void *obj, uint8_t *buf)
{
    for (const struct field *f = tab; f->kind != FIELD_END; f++) {
        size_t bytes = element_bytes(f);

        if (is_plain(f)) {
            memcpy(buf, (const uint8_t *)obj + f->off, bytes * f->count); /* little-endian hosts */
            buf += bytes * f->count;
            continue;
        }
        for (uint32_t i = 0; bytes > 0 && i < f->count; i++, buf += bytes) {
            const uint8_t *member = (const uint8_t *)obj + f->off + (size_t)i * f->size;

            if (f->kind == FIELD_STRUCT)
                state_save(f->sub, member, buf);
            else if (f->kind == FIELD_TIMER)
                memcpy(buf, member + offsetof(struct timer, due_ns), bytes);
            else
                memcpy(buf, member, bytes);
        }
    }
}

void state_load(const struct field *tab, void *obj, const uint8_t *buf)
{
    for (const struct field *f = tab; f->kind != FIELD_END; f++) {
        size_t bytes = element_bytes(f);

        if (is_plain(f)) {
            memcpy((uint8_t *)obj + f->off, buf, bytes * f->count);
            buf += bytes * f->count;
            continue;
        }
        for (uint32_t i = 0; bytes > 0 && i < f->count; i++, buf += bytes) {
            uint8_t *member = (uint8_t *)obj + f->off + (size_t)i * f->size;

            if (f->kind == FIELD_STRUCT)
                state_load(f->sub, member, buf);
            else if (f->kind == FIELD_TIMER)
                memcpy(member + offsetof(struct timer, due_ns), buf, bytes);
            else if (f->kind == FIELD_BOOL)
                *member = buf[0] != 0; /* any other value would be undefined behaviour */
        }
    }
}

void state_each_timer(const struct field *tab, void *obj, void (*fn)(void *arg, struct timer *t),
                      void *arg)
{
    for (const struct field *f = tab; f->kind != FIELD_END; f++) {
        if (f->kind != FIELD_STRUCT && f->kind != FIELD_TIMER)
            continue;
        for (uint32_t i = 0; i < f->count; i++) {
            uint8_t *member = (uint8_t *)obj + f->off + (size_t)i * f->size;

            if (f->kind == FIELD_STRUCT)
                state_each_timer(f->sub, member, fn, arg);
            else
                fn(arg, (struct timer *)(void *)member);
        }
    }
}

/* -- Coverage ---------------------------------------------------------------------------------- */

static size_t field_end(const struct field *f)
{
    return f->off + (size_t)f->size * f->count;
}

/* The field that begins first at or after `from`, or NULL. */
static const struct field *next_field(const struct field *tab, size_t from)
{
    const struct field *best = NULL;

    for (const struct field *f = tab; f->kind != FIELD_END; f++) {
        if (f->off >= from && (best == NULL || f->off < best->off))
            best = f;
    }
    return best;
}

int state_covers(const struct field *tab, size_t size, size_t *where)
{
    size_t at = 0, fields = 0, met = 0;

    for (const struct field *f = tab; f->kind != FIELD_END; f++) {
        fields++;
        if (f->kind == FIELD_STRUCT && state_covers(f->sub, f->size, where) != 0) {
            *where += f->off;
            return -EINVAL;
        }
    }
    while (met < fields) {
        const struct field *f = next_field(tab, at);

        *where = at;
        if (f == NULL || f->off - at > MAX_PADDING)
            return -EINVAL; /* another field lies inside the previous one, or a member is missing */
        if (field_end(f) <= f->off || field_end(f) > size)
            return -EINVAL;
        at = field_end(f);
        met++;
    }
    *where = at;
    return size - at <= MAX_PADDING ? 0 : -EINVAL;
}
