/* SPDX-License-Identifier: MIT */
/* A small PNG encoder. Rows are filtered by nothing; the stream is one block of DEFLATE with the
 * fixed codes (RFC 1951, 3.2.6), whose only matches are with the pixel to the left and with the row
 * above: enough to make screens of text a twentieth of their size. */
#include "frontend/screenshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_MIN 3u
#define MATCH_MAX 258u
#define WINDOW    32768u

struct stream {
    uint8_t *data;
    size_t n;
    uint32_t bits; /* not yet a byte */
    unsigned nbits;
};

/* -- DEFLATE ----------------------------------------------------------------------------------- */

/* The lowest bit goes first. */
static void put_bits(struct stream *s, uint32_t val, unsigned n)
{
    s->bits |= val << s->nbits;
    for (s->nbits += n; s->nbits >= 8; s->nbits -= 8) {
        s->data[s->n++] = (uint8_t)s->bits;
        s->bits >>= 8;
    }
}

/* Huffman codes begin with their highest bit. */
static void put_code(struct stream *s, uint32_t code, unsigned n)
{
    uint32_t turned = 0;

    for (unsigned k = 0; k < n; k++)
        turned |= (code >> k & 1) << (n - 1 - k);
    put_bits(s, turned, n);
}

static void put_symbol(struct stream *s, unsigned sym)
{
    if (sym < 144)
        put_code(s, 0x30 + sym, 8);
    else if (sym < 256)
        put_code(s, 0x190 + sym - 144, 9);
    else if (sym < 280)
        put_code(s, sym - 256, 7);
    else
        put_code(s, 0xc0 + sym - 280, 8);
}

/* Lengths and distances are coded alike: 2 * group codes mean one value each, and each `group` of
 * codes that follows has one more extra bit. */
static void put_number(struct stream *s, unsigned val, unsigned group, unsigned first_sym)
{
    unsigned extra = 0, code;

    while (val >> extra >= 2 * group)
        extra++;
    code = extra * group + (val >> extra);
    if (first_sym != 0)
        put_symbol(s, first_sym + code);
    else
        put_code(s, code, 5);
    put_bits(s, val & ((1u << extra) - 1), extra);
}

static void put_match(struct stream *s, unsigned length, unsigned distance)
{
    if (length == MATCH_MAX)
        put_symbol(s, 285);
    else
        put_number(s, length - MATCH_MIN, 4, 257);
    put_number(s, distance - 1, 2, 0);
}

static unsigned match(const uint8_t *data, size_t at, size_t n, size_t distance)
{
    unsigned length = 0;

    if (distance > at || distance > WINDOW)
        return 0;
    while (length < MATCH_MAX && at + length < n &&
           data[at + length] == data[at + length - distance])
        length++;
    return length;
}

static void deflate(struct stream *s, const uint8_t *data, size_t n, size_t row)
{
    put_bits(s, 1, 1); /* the last block */
    put_bits(s, 1, 2); /* fixed codes */
    for (size_t at = 0; at < n;) {
        unsigned left = match(data, at, n, 3), above = match(data, at, n, row);
        unsigned length = above > left ? above : left;

        if (length < MATCH_MIN) {
            put_symbol(s, data[at++]);
            continue;
        }
        put_match(s, length, (unsigned)(above > left ? row : 3));
        at += length;
    }
    put_symbol(s, 256);
    put_bits(s, 0, 7); /* up to a byte */
    s->nbits = s->bits = 0;
}

/* -- Check sums -------------------------------------------------------------------------------- */

static uint32_t crc32_of(const uint8_t *data, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t k = 0; k < n; k++) {
        crc ^= data[k];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static uint32_t adler32_of(const uint8_t *data, size_t n)
{
    uint32_t a = 1, b = 0;

    for (size_t k = 0; k < n; k++) {
        a = (a + data[k]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

/* -- PNG --------------------------------------------------------------------------------------- */

static void put32(struct stream *s, uint32_t val)
{
    for (unsigned k = 0; k < 4; k++)
        s->data[s->n++] = (uint8_t)(val >> (24 - 8 * k));
}

static void put_bytes(struct stream *s, const void *bytes, size_t n)
{
    memcpy(s->data + s->n, bytes, n);
    s->n += n;
}

/* Begin a chunk; end_chunk() fills its length in. */
static size_t begin_chunk(struct stream *s, const char *type)
{
    put32(s, 0);
    put_bytes(s, type, 4);
    return s->n;
}

static void end_chunk(struct stream *s, size_t begin)
{
    struct stream length = {.data = s->data + begin - 8};

    put32(&length, (uint32_t)(s->n - begin));
    put32(s, crc32_of(s->data + begin - 4, s->n - begin + 4));
}

/* Rows of bytes, each behind the number of its filter. */
static uint8_t *raw_rows(const struct display_surface *p, size_t *n)
{
    size_t row = 1 + (size_t)p->width * 3;
    uint8_t *raw = malloc(row * p->height + 1), *out = raw;

    *n = row * p->height;
    for (unsigned y = 0; raw != NULL && y < p->height; y++) {
        *out++ = 0;
        for (unsigned x = 0; x < p->width; x++) {
            uint32_t rgb = p->pixels[(size_t)y * p->stride + x];

            *out++ = (uint8_t)(rgb >> 16);
            *out++ = (uint8_t)(rgb >> 8);
            *out++ = (uint8_t)rgb;
        }
    }
    return raw;
}

static void put_header(struct stream *s, const struct display_surface *p)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t form[] = {8, 2, 0, 0, 0}; /* 8 bits a component, RGB */
    size_t begin;

    put_bytes(s, signature, sizeof(signature));
    begin = begin_chunk(s, "IHDR");
    put32(s, p->width);
    put32(s, p->height);
    put_bytes(s, form, sizeof(form));
    end_chunk(s, begin);
}

uint8_t *screenshot_encode(const struct display_surface *p, size_t *bytes)
{
    static const uint8_t zlib_header[] = {0x78, 0x01};
    size_t n, begin;
    uint8_t *raw = raw_rows(p, &n);
    /* A byte takes 9 bits at most, a match of three less than its bytes do. */
    struct stream s = {.data = raw != NULL ? malloc(n + n / 8 + 256) : NULL};

    if (s.data == NULL) {
        free(raw);
        return NULL;
    }
    put_header(&s, p);
    begin = begin_chunk(&s, "IDAT");
    put_bytes(&s, zlib_header, sizeof(zlib_header));
    deflate(&s, raw, n, 1 + (size_t)p->width * 3);
    put32(&s, adler32_of(raw, n));
    end_chunk(&s, begin);
    end_chunk(&s, begin_chunk(&s, "IEND"));
    free(raw);
    *bytes = s.n;
    return s.data;
}

static int write_file(const char *path, const uint8_t *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    bool ok;

    if (f == NULL)
        return -errno;
    ok = fwrite(data, 1, n, f) == n;
    return fclose(f) == 0 && ok ? 0 : -EIO;
}

int screenshot_save(struct vm *vm, const char *path)
{
    struct display_listener l = {0};
    struct display_rect rect;
    uint8_t *png = NULL;
    size_t n = 0;
    int err = -ENODEV;

    if (display_refresh(vm, &l, &rect, 1) != 0) {
        png = screenshot_encode(&l.copy, &n);
        err = png != NULL ? write_file(path, png, n) : -ENOMEM;
    }
    free(png);
    display_listener_free(&l);
    return err;
}
