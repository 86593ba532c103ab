/* SPDX-License-Identifier: MIT */
/* Images whose one table says where each block is. */
#include "disk/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX (1u << 24) /* 128 MiB of offsets */

const char *blocks_load(struct blocks *b, uint64_t off, bool big, block_place_fn *place,
                        const void *format)
{
    uint64_t size = file_size(b->file);
    uint8_t *raw;

    if (b->count > COUNT_MAX)
        return "its block table is too large";
    if (off > size || b->count * UINT64_C(4) > size - off)
        return "its block table is outside the file";
    b->offsets = malloc((b->count + UINT64_C(1)) * sizeof(*b->offsets));
    if (b->offsets == NULL)
        return "no memory for its block table";
    raw = (uint8_t *)b->offsets + b->count * UINT64_C(4); /* the upper half: never overtaken */
    if (file_read(b->file, off, raw, b->count * UINT64_C(4)) != 0)
        return "its block table cannot be read";
    for (uint32_t i = 0; i < b->count; i++) {
        const uint8_t *p = raw + i * UINT64_C(4);
        b->offsets[i] = place(format, (uint32_t)(big ? load_be(p, 4) : load_le(p, 4)));
    }
    return NULL;
}

int blocks_read(const struct blocks *b, uint64_t off, void *buf, size_t n)
{
    uint8_t *out = buf;

    while (n > 0) {
        uint64_t in_block = off % b->block_bytes, index = off / b->block_bytes;
        size_t part = n < b->block_bytes - in_block ? n : (size_t)(b->block_bytes - in_block);
        uint64_t place = index < b->count ? b->offsets[index] : BLOCK_IS_ZERO;
        int err = 0;
        if (place == BLOCK_IS_ZERO)
            memset(out, 0, part);
        else if (place >= file_size(b->file)) /* damaged, or the file is not all there */
            err = -EIO;
        else
            err = file_read(b->file, place + in_block, out, part);
        if (err != 0)
            return err;
        out += part;
        off += part;
        n -= part;
    }
    return 0;
}

int blocks_close(struct disk *d)
{
    struct blocks *b = d->state;

    if (b != NULL)
        free(b->offsets);
    free(b);
    return 0;
}

int blocks_disk_read(struct disk *d, uint64_t off, void *buf, size_t n)
{
    return blocks_read(d->state, off, buf, n);
}
