/* SPDX-License-Identifier: MIT */
/* VirtualBox's images (VDI), read only: dynamic and fixed ones, which have the same layout. Images
 * with a parent are refused. */
#include <stdlib.h>
#include <string.h>

#include "disk/blocks.h"

#define SIGNATURE     0xbeda107fu
#define VERSION_1_1   0x00010001u
#define HEADER_BYTES  512
#define TYPE_DYNAMIC  1
#define TYPE_FIXED    2
#define NOT_ALLOCATED 0xfffffffeu /* from here on: never written, or given back */

struct vdi {
    struct blocks blocks; /* first: see blocks.h */
    uint64_t data_off;
};

static bool vdi_probe(const uint8_t head[DISK_HEAD_BYTES])
{
    return load_le(head + 0x40, 4) == SIGNATURE;
}

static uint64_t block_place(const void *format, uint32_t value)
{
    const struct vdi *v = format;

    return value >= NOT_ALLOCATED ? BLOCK_IS_ZERO : v->data_off + value * v->blocks.block_bytes;
}

static const char *read_header(struct disk *d, struct vdi *v)
{
    static const uint8_t no_parent[16];
    uint8_t h[HEADER_BYTES];
    uint64_t type;

    if (file_read(d->file, 0, h, sizeof(h)) != 0)
        return "its header cannot be read";
    if (!vdi_probe(h))
        return "is no vdi image";
    if (load_le(h + 0x44, 4) != VERSION_1_1)
        return "this version of vdi is not supported";
    type = load_le(h + 0x4c, 4);
    if ((type != TYPE_DYNAMIC && type != TYPE_FIXED) || memcmp(h + 0x1a8, no_parent, 16) != 0)
        return "vdi images with a parent are not supported";
    d->size = align_up(load_le(h + 0x170, 8), DISK_SECTOR);
    v->data_off = load_le(h + 0x158, 4);
    v->blocks.file = d->file;
    v->blocks.block_bytes = load_le(h + 0x178, 4);
    v->blocks.count = (uint32_t)load_le(h + 0x180, 4);
    if (load_le(h + 0x168, 4) != DISK_SECTOR || load_le(h + 0x17c, 4) != 0)
        return "its sector or block layout is not supported";
    if (v->blocks.block_bytes < DISK_SECTOR || v->blocks.block_bytes % DISK_SECTOR != 0)
        return "its block size is out of range";
    if (load_le(h + 0x170, 8) > INT64_MAX || d->size > v->blocks.count * v->blocks.block_bytes)
        return "its size is out of range";
    return blocks_load(&v->blocks, load_le(h + 0x154, 4), false, block_place, v);
}

static int vdi_open(struct disk *d, const struct disk_request *r, char err[DISK_ERR_LEN])
{
    struct vdi *v = calloc(1, sizeof(*v));
    const char *wrong;

    d->state = v;
    wrong = v != NULL ? read_header(d, v) : "no memory";
    if (wrong != NULL)
        disk_fail(err, r->path, "%s", wrong);
    return wrong != NULL ? -1 : 0;
}

const struct disk_format disk_vdi = {
    .name = "vdi",
    .probe = vdi_probe,
    .open = vdi_open,
    .close = blocks_close,
    .read = blocks_disk_read,
};
