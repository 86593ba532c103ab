/* SPDX-License-Identifier: MIT */
/* snapshot=on: an image that is only read, and above it a nameless temporary file that holds what
 * was written, each block at its own offset: the file is as sparse as the writes are. A bit per
 * block says where it is. Bits come in leaves that are made when needed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/format.h"

#define BLOCK       UINT64_C(4096)
#define LEAF_BYTES  4096
#define LEAF_BLOCKS (LEAF_BYTES * UINT64_C(8))
#define OVERLAY_MAX (UINT64_C(1) << 47) /* bounds the array of leaves to 8 MiB */

struct overlay {
    struct disk *base;
    uint8_t **leaves;
    uint64_t leaf_count;
    uint8_t block[BLOCK];
};

static bool is_above(const struct overlay *o, uint64_t block)
{
    const uint8_t *leaf = o->leaves[block / LEAF_BLOCKS];

    block %= LEAF_BLOCKS;
    return leaf != NULL && (leaf[block / 8] >> block % 8 & 1) != 0;
}

static int set_above(struct overlay *o, uint64_t block)
{
    uint8_t **leaf = &o->leaves[block / LEAF_BLOCKS];

    if (*leaf == NULL)
        *leaf = calloc(1, LEAF_BYTES);
    if (*leaf == NULL)
        return -ENOMEM;
    block %= LEAF_BLOCKS;
    (*leaf)[block / 8] |= (uint8_t)(1 << block % 8);
    return 0;
}

/* How much of a range has its first block's place. */
static size_t run_length(const struct overlay *o, uint64_t off, size_t n)
{
    bool above = is_above(o, off / BLOCK);
    uint64_t end = off / BLOCK * BLOCK + BLOCK;

    while (end < off + n && is_above(o, end / BLOCK) == above)
        end += BLOCK;
    return end - off < n ? (size_t)(end - off) : n;
}

static int overlay_read(struct disk *d, uint64_t off, void *buf, size_t n)
{
    struct overlay *o = d->state;
    uint8_t *out = buf;

    while (n > 0) {
        size_t run = run_length(o, off, n);
        int err = is_above(o, off / BLOCK) ? file_read(d->file, off, out, run)
                                           : disk_read(o->base, off, out, run);
        if (err != 0)
            return err;
        out += run;
        off += run;
        n -= run;
    }
    return 0;
}

/* A part of a block that is still in the image below goes up with the rest of it. */
static int write_part(struct disk *d, uint64_t off, const uint8_t *in, size_t n)
{
    struct overlay *o = d->state;
    uint64_t start = off / BLOCK * BLOCK;
    int err;

    if (is_above(o, off / BLOCK))
        return file_write(d->file, off, in, n);
    err = disk_read_padded(o->base, start, o->block, BLOCK);
    if (err != 0)
        return err;
    memcpy(o->block + (off - start), in, n);
    err = file_write(d->file, start, o->block, BLOCK);
    return err != 0 ? err : set_above(o, off / BLOCK);
}

static int overlay_write(struct disk *d, uint64_t off, const void *buf, size_t n)
{
    struct overlay *o = d->state;
    const uint8_t *in = buf;

    while (n > 0) {
        size_t part = (size_t)(BLOCK - off % BLOCK);
        int err;
        if (part == BLOCK && n >= BLOCK) {
            part = n / BLOCK * BLOCK;
            err = file_write(d->file, off, in, part);
            for (uint64_t b = off / BLOCK; err == 0 && b < (off + part) / BLOCK; b++)
                err = set_above(o, b);
        } else {
            part = part < n ? part : n;
            err = write_part(d, off, in, part);
        }
        if (err != 0)
            return err;
        in += part;
        off += part;
        n -= part;
    }
    return 0;
}

static int overlay_flush(struct disk *d)
{
    (void)d;
    return 0; /* nothing of this outlives the process */
}

/* Whole blocks become holes above the image, which read as zeros. */
static int overlay_discard(struct disk *d, uint64_t off, uint64_t n)
{
    struct overlay *o = d->state;
    uint64_t first = align_up(off, BLOCK) / BLOCK, end = (off + n) / BLOCK;

    for (uint64_t b = first; b < end;) {
        uint64_t from = b;
        if (!is_above(o, b)) {
            b++;
            continue;
        }
        while (b < end && is_above(o, b))
            b++;
        int err = file_punch(d->file, from * BLOCK, (b - from) * BLOCK);
        if (err != 0)
            return err;
    }
    return 0;
}

static int overlay_close(struct disk *d)
{
    struct overlay *o = d->state;

    for (uint64_t i = 0; i < o->leaf_count; i++)
        free(o->leaves[i]);
    free(o->leaves);
    disk_close(o->base);
    free(o);
    return 0;
}

static const struct disk_format overlay_format = {
    .name = "snapshot",
    .close = overlay_close,
    .read = overlay_read,
    .write = overlay_write,
    .flush = overlay_flush,
    .discard = overlay_discard,
};

struct disk *disk_overlay(struct disk *base, char err[DISK_ERR_LEN])
{
    struct disk *d = calloc(1, sizeof(*d));
    struct overlay *o = calloc(1, sizeof(*o));

    if (d == NULL || o == NULL || base->size > OVERLAY_MAX)
        goto fail;
    o->leaf_count = align_up(base->size, BLOCK * LEAF_BLOCKS) / (BLOCK * LEAF_BLOCKS);
    o->leaves = calloc(o->leaf_count + 1, sizeof(*o->leaves));
    if (o->leaves == NULL)
        goto fail;
    d->file = file_temporary(err);
    if (d->file == NULL)
        goto fail_said;
    o->base = base;
    d->format = &overlay_format;
    d->format_name = base->format_name;
    d->state = o;
    d->size = base->size;
    return d;
fail:
    disk_fail(err, file_path(base->file), "too large for snapshot=on");
fail_said:
    if (o != NULL)
        free(o->leaves);
    free(o);
    free(d);
    disk_close(base);
    return NULL;
}
