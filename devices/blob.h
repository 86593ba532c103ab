/* SPDX-License-Identifier: MIT */
/* A growing run of bytes, for building tables: little-endian fields are appended, then patched
 * where a length or an address is known only later. */
#ifndef DEVICES_BLOB_H
#define DEVICES_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct blob {
    uint8_t *data; /* freed by blob_free() */
    size_t len, cap;
    bool failed; /* out of memory: what was appended since is lost */
};

/* Room for n more bytes at the end, zeroed; NULL where n is 0 or out of memory. */
static inline uint8_t *blob_grow(struct blob *b, size_t n)
{
    if (n == 0)
        return NULL;
    if (n > b->cap - b->len) {
        size_t cap = (b->len + n) * 2 + 256;
        uint8_t *data = b->failed ? NULL : realloc(b->data, cap);

        if (data == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    memset(b->data + b->len, 0, n);
    b->len += n;
    return b->data + b->len - n;
}

static inline void blob_free(struct blob *b)
{
    free(b->data);
    *b = (struct blob){NULL, 0, 0, false};
}

static inline void blob_bytes(struct blob *b, const void *src, size_t n)
{
    uint8_t *at = blob_grow(b, n);

    if (at != NULL)
        memcpy(at, src, n);
}

/* Fields are little-endian, as all hosts are. */
static inline void blob_u8(struct blob *b, uint8_t val)
{
    blob_bytes(b, &val, 1);
}

static inline void blob_u16(struct blob *b, uint16_t val)
{
    blob_bytes(b, &val, 2);
}

static inline void blob_u32(struct blob *b, uint32_t val)
{
    blob_bytes(b, &val, 4);
}

static inline void blob_u64(struct blob *b, uint64_t val)
{
    blob_bytes(b, &val, 8);
}

static inline void blob_zero(struct blob *b, size_t n)
{
    blob_grow(b, n);
}

/* n characters of a text, padded with `pad`. */
static inline void blob_text(struct blob *b, const char *text, size_t n, char pad)
{
    uint8_t *at = blob_grow(b, n);

    for (size_t k = 0; at != NULL && k < n; k++)
        at[k] = (uint8_t)(*text != 0 ? *text++ : pad);
}

static inline void blob_align(struct blob *b, size_t to)
{
    blob_zero(b, (to - b->len % to) % to);
}

/* Overwrite n bytes at `at`, which were appended before. */
static inline void blob_patch(struct blob *b, size_t at, const void *src, size_t n)
{
    if (!b->failed && n <= b->len && at <= b->len - n)
        memcpy(b->data + at, src, n);
}

/* Set the byte at `at` so that the n bytes from `from` add up to zero. */
static inline void blob_checksum(struct blob *b, size_t from, size_t n, size_t at)
{
    uint8_t sum = 0;

    if (b->failed || n > b->len || from > b->len - n || at >= b->len)
        return;
    b->data[at] = 0;
    for (size_t k = 0; k < n; k++)
        sum += b->data[from + k];
    b->data[at] = (uint8_t)-sum;
}

#endif
