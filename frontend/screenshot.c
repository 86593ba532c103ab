/* SPDX-License-Identifier: MIT */
/* A small PNG encoder: the rows, filtered by nothing, as one stream of zlib's. */
#include "frontend/screenshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHUNKS_SIZE 64u /* all of the file but the stream is less */

struct stream {
    uint8_t *data;
    size_t n;
};

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
    put32(s, (uint32_t)crc32(0, s->data + begin - 4, (uInt)(s->n - begin + 4)));
}

/* Red, green and blue of a row. */
static uint8_t *put_row(uint8_t *out, const struct display_surface *p, unsigned y)
{
    for (unsigned x = 0; x < p->width; x++) {
        uint32_t rgb = p->pixels[(size_t)y * p->stride + x];

        *out++ = (uint8_t)(rgb >> 16);
        *out++ = (uint8_t)(rgb >> 8);
        *out++ = (uint8_t)rgb;
    }
    return out;
}

/* Rows of bytes, each behind the number of its filter. */
static uint8_t *raw_rows(const struct display_surface *p, size_t *n)
{
    size_t row = 1 + (size_t)p->width * 3;
    uint8_t *raw = malloc(row * p->height + 1), *out = raw;

    *n = row * p->height;
    for (unsigned y = 0; raw != NULL && y < p->height; y++) {
        *out++ = 0;
        out = put_row(out, p, y);
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
    size_t n, begin;
    uint8_t *raw = raw_rows(p, &n);
    uLongf packed = compressBound(n);
    struct stream s = {.data = raw != NULL ? malloc(CHUNKS_SIZE + packed) : NULL};
    int result;

    if (s.data == NULL) {
        free(raw);
        return NULL;
    }
    put_header(&s, p);
    begin = begin_chunk(&s, "IDAT");
    result = compress(s.data + s.n, &packed, raw, n);
    free(raw);
    if (result != Z_OK) {
        free(s.data);
        return NULL;
    }
    s.n += packed;
    end_chunk(&s, begin);
    end_chunk(&s, begin_chunk(&s, "IEND"));
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

/* A portable pixmap: a line of text, and red, green, blue of each pixel. */
static uint8_t *encode_ppm(const struct display_surface *p, size_t *bytes)
{
    size_t row = (size_t)p->width * 3;
    uint8_t *ppm = malloc(64 + row * p->height), *out = ppm;

    if (ppm == NULL)
        return NULL;
    out += snprintf((char *)ppm, 64, "P6\n%u %u\n255\n", p->width, p->height);
    for (unsigned y = 0; y < p->height; y++)
        out = put_row(out, p, y);
    *bytes = (size_t)(out - ppm);
    return ppm;
}

int screenshot_save(struct vm *vm, const char *path)
{
    struct display_listener l = {0};
    struct display_rect rect;
    uint8_t *picture = NULL;
    size_t n = 0;
    size_t len = strlen(path);
    bool is_ppm = len > 4 && strcmp(path + len - 4, ".ppm") == 0;
    int err = -ENODEV;

    if (display_refresh(vm, &l, &rect, 1) != 0) {
        picture = is_ppm ? encode_ppm(&l.copy, &n) : screenshot_encode(&l.copy, &n);
        err = picture != NULL ? write_file(path, picture, n) : -ENOMEM;
    }
    free(picture);
    display_listener_free(&l);
    return err;
}
