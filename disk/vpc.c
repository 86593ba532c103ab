/* SPDX-License-Identifier: MIT */
/* Microsoft's images (VHD, which QEMU calls vpc), read only: fixed and dynamic ones. The footer is
 * the last sector; dynamic images have a copy of it as their first, by which alone they are
 * recognised. Differencing images are refused. */
#include <stdlib.h>
#include <string.h>

#include "disk/blocks.h"

#define FOOTER_BYTES  512
#define HEADER_BYTES  1024
#define TYPE_FIXED    2
#define TYPE_DYNAMIC  3
#define NOT_ALLOCATED 0xffffffffu
#define CHS_MAX       (UINT64_C(65535) * 16 * 255)

struct vpc {
    struct blocks blocks;  /* first: see blocks.h */
    uint64_t bitmap_bytes; /* in front of each block */
};

static bool vpc_probe(const uint8_t head[DISK_HEAD_BYTES])
{
    return memcmp(head, "conectix", 8) == 0;
}

/* The complement of the sum of all bytes but its own four. */
static bool sum_is_right(const uint8_t *p, size_t n, size_t at)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += i < at || i >= at + 4 ? p[i] : 0;
    return load_be(p + at, 4) == (uint32_t)~sum;
}

/* Two programs count on the geometry, all others on the size. */
static uint64_t image_size(const uint8_t *footer)
{
    uint64_t chs = load_be(footer + 56, 2) * footer[58] * footer[59];
    bool by_geometry = memcmp(footer + 28, "vpc ", 4) == 0 || memcmp(footer + 28, "qemu", 4) == 0;

    if (by_geometry && chs != 0 && chs < CHS_MAX)
        return chs * DISK_SECTOR;
    return load_be(footer + 48, 8) / DISK_SECTOR * DISK_SECTOR;
}

static uint64_t block_place(const void *format, uint32_t value)
{
    const struct vpc *v = format;

    return value == NOT_ALLOCATED ? BLOCK_IS_ZERO : value * UINT64_C(512) + v->bitmap_bytes;
}

static const char *read_dynamic(struct disk *d, struct vpc *v, uint64_t off)
{
    uint8_t h[HEADER_BYTES];
    struct blocks *b = &v->blocks;

    if (off > file_size(d->file) || file_read(d->file, off, h, sizeof(h)) != 0 ||
        memcmp(h, "cxsparse", 8) != 0)
        return "its dynamic header is missing";
    if (!sum_is_right(h, sizeof(h), 36))
        return "its dynamic header's checksum is wrong";
    b->count = (uint32_t)load_be(h + 28, 4);
    b->block_bytes = load_be(h + 32, 4);
    if (b->block_bytes < DISK_SECTOR || (b->block_bytes & (b->block_bytes - 1)) != 0)
        return "its block size is out of range";
    if (d->size > b->count * b->block_bytes)
        return "its size is out of range";
    v->bitmap_bytes = align_up((b->block_bytes / DISK_SECTOR + 7) / 8, DISK_SECTOR);
    return blocks_load(b, load_be(h + 16, 8), true, block_place, v);
}

/* One block that is the whole disk. */
static const char *make_fixed(struct disk *d, struct vpc *v)
{
    if (d->size > file_size(d->file) - FOOTER_BYTES)
        return "its data is not all there";
    v->blocks.offsets = calloc(1, sizeof(uint64_t));
    v->blocks.count = 1;
    v->blocks.block_bytes = d->size > 0 ? d->size : DISK_SECTOR;
    return v->blocks.offsets != NULL ? NULL : "no memory";
}

static const char *read_image(struct disk *d, struct vpc *v)
{
    uint64_t end = file_size(d->file);
    uint8_t f[FOOTER_BYTES];

    v->blocks.file = d->file;
    if (end < FOOTER_BYTES || file_read(d->file, end - FOOTER_BYTES, f, sizeof(f)) != 0)
        return "is no vpc image";
    if (!vpc_probe(f) && (file_read(d->file, 0, f, sizeof(f)) != 0 || !vpc_probe(f)))
        return "is no vpc image";
    if (!sum_is_right(f, sizeof(f), 64))
        return "its footer's checksum is wrong";
    if (load_be(f + 48, 8) > INT64_MAX)
        return "its size is out of range";
    d->size = image_size(f);
    switch (load_be(f + 60, 4)) {
    case TYPE_FIXED: return make_fixed(d, v);
    case TYPE_DYNAMIC: return read_dynamic(d, v, load_be(f + 16, 8));
    default: return "differencing vpc images are not supported";
    }
}

static int vpc_open(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    struct vpc *v = calloc(1, sizeof(*v));
    const char *wrong;

    d->state = v;
    wrong = v != NULL ? read_image(d, v) : "no memory";
    if (wrong != NULL)
        disk_fail(err, r->path, "%s", wrong);
    return wrong != NULL ? -1 : 0;
}

const struct disk_format disk_vpc = {
    .name = "vpc",
    .probe = vpc_probe,
    .open = vpc_open,
    .close = blocks_close,
    .read = blocks_disk_read,
};
